/* versions.c - directories of other schema versions: read by name, migrated, refused. */
#include "tests/persist/bench.h"

#include "persist/manifest_files.h"
#include "persist/migrating.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A directory of a version with 30 rows, ten of them in a snapshot, some in the log behind it. */
static void
make_directory(const char *path, uint32_t version)
{
    struct kept kept;

    kept_must_open(&kept, path, version, NULL);
    bench_put_many(kept.store, 1, 10);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    bench_put_many(kept.store, 11, 30);
    kept_close(&kept);
}

/* The rows as version 3 must see what version 1 wrote. */
static void
assert_rows_of_1_in_3(struct store *store)
{
    struct view   view;
    row_number    row;
    knackdb_value key = knackdb_value_integer(7);
    knackdb_value value;

    cr_assert_eq(store_sequence(store), 30);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (int64_t id = 1; id <= 30; id++) {
        key = knackdb_value_integer(id);
        cr_assert_eq(view_find_by_key(&view, 0, 0, &key, &row), KNACKDB_OK);
        value = view_cell(&view, 0, row, 1); /* title, once name */
        cr_assert_eq(value.type, id % 5 == 0 ? KNACKDB_NULL : KNACKDB_TEXT);
        value = view_cell(&view, 0, row, 2);
        cr_assert_eq(value.type, id % 7 == 0 ? KNACKDB_NULL : KNACKDB_INTEGER);
        if (value.type == KNACKDB_INTEGER)
            cr_assert_eq(value.as.integer, id * id - 1000);
        value = view_cell(&view, 0, row, 5); /* extra, which came after them; `old` stood here */
        cr_assert_eq(value.type, KNACKDB_NULL);
    }
    view_end(&view);
}

Test(versions, an_older_directory_is_migrated_by_name)
{
    char            path[SCRATCH_PATH_MAX];
    struct kept     kept;
    struct manifest manifest;
    struct dir      dir;

    scratch_make(path);
    make_directory(path, 1);
    kept_must_open(&kept, path, 3, NULL);
    assert_rows_of_1_in_3(kept.store);
    bench_put_many(kept.store, 31, 35); /* with the new column */
    kept_close(&kept);

    manifest_init(&manifest, &kept.allocator);
    cr_assert_eq(dir_open(disk_posix(), path, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(manifest_file_read_newest(&manifest, &dir, NULL), KNACKDB_OK);
    cr_assert_eq(manifest.schema_version, 3);
    cr_assert_eq(manifest.migration_count, 1);
    cr_assert_eq(manifest.migrations[0].from_version, 1);
    cr_assert_eq(manifest.migrations[0].to_version, 3);
    cr_assert_gt(manifest.migrations[0].time_us, 1700000000000000);
    cr_assert_eq(manifest.part_count, 1, "no row was rewritten");
    manifest_clear(&manifest);
    dir_close(&dir);

    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 35);
    cr_assert_eq(keeper_snapshot(kept.keeper, NULL), KNACKDB_OK);
    kept_close(&kept);
    kept_must_open(&kept, path, 3, NULL);
    cr_assert_eq(store_sequence(kept.store), 35);
    kept_close(&kept);
    scratch_remove(path);
}

/* Each is remembered, in what is copied and in what comes later, too. */
Test(versions, migrations_follow_each_other)
{
    char            folder[SCRATCH_PATH_MAX];
    char            path[SCRATCH_PATH_MAX];
    char            copy[SCRATCH_PATH_MAX];
    struct kept     kept;
    struct manifest manifest;
    struct dir      dir;

    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(copy, folder, "copy");
    make_directory(path, 1);
    for (uint32_t version = 2; version <= 3; version++) {
        kept_must_open(&kept, path, version, NULL);
        cr_assert_eq(store_sequence(kept.store), 30);
        if (version == 3)
            cr_assert_eq(keeper_backup(kept.keeper, copy, NULL, &kept.error), KNACKDB_OK, "%s", kept.error.message);
        kept_close(&kept);
    }
    for (int which = 0; which < 2; which++) {
        manifest_init(&manifest, &kept.allocator);
        cr_assert_eq(dir_open(disk_posix(), which == 0 ? path : copy, &dir, NULL), KNACKDB_OK);
        cr_assert_eq(manifest_file_read_newest(&manifest, &dir, NULL), KNACKDB_OK);
        cr_assert_eq(manifest.migration_count, 2);
        for (uint32_t i = 0; i < 2; i++) {
            cr_assert_eq(manifest.migrations[i].from_version, 1 + i);
            cr_assert_eq(manifest.migrations[i].to_version, 2 + i);
        }
        manifest_clear(&manifest);
        dir_close(&dir);
        kept_must_open(&kept, which == 0 ? path : copy, 3, NULL);
        assert_rows_of_1_in_3(kept.store);
        kept_close(&kept);
    }
    scratch_remove(folder);
}

Test(versions, read_only_takes_an_older_one_as_it_is)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;
    uint64_t              digest;

    scratch_make(path);
    make_directory(path, 1);
    digest = directory_digest(path, true);
    options.read_only = true;
    kept_must_open(&kept, path, 3, &options);
    assert_rows_of_1_in_3(kept.store);
    kept_close(&kept);
    cr_assert_eq(directory_digest(path, true), digest);
    scratch_remove(path);
}

Test(versions, a_newer_one_is_refused_and_left_untouched)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    char                  lock[SCRATCH_PATH_MAX];
    struct kept           kept;
    uint64_t              digest;

    scratch_make(path);
    make_directory(path, 2);
    scratch_join(lock, path, "knackdb.lock");
    cr_assert_eq(remove(lock), 0);
    digest = directory_digest(path, true);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(kept_open(&kept, path, 1, &options), KNACKDB_UNSUPPORTED);
        cr_assert_not_null(strstr(kept.error.message, "version 2"), "%s", kept.error.message);
        cr_assert_eq(directory_digest(path, true), digest);
        options.read_only = true;
    }
    scratch_remove(path);
}

Test(versions, no_migrate_refuses_an_older_one)
{
    struct keeper_options options = kept_options();
    char                  path[SCRATCH_PATH_MAX];
    struct kept           kept;

    scratch_make(path);
    make_directory(path, 1);
    options.no_migrate = true;
    cr_assert_eq(kept_open(&kept, path, 2, &options), KNACKDB_UNSUPPORTED);
    kept_must_open(&kept, path, 1, &options);
    cr_assert_eq(store_sequence(kept.store), 30);
    kept_close(&kept);
    scratch_remove(path);
}

/* Flags and format numbers of files that a later version may write, with right checksums: tests/golden holds whole
 * directories; here each kind of file by itself is in log_ends.c and blocks.c. What is left is migrate. */
struct steps {
    int  count;
    char text[2000];
};

static void
hear_step(void *context, const char *step)
{
    struct steps *heard = context;
    size_t        length = strlen(heard->text);

    heard->count++;
    (void) snprintf(heard->text + length, sizeof heard->text - length, "%s\n", step);
}

Test(versions, migrate_says_its_steps_and_dry_runs_change_nothing)
{
    struct steps           heard = { 0 };
    struct migrate_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(3),
        .dry_run = true,
        .on_step = hear_step,
        .context = &heard,
    };
    char             path[SCRATCH_PATH_MAX];
    struct allocator allocator;
    struct kept      kept;
    uint64_t         digest;
    char             command[SCRATCH_PATH_MAX + 100];
    uint32_t         from = 0;

    allocator_init(&allocator, NULL);
    scratch_make(path);
    make_directory(path, 1);
    (void) snprintf(command, sizeof command, "chmod 0640 '%s'/*", path); /* as of a program whose option says so */
    cr_assert_eq(system(command), 0);
    digest = directory_digest(path, true);
    cr_assert_eq(migrate_directory(&allocator, path, &options, &from, NULL), KNACKDB_OK);
    cr_assert_eq(from, 1);
    cr_assert_eq(heard.count, 4);
    cr_assert_not_null(strstr(heard.text, "title"), "%s", heard.text);
    cr_assert_eq(directory_digest(path, true), digest);

    options.dry_run = false;
    cr_assert_eq(migrate_directory(&allocator, path, &options, &from, NULL), KNACKDB_OK);
    cr_assert_eq(from, 1);
    cr_assert_eq(heard.count, 8);
    cr_assert_eq(migrate_directory(&allocator, path, &options, &from, NULL), KNACKDB_OK);
    cr_assert_eq(from, 3);
    cr_assert_eq(heard.count, 8);
    (void) snprintf(command, sizeof command, "test -z \"$(find '%s' -type f ! -perm 0640)\"", path);
    cr_assert_eq(system(command), 0, "who could read it still can");
    kept_must_open(&kept, path, 3, NULL);
    assert_rows_of_1_in_3(kept.store);
    kept_close(&kept);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    scratch_remove(path);
}
