/* oracle.c - see oracle.h. */
#include "tests/crash/oracle.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
add_cell(uint64_t digest, const knackdb_value *cell)
{
    digest = hash_integer(digest + (uint64_t) cell->type + 1);
    switch (cell->type) {
    case KNACKDB_NULL: return digest;
    case KNACKDB_INTEGER: return hash_integer(digest ^ (uint64_t) cell->as.integer);
    case KNACKDB_REAL: {
        uint64_t bits;

        memcpy(&bits, &cell->as.real, sizeof bits);
        return hash_integer(digest ^ bits);
    }
    case KNACKDB_TEXT:
        return hash_bytes(cell->as.text.length > 0 ? cell->as.text.data : "", cell->as.text.length, digest);
    }
    return digest;
}

uint64_t
moment_of_row(uint32_t table, const knackdb_value *cells, size_t count)
{
    uint64_t digest = table + 1;

    for (size_t i = 0; i < count; i++)
        digest = add_cell(digest, &cells[i]);
    return digest;
}

/* A sum: rows come in the order in which they were stored, which is not the same after a recovery. */
struct moment
moment_of(struct store *store)
{
    const struct schema *schema = store_schema(store);
    struct moment        moment = { 0 };
    struct view          view;
    knackdb_value        cells[KNACKDB_COLUMNS_MAX];

    if (view_begin(store, &view, NULL) != KNACKDB_OK)
        abort();
    for (uint32_t table = 0; table < schema->table_count; table++) {
        uint32_t   columns = schema->tables[table].column_count;
        row_number row = view_next_row(&view, table, 0);

        for (; row != ROW_NONE; row = view_next_row(&view, table, row + 1)) {
            view_cells(&view, table, row, columns, cells);
            moment.digest += moment_of_row(table, cells, columns);
        }
        moment.next_ids[table] = store_next_id(store, table);
    }
    view_end(&view);
    return moment;
}

void
oracle_note(struct oracle *oracle, struct store *store)
{
    uint64_t sequence = store_sequence(store);

    if (sequence >= ORACLE_MOMENTS_MAX)
        abort(); /* a history longer than it may be */
    oracle->moments[sequence] = moment_of(store);
    oracle->is_known[sequence] = true;
    oracle->begun = sequence;
}

bool
oracle_agrees(const struct oracle *oracle, struct store *store, char why[256])
{
    uint64_t      sequence = store_sequence(store);
    struct moment moment = moment_of(store);

    if (sequence < oracle->promised || sequence > oracle->begun) {
        (void) snprintf(why, 256, "commit %" PRIu64 " is the newest; %" PRIu64 " was promised, %" PRIu64 " begun",
                        sequence, oracle->promised, oracle->begun);
        return false;
    }
    if (moment.digest != oracle->moments[sequence].digest) {
        (void) snprintf(why, 256, "the rows are not those of commit %" PRIu64, sequence);
        for (uint64_t other = 0; other <= oracle->begun; other++) {
            if (oracle->moments[other].digest == moment.digest)
                (void) snprintf(why, 256, "the rows of commit %" PRIu64 " are those of %" PRIu64, sequence, other);
        }
        return false;
    }
    for (uint32_t table = 0; table < store_schema(store)->table_count; table++) {
        if (moment.next_ids[table] < oracle->moments[sequence].next_ids[table]) {
            (void) snprintf(why, 256, "the next id of table %u is %" PRId64 "; at commit %" PRIu64 " it was %" PRId64,
                            (unsigned) table, moment.next_ids[table], sequence,
                            oracle->moments[sequence].next_ids[table]);
            return false;
        }
    }
    return true;
}
