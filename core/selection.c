/* selection.c - see selection.h. */
#include "core/selection.h"

#include <math.h>

struct selection
selection_visible(const struct table_data *table, row_number first, uint32_t count, uint64_t moment)
{
    struct selection selection = { { 0 } };

    for (uint32_t w = 0; w < SELECTION_WORDS && w * 64 < count; w++)
        selection.words[w] = count - w * 64 >= 64 ? UINT64_MAX : ((uint64_t) 1 << (count - w * 64)) - 1;
    if (table_row_settled(table, first, moment))
        return selection;
    for (uint32_t i = 0; i < count; i++)
        if (!table_row_visible(table, first + i, moment))
            selection.words[i / 64] &= ~((uint64_t) 1 << i % 64);
    return selection;
}

/* A loop for each operator: the comparison is then one instruction. NULL is NaN, for which all are false but !=. */
#define SELECT_WHERE(condition)               \
    for (uint32_t i = 0; i < 64; i++)         \
        holds |= (uint64_t) (condition) << i; \
    return holds

static uint64_t
select_reals(const double *cells, knackdb_operator op, double wanted)
{
    uint64_t holds = 0;

    switch (op) {
    case KNACKDB_EQUAL: SELECT_WHERE(cells[i] == wanted);
    case KNACKDB_NOT_EQUAL: SELECT_WHERE(!isnan(cells[i]) && cells[i] != wanted);
    case KNACKDB_LESS: SELECT_WHERE(cells[i] < wanted);
    case KNACKDB_AT_MOST: SELECT_WHERE(cells[i] <= wanted);
    case KNACKDB_MORE: SELECT_WHERE(cells[i] > wanted);
    default: SELECT_WHERE(cells[i] >= wanted);
    }
}

static uint64_t
select_code(const uint32_t *cells, uint32_t wanted)
{
    uint64_t holds = 0;

    SELECT_WHERE(cells[i] == wanted);
}

void
selection_narrow(struct selection *selection, struct predicate *predicate, const struct table_data *table,
                 row_number first)
{
    for (uint32_t w = 0; w < SELECTION_WORDS; w++) {
        row_number start = first + w * 64;
        uint32_t   column = predicate->condition->column;
        uint64_t   kept = 0;

        if (selection->words[w] == UINT64_MAX && predicate->form == PREDICATE_REAL) {
            kept = select_reals(TABLE_AT(table, start, table->offsets[column], double), predicate->condition->op,
                                predicate->real);
        } else if (selection->words[w] == UINT64_MAX && predicate->form == PREDICATE_CODES) {
            for (uint32_t i = 0; i < predicate->code_count; i++)
                kept |= select_code(TABLE_AT(table, start, table->offsets[column], uint32_t), predicate->codes[i]);
        } else {
            for (uint64_t rest = selection->words[w]; rest != 0; rest &= rest - 1) {
                uint32_t i = (uint32_t) __builtin_ctzll(rest);

                kept |= (uint64_t) predicate_holds(predicate, table, start + i) << i;
            }
        }
        selection->words[w] = kept;
    }
}
