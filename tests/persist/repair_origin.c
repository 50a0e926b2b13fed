/* repair_origin.c - see repair_origin.h. */
#include "tests/persist/repair_origin.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- repairs ---- */

void
told_hear(void *context, const knackdb_loss *loss)
{
    struct told *told = context;
    size_t       used = strlen(told->text);

    (void) snprintf(told->text + used, sizeof told->text - used, "%d %s:%" PRIu64 " %s\n", (int) loss->kind, loss->file,
                    loss->offset, loss->reason);
    if (told->count < 64) {
        told->losses[told->count] = *loss;
        (void) snprintf(told->files[told->count], 64, "%s", loss->file);
    }
    told->count++;
}

knackdb_status
repair_to(const char *path, const char *to, uint32_t version, struct repaired *repaired)
{
    struct allocator      allocator;
    struct repair_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(version),
        .on_loss = told_hear,
        .context = &repaired->told,
    };
    knackdb_status status;

    memset(repaired, 0, sizeof *repaired);
    allocator_init(&allocator, NULL);
    status = repair_directory(&allocator, path, to, &options, &repaired->report, &repaired->error);
    cr_assert_eq(atomic_load(&allocator.bytes), 0, "%" PRIu64 " bytes leaked", atomic_load(&allocator.bytes));
    return status;
}

/* ---- the origin ---- */

static void
must_snapshot(struct kept *writer)
{
    cr_assert_eq(keeper_snapshot(writer->keeper, &writer->error), KNACKDB_OK, "%s", writer->error.message);
}

/* Two parts, and then some rows of each end. */
static void
make_ends(struct origin *origin, struct kept *writer, const char *path)
{
    static const int64_t  deleted[ENDED_IN_FIRST + ENDED_IN_SECOND] = { 3, 4, 9, 43, 47 };
    struct assignment     assignment = { .column = 2, .value = knackdb_value_integer(77) };
    struct keeper_options options = kept_options();
    char                  before[PATH_MAX_BYTES];

    must_snapshot(writer);
    kept_copy(path, origin->folder, "before", before);
    for (size_t i = 0; i < sizeof deleted / sizeof deleted[0]; i++)
        cr_assert_eq(store_delete(writer->store, 0, deleted[i], NULL, NULL), KNACKDB_OK);
    for (int64_t id = 20; id <= 50; id += 30) {
        knackdb_value key = knackdb_value_integer(id);

        cr_assert_eq(store_update(writer->store, 0, 0, &key, &assignment, 1, NULL, NULL), KNACKDB_OK);
    }
    must_snapshot(writer);
    options.read_only = true;
    kept_must_open(&origin->ended, before, 1, &options);
    origin->has_ended = true;
}

void
origin_make(struct origin *origin, enum origin_kind kind)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           writer;

    scratch_prefer_memory();
    scratch_make(origin->folder);
    scratch_join(path, origin->folder, "store");
    scratch_join(origin->to, origin->folder, "to");
    options.by_hand = true;
    options.log_segment_bytes_max = 4096;
    options.log_history_bytes = kind == ORIGIN_WITH_HISTORY ? UINT64_MAX : 0;
    kept_must_open(&writer, path, 1, &options);
    bench_put_many(writer.store, 1, SNAPSHOT_ROWS);
    must_snapshot(&writer);
    bench_put_many(writer.store, SNAPSHOT_ROWS + 1, ALL_ROWS);
    cr_assert_eq(keeper_sync(writer.keeper, NULL), KNACKDB_OK);
    origin->has_ended = false;
    if (kind == ORIGIN_WITH_ENDS || kind == ORIGIN_WITH_HISTORY)
        make_ends(origin, &writer, path);
    if (kind == ORIGIN_KILLED)
        kept_copy(path, origin->folder, "sound", origin->sound);
    kept_close(&writer);
    if (kind != ORIGIN_KILLED)
        kept_copy(path, origin->folder, "sound", origin->sound);
    options = kept_options();
    options.read_only = true;
    kept_must_open(&origin->kept, origin->sound, 1, &options);
    origin->dump = bench_dump(origin->kept.store);
}

void
origin_remove(struct origin *origin)
{
    free(origin->dump);
    kept_close(&origin->kept);
    if (origin->has_ended)
        kept_close(&origin->ended);
    scratch_remove(origin->folder);
}

void
origin_damage_again(struct origin *origin)
{
    scratch_remove(origin->to);
    kept_copy(origin->sound, origin->folder, "damaged", origin->damaged);
}

void
origin_repair(struct origin *origin, struct repaired *repaired, struct kept *kept)
{
    struct keeper_options options = kept_options();
    uint64_t              before = directory_digest(origin->damaged, true);
    knackdb_status        status = repair_to(origin->damaged, origin->to, 1, repaired);

    cr_assert_eq(status, KNACKDB_OK, "%s", repaired->error.message);
    cr_assert_eq(directory_digest(origin->damaged, true), before, "the damaged directory was changed");
    options.read_only = true;
    kept_must_open(kept, origin->to, 1, &options);
}

/* ---- damage ---- */

void
write_damaged(const char *directory, const char *name, const struct bytes *file, enum damage damage, size_t at)
{
    unsigned char *copy = malloc(file->count + 1);

    memcpy(copy, file->data, file->count);
    if (damage == DAMAGE_FLIP)
        copy[at] ^= (unsigned char) (1u << at % 8);
    if (damage == DAMAGE_REMOVE)
        memmove(copy + at, copy + at + 1, file->count - at - 1);
    bytes_write(directory, name, copy,
                damage == DAMAGE_FLIP     ? file->count
                : damage == DAMAGE_REMOVE ? file->count - 1
                                          : at);
    free(copy);
}

/* ---- comparing ---- */

/* A row of a repaired store, and what it was. */
static void
compare_row(const struct view *was, row_number old, const struct view *is, row_number row,
            struct difference *difference)
{
    for (uint32_t column = 0; column < 6; column++) {
        knackdb_value now = view_cell(is, 0, row, column);
        knackdb_value then = view_cell(was, 0, old, column);

        if (now.type == KNACKDB_NULL && then.type != KNACKDB_NULL) {
            difference->cells_null++;
            continue;
        }
        cr_assert_eq(now.type, then.type);
        if (now.type == KNACKDB_TEXT)
            cr_assert(now.as.text.length == then.as.text.length &&
                      memcmp(now.as.text.data, then.as.text.data, now.as.text.length) == 0);
        else
            cr_assert_eq(now.as.integer, then.as.integer);
    }
}

struct difference
origin_compare(struct origin *origin, struct store *store)
{
    struct difference difference = { 0 };
    struct view       was;
    struct view       ended;
    struct view       is;

    cr_assert_eq(view_begin(origin->kept.store, &was, NULL), KNACKDB_OK);
    cr_assert_eq(view_begin(store, &is, NULL), KNACKDB_OK);
    if (origin->has_ended)
        cr_assert_eq(view_begin(origin->ended.store, &ended, NULL), KNACKDB_OK);
    for (row_number row = view_next_row(&is, 0, 0); row != ROW_NONE; row = view_next_row(&is, 0, row + 1)) {
        knackdb_value id = view_cell(&is, 0, row, 0);
        row_number    old;

        if (view_find_by_key(&was, 0, 0, &id, &old) == KNACKDB_OK) {
            compare_row(&was, old, &is, row, &difference);
            continue;
        }
        cr_assert(origin->has_ended && view_find_by_key(&ended, 0, 0, &id, &old) == KNACKDB_OK,
                  "row %" PRId64 " was made up", id.as.integer);
        compare_row(&ended, old, &is, row, &difference);
        if (id.as.integer <= SNAPSHOT_ROWS)
            difference.back_first++;
        else
            difference.back_second++;
    }
    for (row_number row = view_next_row(&was, 0, 0); row != ROW_NONE; row = view_next_row(&was, 0, row + 1)) {
        knackdb_value id = view_cell(&was, 0, row, 0);
        row_number    now;

        difference.rows_gone += view_find_by_key(&is, 0, 0, &id, &now) != KNACKDB_OK;
    }
    if (origin->has_ended)
        view_end(&ended);
    view_end(&was);
    view_end(&is);
    return difference;
}

void
assert_told(const struct repaired *repaired, const struct difference *difference, const char *file, size_t byte)
{
    uint64_t commits = 0;
    uint64_t rows = 0;
    uint64_t values = 0;
    uint64_t ends = 0;
    uint64_t back = (uint64_t) difference->back_first + difference->back_second;

    for (size_t i = 0; i < repaired->told.count; i++) {
        const knackdb_loss *loss = &repaired->told.losses[i];

        cr_assert_str_eq(repaired->told.files[i], file, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
        if (loss->kind == KNACKDB_LOSS_COMMITS || loss->kind == KNACKDB_LOSS_TORN)
            commits += loss->last_sequence != 0 ? loss->last_sequence - loss->first_sequence + 1
                                                : ALL_ROWS + 1 - loss->first_sequence;
        if (loss->kind == KNACKDB_LOSS_ROWS)
            rows += loss->row_count;
        if (loss->kind == KNACKDB_LOSS_VALUES)
            values += loss->row_count;
        if (loss->kind == KNACKDB_LOSS_OPERATION)
            ends += loss->row_count;
    }
    cr_assert_eq(difference->rows_gone, commits + rows, "byte %zu of %s: %u rows gone:\n%s", byte, file,
                 difference->rows_gone, repaired->told.text);
    cr_assert_leq(difference->cells_null, values, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
    cr_assert_leq(back, ends, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
    cr_assert(back > 0 || ends == 0, "byte %zu of %s:\n%s", byte, file, repaired->told.text);
    cr_assert_eq(repaired->report.rows_lost, rows);
    cr_assert_eq(repaired->report.values_lost, values);
}
