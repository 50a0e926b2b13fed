/* bench.h - what the tests of persist work with: a small schema with a history, stores that are
 * kept, and their contents as one text, so that two of them can be compared. */
#ifndef TESTS_PERSIST_BENCH_H
#define TESTS_PERSIST_BENCH_H

#include "persist/keeper.h"

#include <stddef.h>

#define PATH_MAX_BYTES 4096

/* Three versions of a schema that is not knackdb's:
 *     1   things: id, name TEXT unique, size INTEGER, weight REAL, note TEXT (dictionary), old TEXT
 *     2   things.name is called title; things.extra TEXT comes; table places: id, where_at TEXT
 *     3   things.old goes */
const struct schema_history *bench_history(void);
const struct schema         *bench_schema(uint32_t version); /* 1 to 3; static */

/* A store and who keeps it. */
struct kept {
    struct allocator allocator;
    struct store    *store;
    struct keeper   *keeper;
    knackdb_error    error;
    char             messages[4000]; /* what the keeper had to say */
};

/* Options with which nothing happens by itself: no snapshot by trigger, a flush a minute. */
struct keeper_options kept_options(void);

/* Opens; the status is keeper_open()'s. On failure nothing is left to close. */
knackdb_status kept_open(struct kept *kept, const char *path, uint32_t version, const struct keeper_options *options);
/* The same, which must succeed; options may be NULL. */
void kept_must_open(struct kept *kept, const char *path, uint32_t version, const struct keeper_options *options);
/* Closes; nothing of the allocator's may be left. */
void kept_close(struct kept *kept);

/* What is on the disk this very moment, as a process killed now would leave it, copied to a new directory below
 * `folder`. */
void kept_copy(const char *path, const char *folder, const char *name, char copy[PATH_MAX_BYTES]);

/* Puts one thing: every column of the version's is filled from `number`, some with NULL, some with the empty text. */
void           bench_put(struct store *store, int64_t number);
/* The same where it may fail. */
knackdb_status bench_try_put(struct store *store, int64_t number, knackdb_error *error);
/* The same for a run of numbers, a commit each. */
void           bench_put_many(struct store *store, int64_t first, int64_t last);

/* The replay log of a directory of version 1, which must open. */
struct replay_log *bench_open_log(struct allocator *allocator, const char *path);

/* All rows of all tables by id, one line each, types and NULLs told apart. The caller frees it. */
char *bench_dump(struct store *store);
/* Are they the same? */
bool  bench_same(struct store *left, const char *dump);

/* ---- files ---- */

struct bytes {
    unsigned char *data;
    size_t         count;
};

struct bytes bytes_read(const char *directory, const char *name);
void         bytes_write(const char *directory, const char *name, const void *data, size_t count);
void         bytes_free(struct bytes *bytes);

/* Names in a directory that begin with `prefix`: how many, and the last of them in order. */
size_t   names_count(const char *directory, const char *prefix, char last[64]);
/* The newest segment of the log that holds a record: while a store is open, the next one may have been made ahead. */
void     name_written_log(const char *directory, char name[64]);
/* What the checksums of a segment's records begin with. */
uint64_t log_seed(const struct bytes *segment);

/* All names and contents of a directory as one number. Reading the lock file, as reading all would, costs the
 * process that holds it the lock that names it. */
uint64_t directory_digest(const char *directory, bool with_lock);

#endif
