/* calls.h - short ways of saying that a call must succeed, or must fail and explain itself. */
#ifndef TESTS_API_CALLS_H
#define TESTS_API_CALLS_H

#include <criterion/criterion.h>
#include <knackdb.h>

/* `call` mentions `error`, a knackdb_error in scope. */
#define MUST(call)                                                                                   \
    do {                                                                                             \
        knackdb_status must_status = (call);                                                         \
        cr_assert_eq(must_status, KNACKDB_OK, "%s: %s: %s", #call, knackdb_status_text(must_status), \
                     must_status == KNACKDB_OK ? "" : error.message);                                \
    } while (0)

/* It fails with this status and says why in words that hold `words`. */
#define REFUSED(call, expected, words)                                                                                 \
    do {                                                                                                               \
        knackdb_status refused_status;                                                                                 \
        memset(&error, 0x5a, sizeof error);                                                                            \
        error.message[sizeof error.message - 1] = '\0';                                                                \
        refused_status = (call);                                                                                       \
        cr_assert_eq(refused_status, (expected), "%s: %s instead of %s", #call, knackdb_status_text(refused_status),   \
                     knackdb_status_text(expected));                                                                   \
        cr_assert_not_null(memchr(error.message, '\0', sizeof error.message));                                         \
        cr_assert_not_null(strstr(error.message, (words)), "%s: \"%s\" does not mention \"%s\"", #call, error.message, \
                           (words));                                                                                   \
    } while (0)

static inline knackdb *
open_in_memory(void)
{
    knackdb      *db = NULL;
    knackdb_error error;

    MUST(knackdb_open(NULL, NULL, &db, &error));
    cr_assert_not_null(db);
    return db;
}

static inline knackdb *
open_flagged(const char *path, uint32_t flags)
{
    knackdb_options options = knackdb_options_default();
    knackdb        *db = NULL;
    knackdb_error   error;

    options.flags = flags;
    MUST(knackdb_open(path, &options, &db, &error));
    return db;
}

static inline void
close_it(knackdb *db)
{
    knackdb_error error;

    MUST(knackdb_close(db, &error));
}

static inline knackdb_read *
begin_read(knackdb *db)
{
    knackdb_read *read = NULL;
    knackdb_error error;

    MUST(knackdb_read_begin(db, &read, &error));
    return read;
}

static inline uint64_t
count_rows(knackdb *db, int table)
{
    knackdb_read *read = begin_read(db);
    knackdb_query query;
    knackdb_error error;
    uint64_t      count = UINT64_MAX;

    memset(&query, 0, sizeof query);
    query.table = table;
    MUST(knackdb_read_count(read, &query, &count, &error));
    knackdb_read_end(read);
    return count;
}

static inline uint64_t
sequence_of(knackdb *db)
{
    knackdb_read *read = begin_read(db);
    uint64_t      sequence = knackdb_read_sequence(read);

    knackdb_read_end(read);
    return sequence;
}

static inline bool
text_is(knackdb_text text, const char *string)
{
    return text.data != NULL && text.length == strlen(string) && memcmp(text.data, string, text.length) == 0;
}

/* A pattern with every column NULL but those set afterwards. */
static inline knackdb_pattern
empty_pattern(void)
{
    knackdb_pattern pattern;

    memset(&pattern, 0, sizeof pattern);
    pattern.nulls = KNACKDB_BIT(KNACKDB_PATTERN_COLUMNS) - 2; /* all but the id */
    return pattern;
}

#endif
