/* view_calls.c - read views: beginning and ending them, rows by key, cells, columns.
 *
 * A knackdb_read lies in the slot its view claimed, so beginning one costs an atomic
 * operation and no allocation. What a query hands out is kept on a list and freed with it; the first short answer lies
 * in the slot, too, as most are the only one of their view. */
#include "api/handle.h"
#include "api/metric_cells.h"
#include "api/rows.h"

#include "base/error.h"
#include "core/score.h"

#include <assert.h>
#include <inttypes.h>

_Static_assert(sizeof(struct knackdb_read) <= VIEW_OWNER_BYTES, "a read view fits its slot");

/* All but `groups`, which nobody looks at yet. */
static inline void
answer_set(struct read_answer *answer, int table, const struct row_list *list)
{
    answer->rows = list->rows;
    answer->count = list->count;
    answer->at = answer->asked = answer->grouped = 0;
    answer->table = table;
    answer->carried = list->carried;
    answer->led = list->led;
}

knackdb_status
knackdb_read_begin(knackdb *db, knackdb_read **ret_read, knackdb_error *error)
{
    struct view    view;
    knackdb_read  *read;
    knackdb_status status = handle_check(db, error);

    if (status == KNACKDB_OK)
        status = view_begin(db->store, &view, error);
    if (status != KNACKDB_OK)
        return status;
    read = view_owner_memory(&view);
    read->view = view;
    read->db = db;
    read->owned_count = 0;
    read->more_owned = NULL;
    read->is_room_taken = false;
    answer_set(&read->answer, -1, &(struct row_list) { .count = 0 });
    read->row.place.group = NULL;
    *ret_read = read;
    return KNACKDB_OK;
}

static void
free_owned(struct allocator *allocator, const struct read_owned *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        allocator_put(allocator, items[i].memory, items[i].bytes);
}

void
knackdb_read_end(knackdb_read *read)
{
    struct allocator *allocator;

    if (read == NULL)
        return;
    allocator = &read->db->allocator;
    free_owned(allocator, read->owned, read->owned_count);
    while (read->more_owned != NULL) {
        struct read_owned_block *block = read->more_owned;

        free_owned(allocator, block->items, block->count);
        read->more_owned = block->next;
        allocator_put(allocator, block, sizeof *block);
    }
    view_end(&read->view); /* the last touch: the slot, and this read in it, is another's from here on */
}

knackdb_status
read_own(knackdb_read *read, void *memory, size_t bytes, knackdb_error *error)
{
    struct allocator        *allocator = &read->db->allocator;
    struct read_owned        item = { memory, bytes };
    struct read_owned_block *block = read->more_owned;

    if (memory == NULL)
        return KNACKDB_OK;
    if (read->owned_count < READ_OWNED_INLINE) {
        read->owned[read->owned_count++] = item;
        return KNACKDB_OK;
    }
    if (block == NULL || block->count == sizeof block->items / sizeof block->items[0]) {
        block = allocator_get(allocator, sizeof *block);
        if (block == NULL) {
            allocator_put(allocator, memory, bytes);
            return error_no_memory(error, "a result");
        }
        block->next = read->more_owned;
        block->count = 0;
        read->more_owned = block;
    }
    block->items[block->count++] = item;
    return KNACKDB_OK;
}

uint64_t
knackdb_read_sequence(const knackdb_read *read)
{
    return read->view.sequence;
}

/* ---- rows by key ---- */

static knackdb_status
find_by_key(knackdb_read *read, int table, uint32_t key_index, const knackdb_value *key, knackdb_row *ret_row)
{
    uint64_t       begun = operation_begin(&read->db->operations);
    row_number     row;
    knackdb_status status = handle_check(read->db, NULL);

    if (status != KNACKDB_OK)
        return status;
    status = view_find_by_key(&read->view, (uint32_t) table, key_index, key, &row);
    if (status == KNACKDB_OK)
        *ret_row = row;
    operation_end(&read->db->operations, KNACKDB_OPERATION_GET, begun, table, status == KNACKDB_OK);
    return status;
}

knackdb_status
knackdb_read_by_id(knackdb_read *read, int table, int64_t id, knackdb_row *ret_row)
{
    uint64_t       begun = operation_begin(&read->db->operations);
    row_number     row;
    knackdb_status status;

    if (table < 0 || (size_t) table >= knackdb_table_count())
        return KNACKDB_NOT_FOUND;
    status = handle_check(read->db, NULL);
    if (status != KNACKDB_OK)
        return status;
    status = view_find_by_id(&read->view, (uint32_t) table, id, &row);
    if (status == KNACKDB_OK)
        *ret_row = row;
    operation_end(&read->db->operations, KNACKDB_OPERATION_GET, begun, table, status == KNACKDB_OK);
    return status;
}

knackdb_status
knackdb_read_by_external_id(knackdb_read *read, knackdb_text external_id, knackdb_row *ret_row)
{
    knackdb_value key = knackdb_value_text(external_id);

    return find_by_key(read, KNACKDB_EXECUTION_PATTERNS,
                       key_on(KNACKDB_EXECUTION_PATTERNS, KNACKDB_PATTERN_EXTERNAL_ID), &key, ret_row);
}

knackdb_status
knackdb_read_by_preference(knackdb_read *read, knackdb_text type, knackdb_text value, knackdb_row *ret_row)
{
    knackdb_value key[] = { knackdb_value_text(type), knackdb_value_text(value) };

    return find_by_key(read, KNACKDB_USER_PREFERENCES, key_on(KNACKDB_USER_PREFERENCES, KNACKDB_PREFERENCE_TYPE), key,
                       ret_row);
}

/* ---- cells ---- */

#define ASKED_LATER 8u /* rows that are asked for together, when as many are left of those asked for before */

/* More rows of an answer, in the columns that the rows before were read in. Those passed over are not asked for. */
static void __attribute__((noinline))
ask_ahead(knackdb_read *read, size_t rows)
{
    struct read_answer  *answer = &read->answer;
    uint64_t             columns = read->habit.now | read->habit.before;
    const unsigned char *later[READ_ASKED_FIRST];
    bool                 is_first;

    if (columns == 0)
        return;
    if (answer->asked < answer->at)
        answer->asked = answer->at;
    if (rows > answer->count - answer->asked)
        rows = answer->count - answer->asked;
    is_first = answer->asked == 0;
    view_ask_cells(&read->view, (uint32_t) answer->table, answer->rows + answer->asked, rows, columns,
                   is_first ? answer->groups : later);
    if (is_first)
        answer->grouped = (uint32_t) rows;
    answer->asked += rows;
}

void
read_answer_begin(knackdb_read *read, int table, const struct row_list *list)
{
    struct read_habit *habit = &read->habit;

    assert(list->carried == NULL ||
           (table == KNACKDB_PERFORMANCE_METRICS &&
            schema_builtin()->tables[table].columns[KNACKDB_METRIC_COMPONENT_NAME].carries == METRIC_COLUMNS_CARRIED));
    if (habit->table != table)
        *habit = (struct read_habit) { .table = table };
    if (habit->now != 0)
        habit->before = habit->now;
    habit->now = 0;
    answer_set(&read->answer, table, list);
    if (list->carried == NULL)
        ask_ahead(read, READ_ASKED_FIRST);
}

static bool __attribute__((noinline))
is_seen(const knackdb_read *read, int table, knackdb_row row)
{
    return table >= 0 && (size_t) table < knackdb_table_count() && view_has_row(&read->view, (uint32_t) table, row);
}

/* The row is the next of the answer. */
static inline bool
is_next(const struct read_answer *answer, int table, knackdb_row row)
{
    return answer->at < answer->count && answer->rows[answer->at] == row && answer->table == table;
}

/* Whether there is such a row, of which these columns are read now. An answer is mostly read from its first row to its
 * last: nothing has to be asked about the next one, and those behind it are on their way. */
static inline bool
is_there(knackdb_read *read, int table, knackdb_row row, uint64_t columns)
{
    struct read_answer *answer = &read->answer;

    if (is_next(answer, table, row)) {
        read->habit.now |= columns;
        if (answer->at++ + ASKED_LATER >= answer->asked && answer->asked < answer->count)
            ask_ahead(read, answer->asked != 0 ? ASKED_LATER : READ_ASKED_FIRST);
        return true;
    }
    return is_seen(read, table, row);
}

/* The next row of the answer, from where it is known to stand; no other table has lists that carry cells. */
static inline __attribute__((always_inline)) bool
read_carried_metric(knackdb_read *read, knackdb_row row, knackdb_metric *ret_metric)
{
    struct read_answer       *answer = &read->answer;
    const struct carried     *carried = answer->carried;
    const struct carried_row *from;

    if (carried == NULL || !is_next(answer, KNACKDB_PERFORMANCE_METRICS, row))
        return false;
    from = &carried->rows[answer->at];
    if (from->cells == NULL)
        return false;
    answer->at++;
    metric_from_cells(&read->view, carried, from, (row_number) row, ret_metric);
    return true;
}

void
read_struct(knackdb_read *read, int table, knackdb_row row, void *ret_row)
{
    const struct row_layout *layout = row_layout_of(table);
    uint64_t                 nulls = UINT64_MAX;

    if (table == KNACKDB_PERFORMANCE_METRICS && read_carried_metric(read, row, ret_row))
        return;
    if (is_there(read, table, row, UINT64_MAX)) {
        view_struct(&read->view, (uint32_t) table, (row_number) row, layout, ret_row);
        return;
    }
    memset(ret_row, 0, layout->struct_bytes); /* no row that this view gave: nothing but NULL */
    memcpy((char *) ret_row + layout->nulls_offset, &nulls, sizeof nulls);
}

void
knackdb_read_pattern(knackdb_read *read, knackdb_row row, knackdb_pattern *ret_pattern)
{
    read_struct(read, KNACKDB_EXECUTION_PATTERNS, row, ret_pattern);
}

void
knackdb_read_preference(knackdb_read *read, knackdb_row row, knackdb_preference *ret_preference)
{
    read_struct(read, KNACKDB_USER_PREFERENCES, row, ret_preference);
}

void
knackdb_read_metric(knackdb_read *read, knackdb_row row, knackdb_metric *ret_metric)
{
    if (!read_carried_metric(read, row, ret_metric))
        read_struct(read, KNACKDB_PERFORMANCE_METRICS, row, ret_metric);
}

/* Apart, so that the other values of a row cost no more than themselves. */
static bool __attribute__((noinline))
turn_to(knackdb_read *read, int table, knackdb_row row)
{
    if (!is_there(read, table, row, 0))
        return false;
    read->row = (struct read_row) { view_row_place(&read->view, (uint32_t) table, (row_number) row), row, table };
    return true;
}

knackdb_value
knackdb_read_value(knackdb_read *read, int table, knackdb_row row, uint32_t column)
{
    const struct read_row *last = &read->row;

    if (__builtin_expect(last->row != row || last->table != table || last->place.group == NULL, 0) &&
        !turn_to(read, table, row))
        return knackdb_value_null();
    if (table == read->habit.table)
        read->habit.now |= KNACKDB_BIT(column % 64);
    return view_value_at(&last->place, column);
}

void
knackdb_read_values(knackdb_read *read, int table, knackdb_row row, size_t column_count, knackdb_value *ret_values)
{
    size_t   known = 0;
    uint64_t columns = column_count < 64 ? KNACKDB_BIT(column_count) - 1 : UINT64_MAX;

    if (is_there(read, table, row, columns)) {
        known = schema_builtin()->tables[table].column_count;
        view_cells(&read->view, (uint32_t) table, (row_number) row, column_count < known ? column_count : known,
                   ret_values);
    }
    for (size_t c = known; c < column_count; c++)
        ret_values[c] = knackdb_value_null();
}

/* ---- columns ---- */

/* Whether they are rows of the answer under way, and so the view's; and from which on. Their bytes are its own. */
static inline bool
are_of_answer(const struct read_answer *answer, const struct column_cells *asked, size_t *ret_first)
{
    uintptr_t before = (uintptr_t) asked->rows - (uintptr_t) answer->rows;

    *ret_first = before / sizeof *asked->rows;
    return answer->table == (int) asked->table && *ret_first < answer->count && before % sizeof *asked->rows == 0 &&
           asked->count <= answer->count - *ret_first;
}

static inline __attribute__((always_inline)) knackdb_status
read_column(knackdb_read *read, int table, uint32_t column, knackdb_type type, const knackdb_row *rows, size_t count,
            void *ret_cells, bool *ret_nulls, knackdb_error *error)
{
    const struct schema      *schema = store_schema(read->view.store);
    const struct read_answer *answer = &read->answer;
    const struct table       *definition;
    struct column_cells       asked;
    size_t                    first;

    if (table < 0 || (uint32_t) table >= schema->table_count)
        return error_set(error, KNACKDB_INVALID, "rows: no table %d", table);
    definition = &schema->tables[table];
    if (column >= definition->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: no column %" PRIu32, definition->name, column);
    if (definition->columns[column].type != type)
        return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s is of another type", definition->name,
                                definition->columns[column].name);
    asked = (struct column_cells) { .table = (uint32_t) table,
                                    .column = column,
                                    .rows = rows,
                                    .count = count,
                                    .ret_cells = ret_cells,
                                    .ret_nulls = ret_nulls };
    asked.is_given = are_of_answer(answer, &asked, &first);
    if (asked.is_given && first < answer->grouped) {
        asked.groups = answer->groups + first;
        asked.group_count = answer->grouped - first;
    }
    if (asked.is_given) {
        asked.led = answer->led;
        asked.led_at = first;
    }
    if (view_column(&read->view, &asked) && table == read->habit.table)
        read->habit.now |= KNACKDB_BIT(column);
    return KNACKDB_OK;
}

knackdb_status
knackdb_read_integers(knackdb_read *read, int table, uint32_t column, const knackdb_row *rows, size_t row_count,
                      int64_t *ret_integers, bool *ret_nulls, knackdb_error *error)
{
    return read_column(read, table, column, KNACKDB_INTEGER, rows, row_count, ret_integers, ret_nulls, error);
}

knackdb_status
knackdb_read_reals(knackdb_read *read, int table, uint32_t column, const knackdb_row *rows, size_t row_count,
                   double *ret_reals, bool *ret_nulls, knackdb_error *error)
{
    return read_column(read, table, column, KNACKDB_REAL, rows, row_count, ret_reals, ret_nulls, error);
}

knackdb_status
knackdb_read_texts(knackdb_read *read, int table, uint32_t column, const knackdb_row *rows, size_t row_count,
                   knackdb_text *ret_texts, bool *ret_nulls, knackdb_error *error)
{
    return read_column(read, table, column, KNACKDB_TEXT, rows, row_count, ret_texts, ret_nulls, error);
}

double
knackdb_score(double success_rate, int64_t usage_count, double confidence_score, double updated_at, uint64_t nulls,
              double now, double half_life_seconds)
{
    return score_value(success_rate, usage_count, confidence_score, updated_at, nulls, now, half_life_seconds);
}
