/* bench.c - see bench.h. */
#define _GNU_SOURCE
#include "tests/persist/bench.h"

#include "base/hash.h"
#include "persist/file_name.h"
#include "persist/log_format.h"
#include "persist/replay_log.h"
#include "persist/store_id.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- schema ---- */

#define ID_KEY   { .columns = { 0 }, .column_count = 1, .conflict = KEY_REPLACES }
#define NAME_KEY { .columns = { 1 }, .column_count = 1, .conflict = KEY_REPLACES }

static const struct table things_1[] = { {
    .name = "things",
    .column_count = 6,
    .columns = {
        { .name = "id", .type = KNACKDB_INTEGER, .since_version = 1 },
        { .name = "name", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .since_version = 1 },
        { .name = "size", .type = KNACKDB_INTEGER, .since_version = 1 },
        { .name = "weight", .type = KNACKDB_REAL, .since_version = 1 },
        { .name = "note", .type = KNACKDB_TEXT, .storage = TEXT_DICTIONARY, .since_version = 1 },
        { .name = "old", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .since_version = 1 },
    },
    .key_count = 2,
    .keys = { ID_KEY, NAME_KEY },
    .age_column = -1,
} };

static const struct table places = {
    .name = "places",
    .column_count = 2,
    .columns = {
        { .name = "id", .type = KNACKDB_INTEGER, .since_version = 2 },
        { .name = "where_at", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .since_version = 2 },
    },
    .key_count = 1,
    .keys = { ID_KEY },
    .age_column = -1,
};

static const struct migration_step steps[] = {
    { .to_version = 2, .kind = MIGRATION_RENAME_COLUMN, .table = "things", .name = "name", .new_name = "title" },
    { .to_version = 2,
      .kind = MIGRATION_ADD_COLUMN,
      .table = "things",
      .name = "extra",
      .column = { .name = "extra", .type = KNACKDB_TEXT, .storage = TEXT_OWN, .since_version = 2 } },
    { .to_version = 2, .kind = MIGRATION_ADD_TABLE, .table = "places", .new_table = &places },
    { .to_version = 3, .kind = MIGRATION_DROP_COLUMN, .table = "things", .name = "old" },
};

const struct schema_history *
bench_history(void)
{
    static const struct schema_history history = {
        .tables = things_1,
        .table_count = 1,
        .steps = steps,
        .step_count = sizeof steps / sizeof steps[0],
        .version = 3,
    };

    return &history;
}

static struct schema  schemas[3];
static pthread_once_t schemas_once = PTHREAD_ONCE_INIT;

static void
build_schemas(void)
{
    for (uint32_t version = 1; version <= 3; version++) {
        knackdb_error error = { 0 };

        cr_assert_eq(schema_build(bench_history(), version, &schemas[version - 1], &error), KNACKDB_OK, "%s",
                     error.message);
    }
}

const struct schema *
bench_schema(uint32_t version)
{
    (void) pthread_once(&schemas_once, build_schemas);
    return &schemas[version - 1];
}

/* ---- stores ---- */

static void
hear_message(void *context, knackdb_severity severity, const char *message)
{
    struct kept *kept = context;
    size_t       length = strlen(kept->messages);

    (void) severity;
    (void) snprintf(kept->messages + length, sizeof kept->messages - length, "%s\n", message);
}

struct keeper_options
kept_options(void)
{
    return (struct keeper_options) {
        .flush_interval_ms = 60000,
        .snapshot_log_bytes = UINT64_MAX,
        .history = bench_history(),
    };
}

knackdb_status
kept_open(struct kept *kept, const char *path, uint32_t version, const struct keeper_options *options)
{
    struct keeper_options own = options != NULL ? *options : kept_options();
    knackdb_status        status;

    memset(kept, 0, sizeof *kept);
    allocator_init(&kept->allocator, NULL);
    own.log_message = hear_message;
    own.log_context = kept;
    cr_assert_eq(store_new(&kept->allocator, bench_schema(version), &kept->store, NULL), KNACKDB_OK);
    status = keeper_open(&kept->allocator, path, &own, kept->store, &kept->keeper, &kept->error);
    if (status != KNACKDB_OK) {
        store_free(kept->store);
        cr_assert_eq(atomic_load(&kept->allocator.bytes), 0, "%" PRIu64 " bytes leaked by a failed open",
                     atomic_load(&kept->allocator.bytes));
    }
    return status;
}

void
kept_must_open(struct kept *kept, const char *path, uint32_t version, const struct keeper_options *options)
{
    knackdb_status status = kept_open(kept, path, version, options);

    cr_assert_eq(status, KNACKDB_OK, "%s", kept->error.message);
}

void
kept_close(struct kept *kept)
{
    knackdb_status status = keeper_close(kept->keeper, &kept->error);

    store_free(kept->store);
    cr_assert_eq(status, KNACKDB_OK, "%s", kept->error.message);
    cr_assert_eq(atomic_load(&kept->allocator.bytes), 0, "%" PRIu64 " bytes leaked",
                 atomic_load(&kept->allocator.bytes));
}

void
kept_copy(const char *path, const char *folder, const char *name, char copy[PATH_MAX_BYTES])
{
    scratch_join(copy, folder, name);
    scratch_remove(copy);
    scratch_copy(path, copy);
}

knackdb_status
bench_try_put(struct store *store, int64_t number, knackdb_error *error)
{
    static const char *const notes[] = { "red", "green", "", "blue" };
    const struct schema     *schema = store_schema(store);
    knackdb_value            values[KNACKDB_COLUMNS_MAX];
    char                     name[40];
    char                     text[80];

    (void) snprintf(name, sizeof name, "thing number %" PRId64, number);
    (void) snprintf(text, sizeof text, "text \"%" PRId64 "\", with\nlines and \xc3\xa4", number * 7919);
    values[0] = knackdb_value_integer(number);
    values[1] = number % 5 == 0 ? knackdb_value_null() : knackdb_value_text(knackdb_string(name));
    values[2] = number % 7 == 0 ? knackdb_value_null() : knackdb_value_integer(number * number - 1000);
    values[3] = number % 3 == 0 ? knackdb_value_null() : knackdb_value_real((double) number / 3.0);
    values[4] = number % 4 == 0 ? knackdb_value_null() : knackdb_value_text(knackdb_string(notes[number % 4]));
    values[5] = knackdb_value_text(knackdb_string(number % 2 == 0 ? "" : text));
    values[6] = knackdb_value_text(knackdb_string("extra"));
    if (schema->version >= 3)
        values[5] = values[6];
    return store_put_rows(store, 0, values, schema->tables[0].column_count, 1, 0, NULL, NULL, error);
}

void
bench_put(struct store *store, int64_t number)
{
    knackdb_error error = { 0 };

    cr_assert_eq(bench_try_put(store, number, &error), KNACKDB_OK, "%s", error.message);
}

void
bench_put_many(struct store *store, int64_t first, int64_t last)
{
    for (int64_t number = first; number <= last; number++)
        bench_put(store, number);
}

/* ---- dumps ---- */

struct listed_row {
    int64_t    id;
    row_number row;
};

static int
compare_rows(const void *left, const void *right)
{
    const struct listed_row *a = left;
    const struct listed_row *b = right;

    return a->id < b->id ? -1 : a->id > b->id;
}

static void
print_value(FILE *out, const knackdb_value *value)
{
    switch (value->type) {
    case KNACKDB_NULL: (void) fputs("|NULL", out); break;
    case KNACKDB_INTEGER: (void) fprintf(out, "|i%" PRId64, value->as.integer); break;
    case KNACKDB_REAL: (void) fprintf(out, "|r%a", value->as.real); break;
    case KNACKDB_TEXT:
        (void) fprintf(out, "|t%zu:", value->as.text.length);
        (void) fwrite(value->as.text.data, 1, value->as.text.length, out);
        break;
    }
}

static void
dump_table(FILE *out, const struct view *view, uint32_t table)
{
    const struct table *definition = &store_schema(view->store)->tables[table];
    struct listed_row  *rows = NULL;
    size_t              count = 0;
    size_t              capacity = 0;

    for (row_number row = view_next_row(view, table, 0); row != ROW_NONE; row = view_next_row(view, table, row + 1)) {
        if (count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            rows = realloc(rows, capacity * sizeof *rows);
            cr_assert_not_null(rows);
        }
        rows[count].id = view_cell(view, table, row, 0).as.integer;
        rows[count++].row = row;
    }
    if (count > 0)
        qsort(rows, count, sizeof *rows, compare_rows);
    (void) fprintf(out, "%s %zu\n", definition->name, count);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t column = 0; column < definition->column_count; column++) {
            knackdb_value value = view_cell(view, table, rows[i].row, column);

            print_value(out, &value);
        }
        (void) fputc('\n', out);
    }
    free(rows);
}

struct replay_log *
bench_open_log(struct allocator *allocator, const char *path)
{
    struct replay_log *log = NULL;
    knackdb_error      error = { 0 };

    cr_assert_eq(replay_log_open(allocator, disk_posix(), path, bench_history(), bench_schema(1), &log, &error),
                 KNACKDB_OK, "%s", error.message);
    return log;
}

char *
bench_dump(struct store *store)
{
    char       *text = NULL;
    size_t      bytes = 0;
    FILE       *out = open_memstream(&text, &bytes);
    struct view view;

    cr_assert_not_null(out);
    cr_assert_eq(view_begin(store, &view, NULL), KNACKDB_OK);
    for (uint32_t table = 0; table < store_schema(store)->table_count; table++)
        dump_table(out, &view, table);
    view_end(&view);
    (void) fclose(out);
    return text;
}

bool
bench_same(struct store *left, const char *dump)
{
    char *own = bench_dump(left);
    bool  same = strcmp(own, dump) == 0;

    free(own);
    return same;
}

/* ---- files ---- */

struct bytes
bytes_read(const char *directory, const char *name)
{
    char         path[SCRATCH_PATH_MAX];
    struct bytes bytes = { 0 };
    struct stat  about;
    int          fd;

    scratch_join(path, directory, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &about) == 0, "%s: %d", path, errno);
    bytes.count = (size_t) about.st_size;
    bytes.data = malloc(bytes.count + 1);
    cr_assert_eq(read(fd, bytes.data, bytes.count), (ssize_t) bytes.count);
    (void) close(fd);
    return bytes;
}

void
bytes_write(const char *directory, const char *name, const void *data, size_t count)
{
    char path[SCRATCH_PATH_MAX];
    int  fd;

    scratch_join(path, directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0, "%s: %d", path, errno);
    cr_assert_eq(write(fd, data, count), (ssize_t) count);
    (void) close(fd);
}

void
bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    bytes->data = NULL;
}

static int
compare_names(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

size_t
names_count(const char *directory, const char *prefix, char last[64])
{
    struct dirent **entries = NULL;
    int             count = scandir(directory, &entries, NULL, compare_names);
    size_t          matches = 0;

    cr_assert_geq(count, 0);
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0) {
            matches++;
            if (last != NULL)
                (void) snprintf(last, 64, "%.63s", entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return matches;
}

uint64_t
log_seed(const struct bytes *segment)
{
    struct log_head head;
    knackdb_error   error;

    cr_assert_eq(log_head_read(segment->data, segment->count, &head, &error), KNACKDB_OK, "%s", error.message);
    return store_id_seed(head.store_id, head.serial);
}

void
name_written_log(const char *directory, char name[64])
{
    uint64_t number;
    bool     is_written = false;

    cr_assert_geq(names_count(directory, "log-", name), 1);
    cr_assert_eq(file_name_read(name, &number), FILE_LOG);
    for (; !is_written; number--) {
        struct log_head head;
        knackdb_error   error;
        struct bytes    file;

        cr_assert_neq(number, 0, "no record in %s", directory);
        file_name_write(name, FILE_LOG, number);
        file = bytes_read(directory, name);
        if (log_head_read(file.data, file.count, &head, &error) == KNACKDB_OK) { /* else it is being made */
            struct log_record record = { 0 };
            size_t            rest = file.count - head.head_bytes;
            size_t            taken;

            is_written = log_record_read(file.data + head.head_bytes, rest, rest, log_seed(&file), &record, &taken) ==
                         LOG_WHOLE;
        }
        bytes_free(&file);
    }
}

uint64_t
directory_digest(const char *directory, bool with_lock)
{
    struct dirent **entries = NULL;
    int             count = scandir(directory, &entries, NULL, compare_names);
    uint64_t        digest = 0;

    cr_assert_geq(count, 0);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && (with_lock || strcmp(name, "knackdb.lock") != 0)) {
            struct bytes bytes = bytes_read(directory, name);

            digest = hash_bytes(name, strlen(name), digest);
            digest = hash_bytes(bytes.data, bytes.count, digest);
            bytes_free(&bytes);
        }
        free(entries[i]);
    }
    free(entries);
    return digest;
}
