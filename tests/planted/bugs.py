"""bugs.py - what could be wrong with the engine, one mistake at a time, and which tests must notice.

A bug is a place in one source file and what a tired engineer might have written there. `old` must occur in the file
exactly once: where it no longer does, the engine has moved on and the bug wants to be planted anew. `caught_by` are
runs of the suite's own programs, cut short; any of them that fails has caught it."""

from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    caught_by: tuple


# A hundred crash lives are not needed to find what every one of them shows.
POWER_LOSS = ("power_loss", "6000", "7")
LOG_ENDS = ("persist", "--filter", "log_ends/*")
MOMENTS = ("persist_moments",)
PARTS = ("core", "--filter", "parts/*")
STORES = ("core", "--filter", "store/*")
CLAIMS = ("model_claims",)
HISTORY = ("model_history", "20", "7")
RACES = ("stores_and_reads",)
KILLS = ("killed_at_points", "80", "7")
HEALING = ("persist_healing", "--filter", "healing/stores_while*")
GAPS = ("persist_healing", "--filter", "degraded/a_log_with*")
FOLLOWING = ("persist", "--filter", "following/*")
PAST = ("persist", "--filter", "history/*")
LOADING = ("core", "--filter", "load_run/*")
ENDS = ("persist_repairs", "--filter", "repair/*ends*")

# Between two stores that stand in the wrong order, so that a reader has its chance.
YIELD = "    { int sched_yield(void); (void) sched_yield(); }\n"

BUGS = [
    Bug("a sync is skipped", "persist/log_syncing.c",
        "knackdb_status status = log_segment_sync(segment, error);",
        "knackdb_status status = KNACKDB_OK;",
        (POWER_LOSS,)),
    Bug("a commit is acknowledged before it is synced", "persist/keeper.c",
        "return keeper->log != NULL ? log_writer_sync(keeper->log, sequence, error) : KNACKDB_OK;",
        "(void) sequence; (void) error; return keeper->log != NULL ? KNACKDB_OK : KNACKDB_OK;",
        (POWER_LOSS,)),
    Bug("a record's checksum is not compared", "persist/log_format.c",
        "if (!checksum_matches(bytes_get_u64(header + 32),",
        "if (false && !checksum_matches(bytes_get_u64(header + 32),",
        (LOG_ENDS,)),
    Bug("a block's checksum is not compared", "persist/block_decode.c",
        "return checksum_matches(bytes_get_u64((const unsigned char *) header + 40),",
        "return true || checksum_matches(bytes_get_u64((const unsigned char *) header + 40),",
        (("persist", "--filter", "snapshots/*"),)),
    Bug("damage is taken for a torn end", "persist/log_judging.c",
        "if (behind.testimony <= after ||",
        "if (true ||",
        (LOG_ENDS,)),
    Bug("a torn end is taken for damage", "persist/log_judging.c",
        "if (behind.testimony <= after ||",
        "if ((behind.testimony <= after && behind.torn_bytes == 0) ||",
        (LOG_ENDS, POWER_LOSS)),
    Bug("recovery goes on behind a bad record", "persist/log_reader.c",
        "status = segment_reader_next(&reader->reader, &ret_commit->record, error);",
        "status = segment_reader_next(&reader->reader, &ret_commit->record, error);\n"
        "            if (status == KNACKDB_NOT_FOUND && segment_reader_seek(&reader->reader, reader->reader.offset, 8, error) == KNACKDB_OK)\n"
        "                status = segment_reader_next(&reader->reader, &ret_commit->record, error);",
        (LOG_ENDS, POWER_LOSS)),
    Bug("the directory is not synced behind a manifest's rename", "persist/manifest_files.c",
        "        status = dir_rename(dir, unfinished, name, error);\n    if (status == KNACKDB_OK)\n        status = dir_sync(dir, error);",
        "        status = dir_rename(dir, unfinished, name, error);",
        (POWER_LOSS, MOMENTS)),
    Bug("a manifest names parts that were not synced", "persist/part_writer.c",
        "return status == KNACKDB_OK ? file_sync(&writer->file, error) : status;",
        "return status;",
        (POWER_LOSS,)),
    Bug("a snapshot says a later commit than it holds", "persist/snapshot_taker.c",
        "    next.made_at_us = begun_us;",
        "    next.made_at_us = begun_us;\n    next.sequence++;",
        (POWER_LOSS, KILLS)),
    Bug("a sweep takes the first segment that is needed", "persist/sweep.c",
        "return number < needed->log_serial;",
        "return number <= needed->log_serial;",
        (POWER_LOSS, KILLS)),
    Bug("replayed commits are not synced", "persist/log_settle.c",
        "return status == KNACKDB_OK ? file_sync(file, settling->error) : status;",
        "return status;",
        (POWER_LOSS,)),
    Bug("a segment's name is not synced before its commits count", "persist/log_syncing.c",
        "work.names = work.serial > writer->named;",
        "work.names = false;",
        (POWER_LOSS, MOMENTS)),
    Bug("a batch goes into the log in two records", "core/write.c",
        "        if (own == NULL)\n",
        "        if (r > 0 && r == row_count / 2) {\n"
        "            status = transaction_end(&transaction, status, ret_sequence, error);\n"
        "            transaction_begin(&transaction, store, true);\n"
        "        }\n        if (own == NULL)\n",
        (CLAIMS, POWER_LOSS, RACES)),
    Bug("a commit is seen before the log has it", "core/transaction.c",
        "    if (status == KNACKDB_OK && did_something && transaction->is_logged && store->log != NULL)",
        "    if (status == KNACKDB_OK && did_something)\n        publish(transaction);\n"
        "    if (status == KNACKDB_OK && did_something && transaction->is_logged && store->log != NULL)",
        (STORES,)),
    Bug("a version's end is stamped one commit too early", "core/transaction.c",
        "table_end_row(&store->tables[table], row, transaction->moment);",
        "table_end_row(&store->tables[table], row, moment_of_commit(transaction->sequence - 1));",
        (CLAIMS, HISTORY, RACES)),
    Bug("retired memory is freed an epoch too early", "core/epoch.c",
        "epochs->retired_head->epoch < oldest)",
        "epochs->retired_head->epoch <= oldest)",
        (PARTS,)),
    Bug("an index leads to a row that is not written yet", "core/table.c",
        "#define CELL(offset, type) ((type *) (void *) (group + (offset)) + place)\n",
        "#define CELL(offset, type) ((type *) (void *) (group + (offset)) + place)\n"
        "    if (places[0].mapped)\n        id_map_set(&table->ids, (int64_t) cells->bits[0], row);\n" + YIELD,
        (("same_rows", "100"),)),
    Bug("a posting list counts a row before it names it", "core/posting.c",
        "    count = count_of(rows);\n    if (directory == NULL) {",
        "    count = count_of(rows);\n"
        "    atomic_store_explicit(&rows->count, count + 1, memory_order_release);\n" + YIELD +
        "    if (directory == NULL) {",
        (("queries", "200"),)),
    Bug("a compacted posting list carries the cells of another row", "core/posting_compact.c",
        "run->cells + at * width",
        "run->cells",
        (("api", "--filter", "histories/*"), ("histories", "400"))),
    Bug("the newest rows end at one of the same moment", "core/newest.c",
        "age_of(newest, cells + i * width) < newest->last_age",
        "age_of(newest, cells + i * width) <= newest->last_age",
        (("api", "--filter", "histories/*"),)),
    Bug("a column that a part brought is taken for one that nobody gave", "core/load_run.c",
        "run->given & data->rare",
        "0 & data->rare",
        (("api", "--filter", "histories/*"),)),
    Bug("a search for the best rows stops a round early", "core/ranked.c",
        "collector->count >= collector->keep) /* K1 */",
        "collector->count >= collector->keep / 2) /* K1 */",
        (("api", "--filter", "ranking/*"),)),
    Bug("the best rows are without those stored since their leaders were made", "core/foremost.c",
        "told < list->count ? tag_floor(foremost) : INT16_MAX + 1;",
        "INT16_MAX + 1;",
        (("core", "--filter", "foremost/*"),)),
    Bug("rows behind the leaders that these do not suffice for are taken for better ones", "core/foremost.c",
        "    return floor > least ? floor : least;",
        "    return floor;",
        (("core", "--filter", "foremost/*"),)),
    Bug("leaders that are renewed tell of fewer rows than they are made of", "core/leaders.c",
        "        gathering->told = old->told;",
        "        (void) old;",
        (("core", "--filter", "leaders/*"),)),
    Bug("leaders of a list with rows that have no rate are taken for all of it", "core/leaders.c",
        "gathering.least == POSTING_TAG_LEAST + 1 && !gathering.has_null",
        "gathering.least == POSTING_TAG_LEAST + 1",
        (("core", "--filter", "leaders/*"), ("core", "--filter", "foremost/*"))),
    Bug("leaders that were made of a list as it was before compacting are published", "core/posting.c",
        "now != rows || leaders_of_rows(now) != old",
        "leaders_of_rows(now) != old",
        (("core", "--filter", "postings/*"),)),
    Bug("a column of the best rows is read of their neighbours", "core/view.c",
        "led->places + asked->led_at",
        "led->places",
        (("api", "--filter", "columns/*"),)),
    Bug("ids are given again after a restart", "persist/snapshot_taker.c",
        "next->tables[table].next_id = store_next_id(keeper->store, table);",
        "next->tables[table].next_id = store_next_id(keeper->store, table) > 3 ? 3 : 1;",
        (POWER_LOSS, ("persist", "--filter", "keeping/gives_no_id_twice"))),
    Bug("a log that heals counts as sound before its snapshot is there", "persist/log_mending.c",
        "atomic_store_explicit(&writer->condition, LOG_MENDING, memory_order_release);",
        "atomic_store_explicit(&writer->condition, LOG_SOUND, memory_order_release);",
        (HEALING,)),
    Bug("log that a failed sync may have lost is kept as it looks", "persist/log_mending.c",
        "        segment_list_doubt(&writer->kept, writer->current->serial, writer->current->synced);",
        "        (void) writer;",
        (GAPS,)),
    Bug("a follower takes a log that goes on elsewhere for the end", "persist/follower.c",
        "    *ret_doubt = next != 0;",
        "    *ret_doubt = false;",
        (FOLLOWING,)),
    Bug("a follower that reads anew keeps rows that are gone", "core/turning.c",
        "        status = transaction_delete(transaction, table, row, error);",
        "        if (view_find_by_key(from, table, 0, &id, &other) == KNACKDB_OK)\n"
        "            status = transaction_delete(transaction, table, row, error);",
        (FOLLOWING,)),
    Bug("a segment that ends one commit behind a snapshot goes with it", "persist/log_appending.c",
        "segment_list_finish(&writer->kept, sequence - 1);",
        "segment_list_finish(&writer->kept, sequence - 2);",
        (MOMENTS,)),
    Bug("a segment goes before its history is on stable storage", "persist/packed_file.c",
        "return status == KNACKDB_OK ? file_sync(to, error) : status;",
        "return status;",
        (POWER_LOSS,)),
    Bug("the newest history goes first", "persist/log_past.c",
        "return a > b ? -1 : a < b;",
        "return a < b ? -1 : a > b;",
        (PAST,)),
    Bug("the ends of a part's first rows are taken for those of later ones", "core/load_run.c",
        "uint64_t bit = place->ended_from + row;",
        "uint64_t bit = row;",
        (LOADING,)),
    Bug("a stored id that is there already is loaded again", "core/load_keys.c",
        "if (table_key_head(data, 0, &search) != ROW_NONE)",
        "if (false && table_key_head(data, 0, &search) != ROW_NONE)",
        (LOADING,)),
    Bug("an entry of ends is believed without its checksum", "persist/ends_format.c",
        "if (has_checksum && !checksum_matches(checksum,",
        "if (false && !checksum_matches(checksum,",
        (ENDS,)),
]
