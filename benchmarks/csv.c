#include "csv.h"

#include "failure.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h> /* fabs, which needs no library */
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_ROWS 1000
#define COLUMNS    13
#define RECORD_MAX 8192

static const char *const COLUMN_NAMES[COLUMNS] = {
    "id",          "task_type",        "pattern_used", "execution_time",  "success_rate", "confidence_score",
    "agent_count", "complexity_level", "tools_used",   "context_factors", "created_at",   "updated_at",
    "usage_count",
};

static void
put_text(FILE *file, struct text text)
{
    if (memchr(text.data, '"', text.length) == NULL && memchr(text.data, ',', text.length) == NULL) {
        fwrite(text.data, 1, text.length, file); /* the workload has no line ends in it */
        return;
    }
    putc_unlocked('"', file);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"')
            putc_unlocked('"', file);
        putc_unlocked(text.data[i], file);
    }
    putc_unlocked('"', file);
}

/* In the fewest digits that read back to the same bits. */
static void
put_real(FILE *file, double real)
{
    char digits[40];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        if (digest_real(strtod(digits, NULL)) == digest_real(real))
            break;
    }
    fputs(digits, file);
}

static void
put_row(FILE *file, const struct pattern_row *row)
{
    fprintf(file, "%" PRId64 ",", row->id);
    put_text(file, row->task_type);
    putc_unlocked(',', file);
    put_text(file, row->pattern_used);
    putc_unlocked(',', file);
    put_real(file, row->execution_time);
    putc_unlocked(',', file);
    put_real(file, row->success_rate);
    putc_unlocked(',', file);
    put_real(file, row->confidence_score);
    fprintf(file, ",%" PRId64 ",", row->agent_count);
    put_text(file, row->complexity_level);
    putc_unlocked(',', file);
    put_text(file, row->tools_used);
    putc_unlocked(',', file);
    put_text(file, row->context_factors);
    putc_unlocked(',', file);
    put_real(file, row->created_at);
    putc_unlocked(',', file);
    put_real(file, row->updated_at);
    fprintf(file, ",%" PRId64 "\r\n", row->usage_count);
}

void
csv_write(const char *path, const struct workload *workload, uint64_t rows)
{
    FILE                *file = fopen(path, "w");
    struct pattern_block block;

    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    pattern_block_init(&block, BLOCK_ROWS);
    for (size_t i = 0; i < COLUMNS; i++)
        fprintf(file, "%s%s", i == 0 ? "" : ",", COLUMN_NAMES[i]);
    fputs("\r\n", file);
    for (uint64_t first = 0; first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? (size_t) (rows - first) : BLOCK_ROWS;
        workload_patterns(workload, first, count, &block);
        for (size_t i = 0; i < count; i++)
            put_row(file, &block.rows[i]);
    }
    pattern_block_clear(&block);
    if (fclose(file) != 0)
        fail("%s: %s", path, strerror(errno));
}

/* ---- reading back ------------------------------------------------------------ */

/* One record, its fields as offsets into its unquoted bytes. */
struct record {
    char   bytes[RECORD_MAX];
    char  *fields[COLUMNS + 8];
    size_t field_count;
};

/* Reads a record that ends in LF or CRLF; false at the end of the file. */
static bool
read_record(FILE *file, struct record *record)
{
    char *end = record->bytes;
    bool  quoted = false;
    int   byte = getc_unlocked(file);

    if (byte == EOF)
        return false;
    record->field_count = 1;
    record->fields[0] = end;
    for (;; byte = getc_unlocked(file)) {
        if (end + 2 > record->bytes + RECORD_MAX)
            fail("a CSV record is longer than %d bytes", RECORD_MAX);
        if (quoted) {
            if (byte == EOF)
                fail("a CSV file ends inside quotes");
            if (byte != '"') {
                *end++ = (char) byte;
                continue;
            }
            byte = getc_unlocked(file);
            if (byte == '"') {
                *end++ = '"';
                continue;
            }
            quoted = false;
        }
        if (byte == '"') {
            quoted = true;
        } else if (byte == ',') {
            *end++ = '\0';
            if (record->field_count == sizeof record->fields / sizeof record->fields[0])
                fail("a CSV record has too many fields");
            record->fields[record->field_count++] = end;
        } else if (byte == '\n' || byte == EOF) {
            *end = '\0';
            return true;
        } else if (byte != '\r') {
            *end++ = (char) byte;
        }
    }
}

struct comparison {
    const char *path;
    const char *writer;
    int64_t     id;
    double      error_max;
};

static void
differs(const struct comparison *comparison, size_t column, const char *got)
{
    fail("%s wrote row %" PRId64 " of %s with %s %s", comparison->writer, comparison->id, comparison->path,
         COLUMN_NAMES[column], got);
}

static void
compare_text(const struct comparison *comparison, size_t column, struct text wanted, const char *got)
{
    if (strlen(got) != wanted.length || memcmp(got, wanted.data, wanted.length) != 0)
        differs(comparison, column, got);
}

static void
compare_real(const struct comparison *comparison, size_t column, double wanted, const char *got)
{
    double value = strtod(got, NULL);

    if (!(fabs(value - wanted) <= comparison->error_max * fabs(wanted)))
        differs(comparison, column, got);
}

static void
compare_integer(const struct comparison *comparison, size_t column, int64_t wanted, const char *got)
{
    if (strtoll(got, NULL, 10) != wanted)
        differs(comparison, column, got);
}

static void
compare_row(const struct comparison *comparison, const struct pattern_row *row, char *const *fields)
{
    compare_integer(comparison, 0, row->id, fields[0]);
    compare_text(comparison, 1, row->task_type, fields[1]);
    compare_text(comparison, 2, row->pattern_used, fields[2]);
    compare_real(comparison, 3, row->execution_time, fields[3]);
    compare_real(comparison, 4, row->success_rate, fields[4]);
    compare_real(comparison, 5, row->confidence_score, fields[5]);
    compare_integer(comparison, 6, row->agent_count, fields[6]);
    compare_text(comparison, 7, row->complexity_level, fields[7]);
    compare_text(comparison, 8, row->tools_used, fields[8]);
    compare_text(comparison, 9, row->context_factors, fields[9]);
    compare_real(comparison, 10, row->created_at, fields[10]);
    compare_real(comparison, 11, row->updated_at, fields[11]);
    compare_integer(comparison, 12, row->usage_count, fields[12]);
}

void
csv_check(const char *path, const char *writer, const struct workload *workload, uint64_t rows, double error_max)
{
    FILE                *file = fopen(path, "r");
    struct record       *record = malloc(sizeof *record);
    struct pattern_block block;
    uint64_t             found = 0;

    if (file == NULL || record == NULL)
        fail("%s: %s", path, strerror(errno));
    pattern_block_init(&block, BLOCK_ROWS);
    if (!read_record(file, record) || record->field_count < COLUMNS)
        fail("%s wrote no header to %s", writer, path);
    for (size_t i = 0; i < COLUMNS; i++)
        if (strcmp(record->fields[i], COLUMN_NAMES[i]) != 0)
            fail("%s names column %zu \"%s\"", writer, i + 1, record->fields[i]);
    for (; read_record(file, record); found++) {
        struct comparison comparison = { path, writer, (int64_t) found + 1, error_max };

        if (found == rows)
            fail("%s wrote more than %" PRIu64 " rows", writer, rows);
        if (record->field_count < COLUMNS)
            fail("%s wrote row %" PRIu64 " with %zu fields", writer, found + 1, record->field_count);
        if (found % BLOCK_ROWS == 0)
            workload_patterns(workload, found, BLOCK_ROWS, &block);
        compare_row(&comparison, &block.rows[found % BLOCK_ROWS], record->fields);
    }
    if (found != rows)
        fail("%s wrote %" PRIu64 " rows of %" PRIu64, writer, found, rows);
    fclose(file);
    free(record);
    pattern_block_clear(&block);
}
