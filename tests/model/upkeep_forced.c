/* upkeep_forced.c - memory is given back between any two operations, some slices, for a handful of dead rows.
 *
 * So rows move, chunks go and their numbers, codes and ids are given again all the time, under views that are
 * open; and a slice often ends in the middle of a chunk, with a change to follow. In the end, with everything deleted
 * and no view open, nothing may be left. */
#include "history.h"

#include "api/handle.h"
#include "core/reclaim.h"

#include <inttypes.h>
#include <unistd.h>

#define ROWS_MIN 6

void
history_upkeep_begin(struct history *history)
{
    store_reclaim_by_hand(history->db->store, ROWS_MIN);
}

void
history_upkeep(struct history *history)
{
    uint32_t slices = random_below(&history->random, 4) == 0 ? random_below(&history->random, 40)
                                                             : random_below(&history->random, 3);

    while (slices-- > 0 && store_reclaim(history->db->store) == RECLAIM_GOES_ON)
        continue;
}

bool
history_upkeep_end(struct history *history)
{
    const struct store_table_figures *tables;
    struct store_figures              figures;

    do { /* a snapshot that is being written is a reader, too; it ends */
        store_get_figures(history->db->store, &figures);
        while (store_reclaim(history->db->store) == RECLAIM_GOES_ON)
            continue;
    } while (figures.reader_count != 0 && usleep(1000) == 0);
    store_get_figures(history->db->store, &figures);
    tables = figures.tables;
    for (int table = 0; table < MODEL_TABLES; table++)
        /* What is dead lies in chunks of which most lives, or is too little. */
        if (tables[table].version_count > 2 * tables[table].row_count + 2 * ROWS_MIN)
            return history_fails(history, "%" PRIu64 " versions are kept for %" PRIu64 " rows of %s",
                                 tables[table].version_count, tables[table].row_count,
                                 knackdb_table_describe(table)->name);
    return true;
}
