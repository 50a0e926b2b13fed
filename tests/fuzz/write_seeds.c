/* write_seeds.c FOLDER - writes the seeds of the fuzz targets below FOLDER, one folder a target.
 *
 * Run by hand when a format has changed (`build/tests/fuzz/write_seeds tests/fuzz/seeds`); what it writes is
 * committed. The engine's own writers make the bytes, so a seed is what a decoder meets in life. SQLite's bytes
 * differ from version to version; its seeds are written again only with reason. */
#include "core/commit.h"
#include "persist/block_format.h"
#include "persist/ends_format.h"
#include "persist/log_format.h"
#include "persist/manifest.h"
#include "persist/part_format.h"
#include "persist/store_id.h"

#include <errno.h>
#include <lz4.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STORE_ID UINT64_C(0x1122334455667788)

static const char *root;

static _Noreturn void
fail(const char *what)
{
    perror(what);
    exit(1);
}

static void
seed_path(char path[4096], const char *target, const char *name)
{
    (void) snprintf(path, 4096, "%s/%s", root, target);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        fail(path);
    (void) snprintf(path, 4096, "%s/%s/%s", root, target, name);
}

static void
write_seed(const char *target, const char *name, const void *data, size_t bytes)
{
    char  path[4096];
    FILE *file;

    seed_path(path, target, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
        fail(path);
}

/* With a first byte that chooses table and step, as the import targets want it. */
static void
write_text(const char *target, const char *name, char first, const char *text)
{
    size_t length = strlen(text);
    char  *data = malloc(length + 1);

    if (data == NULL)
        fail("malloc");
    data[0] = first;
    memcpy(data + 1, text, length);
    write_seed(target, name, data, length + 1);
    free(data);
}

static knackdb_value
text_value(const char *text)
{
    return knackdb_value_text((knackdb_text) { text, strlen(text) });
}

/* ---- the log ---- */

/* Commits of every kind; `which` runs from 0 to 4. */
static void
make_commit(struct commit_writer *writer, int which)
{
    const uint32_t two[] = { 4, 12 };
    const uint32_t age[] = { 10 };
    /* clang-format off */
    knackdb_value  pattern[] = { knackdb_value_integer(7),    text_value("coding"),           text_value("direct"),
                                 knackdb_value_real(1.5),     knackdb_value_real(0.75),       knackdb_value_null(),
                                 knackdb_value_integer(-3),   text_value(""),
                                 text_value("[\"grep\",\"\\u00e9\"]"),
                                 text_value("{\"a\": 1}"),    knackdb_value_real(1.7e9),      knackdb_value_real(1.8e9),
                                 knackdb_value_integer(1),    text_value("pattern_0123abcd") };
    knackdb_value  preference[] = { knackdb_value_integer(1), text_value("editor"), text_value("vi"),
                                    knackdb_value_real(1), knackdb_value_integer(2), knackdb_value_real(1.7e9) };
    /* clang-format on */
    knackdb_value  update[] = { knackdb_value_real(0.5), knackdb_value_integer(9) };
    knackdb_value  bound[] = { knackdb_value_real(1.6e9) };
    bool           done = true;

    commit_writer_begin(writer);
    if (which == 0 || which == 4)
        done &= commit_writer_put(writer, KNACKDB_LOG_PUT, 0, 7, NULL, pattern, 14, NULL) == KNACKDB_OK;
    if (which == 1 || which == 4)
        done &= commit_writer_put(writer, KNACKDB_LOG_PUT, 1, 1, NULL, preference, 6, NULL) == KNACKDB_OK;
    if (which == 2 || which == 4)
        done &= commit_writer_put(writer, KNACKDB_LOG_UPDATE, 0, 7, two, update, 2, NULL) == KNACKDB_OK;
    if (which == 3 || which == 4) {
        done &= commit_writer_put(writer, KNACKDB_LOG_CLEAN_UP, 0, 0, age, bound, 1, NULL) == KNACKDB_OK;
        done &= commit_writer_put(writer, KNACKDB_LOG_DELETE, 2, 12, NULL, NULL, 0, NULL) == KNACKDB_OK;
    }
    if (!done)
        fail("commit_writer_put");
}

static void
put_record(struct byte_buffer *to, uint8_t kind, uint64_t sequence, const void *payload, size_t bytes)
{
    static const unsigned char zeros[8] = { 0 };
    unsigned char              header[LOG_RECORD_HEADER_BYTES];
    struct log_record          record = {
                 .kind = kind,
                 .payload_bytes = (uint32_t) bytes,
                 .sequence = sequence,
                 .time_us = 1700000000000000,
                 .durable = kind == LOG_RECORD_SEAL ? sequence : sequence - 1,
                 .payload = payload,
    };

    log_record_write_header(header, store_id_seed(STORE_ID, 1), &record);
    byte_buffer_put(to, header, sizeof header);
    byte_buffer_put(to, payload, bytes);
    byte_buffer_put(to, zeros, log_record_bytes(bytes) - LOG_RECORD_HEADER_BYTES - bytes);
}

static void
write_log_seeds(struct allocator *allocator)
{
    struct commit_writer commit;
    struct byte_buffer   segment;
    char                 name[40];
    size_t               head_bytes;

    commit_writer_init(&commit, allocator);
    byte_buffer_init(&segment, allocator);
    log_head_write(&segment, STORE_ID, 1, 0, 1700000000000000, schema_builtin());
    head_bytes = segment.bytes;
    write_seed("log_segment", "head", segment.data, segment.bytes);
    for (int i = 0; i < 5; i++) {
        make_commit(&commit, i);
        (void) snprintf(name, sizeof name, "commit-%d", i);
        write_seed("record", name, commit.data, commit.bytes);
        put_record(&segment, LOG_RECORD_COMMIT, (uint64_t) i + 1, commit.data, commit.bytes);
    }
    write_seed("log_segment", "five-commits", segment.data, segment.bytes);
    put_record(&segment, 200, 5, "of later", 8);
    put_record(&segment, LOG_RECORD_SEAL, 5, "", 0);
    write_seed("log_segment", "sealed", segment.data, segment.bytes);
    memset(segment.data + head_bytes + 8, 0, 120); /* a hole, whole records behind it */
    write_seed("log_segment", "torn", segment.data, segment.bytes);
    byte_buffer_clear(&segment);
    commit_writer_clear(&commit);
}

/* ---- snapshots ---- */

#define ROWS 40

static void
make_column(const struct column *column, uint32_t number, knackdb_value values[ROWS], char texts[ROWS][16])
{
    for (uint32_t row = 0; row < ROWS; row++) {
        if (number > 0 && (row + number) % 5 == 0) {
            values[row] = knackdb_value_null();
        } else if (column->type == KNACKDB_INTEGER) {
            values[row] = knackdb_value_integer(number == 0 ? (int64_t) row + 1 : (int64_t) row * row);
        } else if (column->type == KNACKDB_REAL) {
            values[row] = knackdb_value_real(column->is_rate ? (double) row / ROWS : 1.7e9 + row);
        } else {
            (void) snprintf(texts[row], 16, "text %u", number % 2 == 0 ? row : row % 3);
            values[row] = text_value(texts[row]);
        }
    }
}

static void
write_part_seeds(struct allocator *allocator)
{
    struct block_encoder encoder;
    struct byte_buffer   part;
    knackdb_value        values[ROWS];
    char                 texts[ROWS][16];
    char                 name[40];

    block_encoder_init(&encoder, allocator);
    for (uint32_t t = 0; t < schema_builtin()->table_count; t++) {
        const struct table *table = &schema_builtin()->tables[t];
        uint64_t            checksum;

        byte_buffer_init(&part, allocator);
        part_head_write(&part, STORE_ID, t + 1, ROWS, 2, table, &checksum);
        for (uint32_t column = 0; column < table->column_count; column++) {
            struct byte_buffer block;
            uint64_t           block_checksum;

            make_column(&table->columns[column], column, values, texts);
            byte_buffer_init(&block, allocator);
            byte_buffer_put_u8(&block, (uint8_t) (table->columns[column].type - KNACKDB_INTEGER));
            if (block_encode(&encoder, table->columns[column].type, column % 2 == 1, (uint16_t) column, 0, values, ROWS,
                             store_id_seed(STORE_ID, t + 1), &block, &block_checksum, NULL) != KNACKDB_OK)
                fail("block_encode");
            checksum = part_checksum_add(checksum, block_checksum);
            byte_buffer_put(&part, block.data + 1, block.bytes - 1);
            (void) snprintf(name, sizeof name, "table-%u-column-%u", (unsigned) t, (unsigned) column);
            if (t == 0)
                write_seed("block", name, block.data, block.bytes);
            byte_buffer_clear(&block);
        }
        part_end_write(&part, table->column_count, checksum);
        (void) snprintf(name, sizeof name, "table-%u", (unsigned) t);
        write_seed("part", name, part.data, part.bytes);
        byte_buffer_clear(&part);
    }
    block_encoder_clear(&encoder);
}

/* Those of format 1 beside them, in which an entry had no checksum, nobody can write any more. */
static void
write_ends_seeds(struct allocator *allocator)
{
    static uint64_t    few[PART_ROWS_MAX / 64];
    static uint64_t    many[PART_ROWS_MAX / 64];
    struct ends_writer writer;
    struct byte_buffer bytes;

    for (size_t i = 0; i < 500 / 64; i++)
        many[i] = UINT64_C(0x5555555555555555);
    few[0] = 9;
    few[3] = 1;
    byte_buffer_init(&bytes, allocator);
    ends_begin(&writer, &bytes, STORE_ID, 4);
    ends_put(&writer, 1, 1000, few, 3);
    (void) ends_finish(&writer);
    write_seed("ends", "a-list-with-a-checksum", bytes.data, bytes.bytes);
    bytes.bytes = 0;
    ends_begin(&writer, &bytes, STORE_ID, 5);
    ends_put(&writer, 1, 500, many, 500 / 64 * 32);
    ends_put(&writer, 2, 1000, few, 3);
    (void) ends_finish(&writer);
    write_seed("ends", "bits-and-a-list-with-checksums", bytes.data, bytes.bytes);
    byte_buffer_clear(&bytes);
}

/* A block that LZ4 makes small, and one that is stored as it is; made by hand, as packing is done from file to file. */
static void
write_packed_seeds(struct allocator *allocator)
{
    static char        raw[65536];
    static char        stored[65536];
    struct byte_buffer bytes;
    int                small;

    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char) (i % 97 + i / 4096);
    small = LZ4_compress_default(raw, stored, (int) sizeof raw, (int) sizeof stored);
    byte_buffer_init(&bytes, allocator);
    byte_buffer_put(&bytes, "KNACKPST", 8);
    byte_buffer_put_u32(&bytes, 1); /* format 1, and zero */
    byte_buffer_put_u32(&bytes, 2);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, STORE_ID);
    byte_buffer_put_u64(&bytes, 3);
    byte_buffer_put_u64(&bytes, sizeof raw + 20);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, (uint64_t) small);
    byte_buffer_put_u64(&bytes, 0); /* a checksum that nobody looks at here, and so for the others */
    byte_buffer_put_u64(&bytes, 20);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put_u64(&bytes, 0);
    byte_buffer_put(&bytes, stored, (size_t) small);
    byte_buffer_put(&bytes, raw, 20);
    write_seed("packed", "two-blocks", bytes.data, bytes.bytes);
    byte_buffer_clear(&bytes);
}

static void
write_manifest_seeds(struct allocator *allocator)
{
    struct manifest    manifest;
    struct byte_buffer bytes;

    manifest_init(&manifest, allocator);
    manifest_set_tables(&manifest, schema_builtin());
    manifest.store_id = STORE_ID;
    manifest.generation = 1;
    manifest.log_serial = 1;
    manifest.next_part = 1;
    manifest.schema_version = 2;
    byte_buffer_init(&bytes, allocator);
    manifest_write(&manifest, &bytes);
    write_seed("manifest", "empty", bytes.data, bytes.bytes);
    for (uint64_t i = 1; i <= 6; i++) {
        struct manifest_part part = {
            .number = i, .table = (uint8_t) (i % 3), .kind = PART_ROWS, .row_count = i, .bytes = i * 100
        };

        if (manifest_add_part(&manifest, &part, NULL) != KNACKDB_OK)
            fail("manifest_add_part");
    }
    if (manifest_add_migration(&manifest, &(struct manifest_migration) { 1, 2, 99 }, NULL) != KNACKDB_OK)
        fail("manifest_add_migration");
    bytes.bytes = 0;
    manifest_write(&manifest, &bytes);
    write_seed("manifest", "six-parts", bytes.data, bytes.bytes);
    byte_buffer_clear(&bytes);
    manifest_clear(&manifest);
}

/* ---- what people write ---- */

static void
write_text_seeds(void)
{
    /* clang-format off */
    static const char *const conditions[] = {
        "task_type = coding", "id in (1, 2 , 3)", "success_rate >= .5", "created_at is not null",
        "tools_used contains \"gr\"\"ep\"", "task_type in ('a''b', c, \"\")", "usage_count<>12", "score:asc",
        "confidence_score:desc", "id, task_type,created_at",
    };
    static const char *const lists[] = {
        "grep\n[\"grep\"]", "a\"b\n [ \"x\" , [\"a\\\"b\"], {\"k\": [1]}, \"a\\\"b\" ] ", "\xC3\xA9\n[\"\\u00e9\"]",
        "\xF0\x9F\x98\x80\n[\"\\ud83d\\ude00\", -1.5e+3, true, null]", "\n[\"\"]", "x\n{\"x\": [\"x\"]}",
    };
    static const char *const numbers[] = {
        "0", "-12.0", "1.2e1", "9223372036854775807", "1e308", "4.9e-324", "0.1", "123456789012345678901234567890",
        "2026-01-31T12:00:00Z", "2026-01-31", "@1.5e9", "seq:12", "2026-01-31T12:00:00.25+02:00", "9007199254740993",
    };
    /* clang-format on */
    char name[40];

    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        (void) snprintf(name, sizeof name, "%zu", i);
        write_text("condition", name, 0, conditions[i]);
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        (void) snprintf(name, sizeof name, "%zu", i);
        write_seed("json_list", name, lists[i], strlen(lists[i]));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void) snprintf(name, sizeof name, "%zu", i);
        write_seed("number", name, numbers[i], strlen(numbers[i]));
    }
    write_text("csv", "patterns", 0,
               "id,task_type,pattern_used,execution_time,success_rate,tools_used,external_id\r\n"
               "1,coding,direct,1.5,.75,\"[\"\"grep\"\"]\",x\r\n2,,\"\",,1,,\r\n");
    write_text("csv", "slowly", 1, "\xEF\xBB\xBFtask_type\n\"a\nb\"\n\nbad\"\n\"\"\n");
    write_text("csv", "preferences", 10, "preference_type,preference_value,weight\nx,y,1e3\nx,\"y\"z,2\n1,2,3,4\n");
    write_text("csv", "metrics", 17, "component_name,metric_name,metric_value,sample_count\r\na,b,1,2\r\na,b,x,2\r\n");
    write_text("jsonl", "patterns", 0,
               "{\"id\": 1, \"task_type\": \"a\\u00e9\", \"success_rate\": 0.5, "
               "\"tools_used\": [ \"x\", {\"y\" : 1} ]}\n\n{}\n");
    write_text("jsonl", "slowly", 1,
               "\xEF\xBB\xBF{\"task_type\":null,\"usage_count\":1.2e1}\r\n{\"nothing\":1}\n[1]\n");
    write_text("jsonl", "preferences", 10,
               "{\"preference_type\":\"\\ud83d\\ude00\",\"weight\":-0.0}\n{\"weight\":1,\"weight\":2}");
    write_text("jsonl", "metrics", 17,
               "{\"metadata\":{\"a\": [1, 2]},\"metric_value\":1e400}\n{\"metric_value\":\"x\"}\n");
}

/* ---- SQLite ---- */

static void
write_sqlite_seed(const char *name, uint8_t last, const char *statements)
{
    char     path[4096];
    sqlite3 *db;
    FILE    *file;

    seed_path(path, "sqlite", name);
    (void) remove(path);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA page_size = 512", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, statements, NULL, NULL, NULL) != SQLITE_OK)
        fail(sqlite3_errmsg(db));
    (void) sqlite3_close(db);
    file = fopen(path, "ab");
    if (file == NULL || fputc(last, file) == EOF || fclose(file) != 0)
        fail(path);
}

static void
write_sqlite_seeds(void)
{
    write_sqlite_seed(
        "patterns", 0,
        "CREATE TABLE execution_patterns (id INTEGER PRIMARY KEY, task_type TEXT, success_rate, usage_count);"
        "INSERT INTO execution_patterns VALUES (1, 'coding', 0.5, 3), (2, NULL, 1, 2.0), (3, '', 'x', 9e18),"
        " (4, 5, x'00ff', 1.5)");
    write_sqlite_seed("preferences", 8,
                      "CREATE TABLE user_preferences (preference_type TEXT, Preference_Value TEXT, weight REAL);"
                      "INSERT INTO user_preferences VALUES ('a', 'b', 1), ('c', 'd', NULL)");
    write_sqlite_seed("view", 16,
                      "CREATE TABLE m (c TEXT, v REAL); INSERT INTO m VALUES ('a', 1);"
                      "CREATE VIEW performance_metrics AS SELECT c AS component_name, v AS metric_value FROM m");
    write_sqlite_seed("foreign", 0, "CREATE TABLE execution_patterns (id INTEGER, colour TEXT)");
}

int
main(int argc, char **argv)
{
    struct allocator allocator;

    if (argc != 2) {
        (void) fprintf(stderr, "usage: write_seeds FOLDER\n");
        return 2;
    }
    root = argv[1];
    allocator_init(&allocator, NULL);
    write_log_seeds(&allocator);
    write_part_seeds(&allocator);
    write_ends_seeds(&allocator);
    write_packed_seeds(&allocator);
    write_manifest_seeds(&allocator);
    write_text_seeds();
    write_sqlite_seeds();
    return 0;
}
