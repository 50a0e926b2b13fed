/* knackdb.h - an embedded store for what software agents learn.
 *
 * Three tables live in memory as columns: execution patterns, user preferences,
 * performance metrics. Reads and writes never wait for the disk. A replay log and
 * LZ4 snapshots, kept by a background thread, bring everything back after a
 * restart, a kill or a power cut.
 *
 *     knackdb *db;
 *     knackdb_error error;
 *     if (knackdb_open("memory.knack", NULL, &db, &error) != KNACKDB_OK)
 *         return complain(error.message);
 *
 *     knackdb_pattern pattern = knackdb_pattern_default();
 *     pattern.task_type = knackdb_string("sort");
 *     pattern.pattern_used = knackdb_string("radix");
 *     pattern.execution_time = 0.012;
 *     knackdb_pattern_store(db, &pattern, NULL, &error);
 *     knackdb_close(db, &error);
 *
 * Groups: values, tables, rows, errors, life, store, read views, queries, copies,
 * aggregates, health, replay log, checks.
 *
 * Rules that hold for every call, unless its comment says otherwise:
 *
 *   - A `knackdb` may be used from any number of threads at once. A knackdb_read
 *     and a knackdb_log belong to one thread at a time.
 *   - Every call that can fail returns a knackdb_status. `error` may be NULL, and
 *     is to be read after a failure alone: an attempt that a call made again may
 *     have left something there. `ret_` arguments are written only on success.
 *   - No call prints, exits or aborts. Text is UTF-8 given as pointer and length;
 *     it is copied, so the caller's bytes may go as soon as the call returns.
 *   - After fork() the child's handle refuses every call with KNACKDB_FORKED.
 *   - Times are seconds since 1970-01-01 00:00 UTC as a double.
 */
#ifndef KNACKDB_H
#define KNACKDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KNACKDB_VERSION_MAJOR 0
#define KNACKDB_VERSION_MINOR 1
#define KNACKDB_VERSION_PATCH 0

#if defined(__GNUC__)
#define KNACKDB_API __attribute__((visibility("default")))
#else
#define KNACKDB_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ------------------------------------------------------------- */

/** Outcome of a call. The numbers are ABI: append new ones, never renumber. */
typedef enum knackdb_status {
    KNACKDB_OK = 0,
    KNACKDB_NOT_FOUND = 1,   /**< the key is absent, the log has ended; an answer, not a fault */
    KNACKDB_NO_MEMORY = 2,   /**< an allocation failed; nothing was changed */
    KNACKDB_INVALID = 3,     /**< the caller broke this call's contract; nothing was changed */
    KNACKDB_IO = 4,          /**< the system failed us; see error.os_errno */
    KNACKDB_CORRUPT = 5,     /**< stored bytes failed a check; nothing repaired */
    KNACKDB_UNSUPPORTED = 6, /**< sound bytes, written by a newer version; left untouched */
    KNACKDB_BUSY = 7,        /**< another process writes this directory; the message names its pid */
    KNACKDB_EXISTS = 8,      /**< the id or key is there and the caller asked for new ones only */
    KNACKDB_FULL = 9,        /**< the memory limit of the options, or of a table, is reached; nothing was changed */
    KNACKDB_READ_ONLY = 10,  /**< the store was opened read-only */
    KNACKDB_FORKED = 11,     /**< this process is a fork of the one that opened the store */
} knackdb_status;

/** Where a failed call explains itself. The caller owns it; NULL is accepted. */
typedef struct knackdb_error {
    int  os_errno;     /**< 0 unless the status is KNACKDB_IO */
    int  column;       /**< index of the column at fault, or -1 */
    char message[500]; /**< NUL-terminated UTF-8; names the file, offset, column or value at fault. Where a path is too
                            long for it, it begins with "..." */
} knackdb_error;

/** A few words for a status, never NULL: "not found". Static; never free it. */
KNACKDB_API const char *knackdb_status_text(knackdb_status status);

/** The version of the library that runs, as "0.1.0". Static. */
KNACKDB_API const char *knackdb_version(void);

/* ---- values ------------------------------------------------------------- */

/** UTF-8 text, not NUL-terminated. data == NULL is the NULL value; length 0 with
 *  any other data is the empty string. */
typedef struct knackdb_text {
    const char *data;
    size_t      length; /**< bytes, at most KNACKDB_TEXT_BYTES_MAX */
} knackdb_text;

#define KNACKDB_TEXT_BYTES_MAX ((size_t) 16 * 1024 * 1024)

/** Borrows a C string; NULL gives the NULL value. */
static inline knackdb_text
knackdb_string(const char *string)
{
    knackdb_text text = { string, string != NULL ? strlen(string) : 0 };
    return text;
}

typedef enum knackdb_type {
    KNACKDB_NULL = 0,
    KNACKDB_INTEGER = 1, /**< signed 64 bits */
    KNACKDB_REAL = 2,    /**< IEEE 754 double; never NaN or infinite */
    KNACKDB_TEXT = 3,    /**< UTF-8 */
} knackdb_type;

/** One cell of any column. */
typedef struct knackdb_value {
    knackdb_type type;
    union {
        int64_t      integer;
        double       real;
        knackdb_text text;
    } as;
} knackdb_value;

static inline knackdb_value
knackdb_value_null(void)
{
    knackdb_value value;
    memset(&value, 0, sizeof value);
    return value;
}

static inline knackdb_value
knackdb_value_integer(int64_t integer)
{
    knackdb_value value = knackdb_value_null();
    value.type = KNACKDB_INTEGER;
    value.as.integer = integer;
    return value;
}

static inline knackdb_value
knackdb_value_real(double real)
{
    knackdb_value value = knackdb_value_null();
    value.type = KNACKDB_REAL;
    value.as.real = real;
    return value;
}

static inline knackdb_value
knackdb_value_text(knackdb_text text)
{
    knackdb_value value = knackdb_value_null();
    if (text.data != NULL) {
        value.type = KNACKDB_TEXT;
        value.as.text = text;
    }
    return value;
}

/* ---- tables ------------------------------------------------------------- */

/** The tables of the current schema, version 2. Numbers are ABI. */
typedef enum knackdb_table {
    KNACKDB_EXECUTION_PATTERNS = 0,
    KNACKDB_USER_PREFERENCES = 1,
    KNACKDB_PERFORMANCE_METRICS = 2,
} knackdb_table;

/** Columns of execution_patterns, in order. */
enum knackdb_pattern_column {
    KNACKDB_PATTERN_ID = 0,
    KNACKDB_PATTERN_TASK_TYPE,
    KNACKDB_PATTERN_PATTERN_USED,
    KNACKDB_PATTERN_EXECUTION_TIME,   /**< seconds */
    KNACKDB_PATTERN_SUCCESS_RATE,     /**< 0..1 */
    KNACKDB_PATTERN_CONFIDENCE_SCORE, /**< 0..1 */
    KNACKDB_PATTERN_AGENT_COUNT,
    KNACKDB_PATTERN_COMPLEXITY_LEVEL,
    KNACKDB_PATTERN_TOOLS_USED,      /**< JSON list of strings */
    KNACKDB_PATTERN_CONTEXT_FACTORS, /**< JSON object */
    KNACKDB_PATTERN_CREATED_AT,
    KNACKDB_PATTERN_UPDATED_AT,
    KNACKDB_PATTERN_USAGE_COUNT,
    KNACKDB_PATTERN_EXTERNAL_ID, /**< unique where not NULL */
    KNACKDB_PATTERN_COLUMNS
};

/** Columns of user_preferences, in order. */
enum knackdb_preference_column {
    KNACKDB_PREFERENCE_ID = 0,
    KNACKDB_PREFERENCE_TYPE,
    KNACKDB_PREFERENCE_VALUE,
    KNACKDB_PREFERENCE_WEIGHT,
    KNACKDB_PREFERENCE_USAGE_COUNT,
    KNACKDB_PREFERENCE_LAST_USED,
    KNACKDB_PREFERENCE_COLUMNS
};

/** Columns of performance_metrics, in order. */
enum knackdb_metric_column {
    KNACKDB_METRIC_ID = 0,
    KNACKDB_METRIC_COMPONENT_NAME,
    KNACKDB_METRIC_METRIC_NAME,
    KNACKDB_METRIC_METRIC_VALUE,
    KNACKDB_METRIC_BASELINE_VALUE,
    KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE,
    KNACKDB_METRIC_MEASURED_AT,
    KNACKDB_METRIC_SAMPLE_COUNT,
    KNACKDB_METRIC_CONFIDENCE_INTERVAL,
    KNACKDB_METRIC_METADATA, /**< JSON object */
    KNACKDB_METRIC_COLUMNS
};

/** No table has more columns than this, in any version. */
#define KNACKDB_COLUMNS_MAX 64

typedef struct knackdb_column_info {
    const char  *name;
    knackdb_type type;
    bool         is_rate; /**< refused outside 0..1 */
    uint32_t     since_version;
} knackdb_column_info;

typedef struct knackdb_table_info {
    const char                *name;
    size_t                     column_count;
    const knackdb_column_info *columns; /**< in order; the first is the id */
} knackdb_table_info;

/** The schema version this library writes. */
KNACKDB_API uint32_t knackdb_schema_version(void);

/** How many tables the current schema has: knackdb_table runs from 0 to this less one. */
KNACKDB_API size_t knackdb_table_count(void);

/** Describes a table; NULL for a number that is none. Static; never free it. */
KNACKDB_API const knackdb_table_info *knackdb_table_describe(int table);

/** Number of the table of that name, or -1. */
KNACKDB_API int knackdb_table_by_name(const char *name);

/** Index of a table's column of that name, or -1. */
KNACKDB_API int knackdb_column_by_name(int table, const char *name);

/* ---- rows --------------------------------------------------------------- */

/* Row structs are for the common case; knackdb_value arrays do for any table and
 * any column. In a row struct a text is NULL where its data is NULL; a number is
 * NULL where bit (1 << column) is set in `nulls`, whatever the field holds: clear the
 * bit of a number that you set in a row that was read. Reads set the bit for texts,
 * too. `id` 0 lets the store choose. */

#define KNACKDB_BIT(column) (UINT64_C(1) << (column))

typedef struct knackdb_pattern {
    int64_t      id;
    knackdb_text task_type;
    knackdb_text pattern_used;
    double       execution_time;   /**< seconds */
    double       success_rate;     /**< 0..1 */
    double       confidence_score; /**< 0..1 */
    int64_t      agent_count;
    knackdb_text complexity_level;
    knackdb_text tools_used;      /**< JSON list */
    knackdb_text context_factors; /**< JSON object */
    double       created_at;
    double       updated_at;
    int64_t      usage_count;
    knackdb_text external_id;
    uint64_t     nulls; /**< KNACKDB_BIT(KNACKDB_PATTERN_...) of what is NULL */
} knackdb_pattern;

typedef struct knackdb_preference {
    int64_t      id;
    knackdb_text preference_type;
    knackdb_text preference_value;
    double       weight;
    int64_t      usage_count;
    double       last_used;
    uint64_t     nulls;
} knackdb_preference;

typedef struct knackdb_metric {
    int64_t      id;
    knackdb_text component_name;
    knackdb_text metric_name;
    double       metric_value;
    double       baseline_value;
    double       improvement_percentage; /**< percent; computed by the store where NULL */
    double       measured_at;
    int64_t      sample_count;
    double       confidence_interval;
    knackdb_text metadata; /**< JSON object */
    uint64_t     nulls;
} knackdb_metric;

/** A pattern with execution_time 0, success_rate 1, confidence_score 0, agent_count 1,
 *  complexity "simple", usage_count 0, both times now, and every text NULL but that one. */
KNACKDB_API knackdb_pattern knackdb_pattern_default(void);

/** A preference of weight 1, used once, now. */
KNACKDB_API knackdb_preference knackdb_preference_default(void);

/** A metric measured now, sample_count 1, confidence_interval 0.95, baseline_value 0, which
 *  is none, and improvement_percentage NULL, so that the store computes it. */
KNACKDB_API knackdb_metric knackdb_metric_default(void);

/** The clock that defaults use: seconds since 1970, UTC. */
KNACKDB_API double knackdb_now(void);

/* ---- life --------------------------------------------------------------- */

typedef struct knackdb      knackdb;      /**< an open store; use from any thread */
typedef struct knackdb_read knackdb_read; /**< one moment of it; one thread at a time */

typedef enum knackdb_durability {
    KNACKDB_ASYNC = 0,      /**< survives the process at once, a power cut after flush_interval_ms */
    KNACKDB_SYNC = 1,       /**< a store call returns once its rows survive a power cut */
    KNACKDB_MEMORY_ONLY = 2 /**< nothing is kept */
} knackdb_durability;

/** How the log is written. */
typedef enum knackdb_log_io {
    KNACKDB_LOG_AUTO = 0,  /**< map where the file system is known to do it well */
    KNACKDB_LOG_MAP = 1,   /**< a shared mapping: 10 to 20 times cheaper */
    KNACKDB_LOG_WRITE = 2, /**< write(2): works everywhere */
} knackdb_log_io;

typedef enum knackdb_severity {
    KNACKDB_LOG_INFO = 0,
    KNACKDB_LOG_WARNING = 1,
    KNACKDB_LOG_ERROR = 2,
} knackdb_severity;

/** Memory for a store, aligned to 16 bytes as malloc's is. Calls come from any thread; both functions must be
 *  thread-safe. */
typedef struct knackdb_allocator {
    void *context;
    void *(*allocate)(void *context, size_t bytes); /**< NULL when there is none */
    void (*release)(void *context, void *memory, size_t bytes);
} knackdb_allocator;

enum knackdb_open_flags {
    KNACKDB_OPEN_READ_ONLY = 1,        /**< no lock, no writing; beside a writer, too */
    KNACKDB_OPEN_NO_CREATE = 2,        /**< fail where the directory holds no store */
    KNACKDB_OPEN_SNAPSHOT = 4,         /**< read-only: only what the newest snapshot holds */
    KNACKDB_OPEN_NO_MIGRATE = 8,       /**< refuse, not migrate, an older schema version */
    KNACKDB_OPEN_FOLLOW = 16,          /**< read-only, and brought up to date by knackdb_refresh() */
    KNACKDB_OPEN_REFUSE_DEGRADED = 32, /**< while the disk fails stores are refused with KNACKDB_IO, instead of being
                                            kept in memory alone; a refused store changes nothing */
};

/** How to open. Begin with knackdb_options_default(); 0 takes the default throughout. */
typedef struct knackdb_options {
    size_t             struct_size; /**< sizeof(knackdb_options), so it can grow */
    uint32_t           flags;       /**< enum knackdb_open_flags */
    knackdb_durability durability;
    knackdb_log_io     log_io;
    uint32_t           flush_interval_ms;     /**< 0 means 10 */
    uint64_t           log_segment_bytes_max; /**< 0 means 64 MiB; segments grow towards it */
    uint64_t           snapshot_log_bytes;    /**< snapshot after so much log; 0 means 64 MiB, UINT64_MAX never */
    uint32_t           snapshot_interval_s; /**< and so long after the last one, where there is log; 0: never by time */
    uint32_t           snapshots_kept;      /**< 0 means 1 */
    uint64_t           memory_bytes_max;    /**< a store past it fails with KNACKDB_FULL; 0 means no limit */
    uint64_t           cache_bytes_max;     /**< result cache; 0 means 1 MiB, UINT64_MAX none */
    uint32_t           slow_operation_us;   /**< slower ones are kept for inspection; 0 means 1000 */
    /** Of files; directories get x where r is. 0 means that of the newest manifest, so that who may read or write a
     *  store still may, and 0600 for a new store and for copies. */
    uint32_t           file_mode;
    int64_t            as_of_sequence; /**< read-only: the moment after this commit; 0 means the newest */
    double             as_of_time;     /**< the same by a time; KNACKDB_OPEN_SNAPSHOT goes with neither */
    /** Receives messages about what happens behind the calls. May come from the
     *  background thread; must not call knackdb. NULL means none. */
    void (*log_message)(void *context, knackdb_severity severity, const char *message);
    void                    *log_context;
    const knackdb_allocator *allocator; /**< copied; NULL means malloc and free */
    /** Log that no snapshot needs any more is kept, packed, up to so many bytes of files, the oldest going first, for
     *  replay and for opening as of an earlier moment; UINT64_MAX: all of it. 0 means none, or, in a directory that
     *  has some, no more than there is. */
    uint64_t                 log_history_bytes;
} knackdb_options;

static inline knackdb_options
knackdb_options_default(void)
{
    knackdb_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

/**
 * Opens the store in a directory, creating it when absent, and replays the log
 * onto the newest snapshot.
 *
 * @param path     UTF-8 directory; copied. NULL or ":memory:" keeps everything in
 *                 memory only.
 * @param options  copied; NULL takes every default.
 * @param ret_db   the caller owns the store and ends it with knackdb_close().
 *
 * An empty regular file at the path is replaced by a directory. A directory of an
 * older schema version is migrated unless opened read-only or with
 * KNACKDB_OPEN_NO_MIGRATE. A torn record at the end of the newest log segment is cut,
 * kept aside in a file, reported through log_message, and is not an error;
 * docs/FORMAT.md says what counts as torn. Errors: BUSY with the holder's pid,
 * CORRUPT with file and offset, UNSUPPORTED, IO, NO_MEMORY, INVALID (options), and NOT_FOUND where there is no
 * store and none is to be made, or where the moment of as_of_sequence or as_of_time is not kept: the message
 * then names the oldest and the newest that are. Kept is every moment from the oldest snapshot that is
 * kept on, and all of them where the log goes back to the first commit.
 */
KNACKDB_API knackdb_status knackdb_open(const char *path, const knackdb_options *options, knackdb **ret_db,
                                        knackdb_error *error);

/**
 * Syncs, stops the background thread and frees the store, in every case. NULL is
 * accepted. No other thread may be in a call on it; every knackdb_read must have
 * ended; prepared queries and copied answers may be freed later. While the disk fails it tries once more to write
 * everything to fresh files. KNACKDB_IO means that not everything stored is on stable storage.
 */
KNACKDB_API knackdb_status knackdb_close(knackdb *db, knackdb_error *error);

/** Returns when all that was stored before the call is on stable storage.
 *  KNACKDB_IO when it is not: the disk fails (KNACKDB_STATE_DEGRADED); what is in memory becomes durable by itself
 *  once the disk is back. Memory-only stores, and those that were opened read-only: KNACKDB_OK at once. The
 *  latter have stored nothing, and what they see may be their writer's to sync still. */
KNACKDB_API knackdb_status knackdb_sync(knackdb *db, knackdb_error *error);

/** Writes a snapshot now and returns when it is on stable storage. Stores and
 *  reads go on meanwhile. While the disk fails this tries at once to be whole again.
 *  INVALID for memory-only stores. */
KNACKDB_API knackdb_status knackdb_snapshot(knackdb *db, knackdb_error *error);

/**
 * Copies the store as it is at this moment into another directory, which becomes a
 * store of its own, while stores and reads go on. Works for a writer, a reader, a
 * follower, and a store in memory, which it saves.
 *
 * @param to  a directory, made where absent; INVALID where it is there and not empty.
 *
 * When this returns KNACKDB_OK the copy is on stable storage, every byte of it has been
 * read back and checked, and it has been opened once, which takes as much memory again until it is
 * done. On failure nothing of it is left; a process killed on the way leaves a directory that does
 * not open as a store. Commits keep their numbers.
 */
KNACKDB_API knackdb_status knackdb_backup(knackdb *db, const char *to, knackdb_error *error);

/**
 * Brings a store that was opened with KNACKDB_OPEN_FOLLOW up to date with what its
 * writer, in another process, has stored: read views begun later see it, those that
 * are open stay at their moment. Whole commits only, in their order, whether they
 * are durable yet or not, as the writer's own readers see them.
 *
 * @param ret_sequence  the newest commit seen now; may be NULL.
 *
 * All that the writer had stored before the call is then seen. Costs as much as there
 * is new; microseconds where there is nothing. Neither ever waits for the other,
 * and nothing is written into the directory. The writer may close, die, come back,
 * take snapshots: where a snapshot has removed the log that was wanted next, the
 * store is read anew and the difference is one step, with twice the memory until it is
 * done. Any thread may call it; one at a time is at work.
 *
 * After a failure the store stays readable at the moment it had come to, and a later call
 * goes on from there: BUSY (snapshots follow each other too fast; try again), NO_MEMORY,
 * IO, CORRUPT (also where the directory has gone back behind what was seen, as after
 * an exchange of its files: open it anew), UNSUPPORTED (a newer version writes it now),
 * NOT_FOUND (the store is gone). INVALID for a store that was opened read-only without
 * the flag. A writer's own store and one in memory are always up to date: OK.
 */
KNACKDB_API knackdb_status knackdb_refresh(knackdb *db, uint64_t *ret_sequence, knackdb_error *error);

/* ---- store -------------------------------------------------------------- */

/* A call is atomic: all its rows are stored or none, and a read view sees all or
 * none of them. What a call returned survives by the rules of its durability.
 * Errors common to the group: INVALID (bytes that are not UTF-8, NaN or infinity, a
 * rate outside 0..1, text over 16 MiB, a negative id; error.column and the message
 * name the column; or more than 1 GiB in one call), EXISTS, FULL (memory_bytes_max; or the
 * table has 4,278,190,080 row versions, or somebody's own id was so large that there is none
 * left to give), NO_MEMORY, READ_ONLY, FORKED, and IO while the disk
 * fails: with KNACKDB_SYNC the rows are then stored in memory alone for now, and `ret_ids` names
 * them; with KNACKDB_OPEN_REFUSE_DEGRADED the message begins "refused" and nothing was changed (a store
 * with KNACKDB_SYNC whose own sync is the first to fail has happened; its message does not). After any other
 * failure `ret_ids` is of no meaning. With KNACKDB_ASYNC and without that flag a failing disk is no failure of
 * the call; knackdb_stats says so. */

enum knackdb_store_flags {
    KNACKDB_STORE_REPLACE = 0, /**< an id or key that is there is replaced (a preference: added to) */
    KNACKDB_STORE_NEW = 1,     /**< an id or key that is there is KNACKDB_EXISTS */
};

/**
 * Stores rows of any table, given as values.
 *
 * @param values        row after row, column_count each, in column order.
 * @param column_count  from 1 to the table's; the columns left out are NULL.
 * @param ret_ids       room for row_count ids, or NULL; of no meaning after a failure.
 *
 * An id that is NULL or 0 is given by the store. An INTEGER is taken for a REAL
 * column; any other mismatch of type is INVALID. Storing:
 *   - an id or an external_id that is there replaces that row, which keeps its id
 *     when none is given; where id and external_id name two rows, both are replaced;
 *   - a (preference_type, preference_value) that is there under another id or with
 *     none given adds its usage_count (1 where NULL) to the stored one, takes
 *     the new weight unless NULL, and sets last_used (now where NULL); the id is the stored one;
 *   - a metric with improvement_percentage NULL computes it where it can.
 */
KNACKDB_API knackdb_status knackdb_store_rows(knackdb *db, int table, const knackdb_value *values, size_t column_count,
                                              size_t row_count, uint32_t flags, int64_t *ret_ids, knackdb_error *error);

/** Checks one row as knackdb_store_rows() would, without a store. Thread-safe. */
KNACKDB_API knackdb_status knackdb_check_row(int table, const knackdb_value *values, size_t column_count,
                                             knackdb_error *error);

KNACKDB_API knackdb_status knackdb_pattern_store(knackdb *db, const knackdb_pattern *pattern, int64_t *ret_id,
                                                 knackdb_error *error);
KNACKDB_API knackdb_status knackdb_patterns_store(knackdb *db, const knackdb_pattern *patterns, size_t count,
                                                  uint32_t flags, int64_t *ret_ids, knackdb_error *error);
KNACKDB_API knackdb_status knackdb_preference_store(knackdb *db, const knackdb_preference *preference, int64_t *ret_id,
                                                    knackdb_error *error);
KNACKDB_API knackdb_status knackdb_preferences_store(knackdb *db, const knackdb_preference *preferences, size_t count,
                                                     uint32_t flags, int64_t *ret_ids, knackdb_error *error);
KNACKDB_API knackdb_status knackdb_metric_store(knackdb *db, const knackdb_metric *metric, int64_t *ret_id,
                                                knackdb_error *error);
KNACKDB_API knackdb_status knackdb_metrics_store(knackdb *db, const knackdb_metric *metrics, size_t count,
                                                 uint32_t flags, int64_t *ret_ids, knackdb_error *error);

/** Sets some columns of the row with this id; NOT_FOUND where there is none. The id column cannot be set. */
KNACKDB_API knackdb_status knackdb_update_row(knackdb *db, int table, int64_t id, const uint32_t *columns,
                                              const knackdb_value *values, size_t count, knackdb_error *error);

/** A pattern's weight: sets confidence_score (0..1), and updated_at to now. NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_pattern_set_weight(knackdb *db, int64_t id, double weight, knackdb_error *error);
KNACKDB_API knackdb_status knackdb_pattern_set_weight_external(knackdb *db, knackdb_text external_id, double weight,
                                                               knackdb_error *error);

/** A use of a pattern: usage_count + 1 (NULL counts as 0). NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_pattern_use(knackdb *db, int64_t id, knackdb_error *error);
KNACKDB_API knackdb_status knackdb_pattern_use_external(knackdb *db, knackdb_text external_id, knackdb_error *error);

/** A preference used: usage_count + 1, last_used now. NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_preference_use(knackdb *db, knackdb_text type, knackdb_text value,
                                                  knackdb_error *error);

/** Deletes a row by id. NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_delete(knackdb *db, int table, int64_t id, knackdb_error *error);

/** Deletes patterns created and metrics measured more than max_age_seconds ago; a negative age
 *  reaches into the future. Preferences and rows without that time stay.
 *  @param ret_deleted may be NULL. */
KNACKDB_API knackdb_status knackdb_clean_up(knackdb *db, double max_age_seconds, uint64_t *ret_deleted,
                                            knackdb_error *error);

/** The same for one table and a fixed time: rows from before it go. INVALID for preferences. */
KNACKDB_API knackdb_status knackdb_clean_up_before(knackdb *db, int table, double time, uint64_t *ret_deleted,
                                                   knackdb_error *error);

/* ---- read views --------------------------------------------------------- */

/* A read view is one moment of the store: it sees every commit up to its sequence
 * and none after. Nothing is copied: text in its results points into the store and
 * stays valid until knackdb_read_end(). Beginning one takes no lock. A view that is
 * never ended holds memory; knackdb_stats reports the oldest. */

/** A row in a read view; meaningless elsewhere. One that is none reads as NULL in every column. */
typedef uint64_t knackdb_row;

KNACKDB_API knackdb_status knackdb_read_begin(knackdb *db, knackdb_read **ret_read, knackdb_error *error);

/** Ends a view; NULL is accepted. Pointers it gave are invalid from here on. */
KNACKDB_API void knackdb_read_end(knackdb_read *read);

/** Number of the newest commit the view sees; 0 is the empty store. */
KNACKDB_API uint64_t knackdb_read_sequence(const knackdb_read *read);

/** Finds a row by id, or a pattern by external_id, or a preference by type and value. NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_read_by_id(knackdb_read *read, int table, int64_t id, knackdb_row *ret_row);
KNACKDB_API knackdb_status knackdb_read_by_external_id(knackdb_read *read, knackdb_text external_id,
                                                       knackdb_row *ret_row);
KNACKDB_API knackdb_status knackdb_read_by_preference(knackdb_read *read, knackdb_text type, knackdb_text value,
                                                      knackdb_row *ret_row);

/** Views a row that this view gave, as a struct. Text is borrowed until knackdb_read_end(). */
KNACKDB_API void knackdb_read_pattern(knackdb_read *read, knackdb_row row, knackdb_pattern *ret_pattern);
KNACKDB_API void knackdb_read_preference(knackdb_read *read, knackdb_row row, knackdb_preference *ret_preference);
KNACKDB_API void knackdb_read_metric(knackdb_read *read, knackdb_row row, knackdb_metric *ret_metric);

/** Views one cell of a row that this view gave; a column out of range reads as NULL. */
KNACKDB_API knackdb_value knackdb_read_value(knackdb_read *read, int table, knackdb_row row, uint32_t column);

/** Views the first column_count cells of a row that this view gave. */
KNACKDB_API void knackdb_read_values(knackdb_read *read, int table, knackdb_row row, size_t column_count,
                                     knackdb_value *ret_values);

/**
 * Copies one column of many rows into an array: of an answer, or of any rows that this view gave, in any order, one of
 * them more than once, too. Costs a part of what as many calls of knackdb_read_value() do.
 *
 * @param column     an INTEGER, a REAL or a TEXT column, as the call's name says.
 * @param rows       row_count of them; an answer's `rows` as they are, or from some place on, cost least.
 * @param ret_reals  and its like: room for row_count. What is NULL reads as 0, as NaN, as the NULL text; and so does a
 *                   row that this view did not give. Texts are borrowed until knackdb_read_end().
 * @param ret_nulls  room for row_count: whether each is NULL. May be NULL where what stands there says enough.
 * @return KNACKDB_OK, or KNACKDB_INVALID for another type of column, or where there is no such column or table.
 */
KNACKDB_API knackdb_status knackdb_read_integers(knackdb_read *read, int table, uint32_t column,
                                                 const knackdb_row *rows, size_t row_count, int64_t *ret_integers,
                                                 bool *ret_nulls, knackdb_error *error);
KNACKDB_API knackdb_status knackdb_read_reals(knackdb_read *read, int table, uint32_t column, const knackdb_row *rows,
                                              size_t row_count, double *ret_reals, bool *ret_nulls,
                                              knackdb_error *error);
KNACKDB_API knackdb_status knackdb_read_texts(knackdb_read *read, int table, uint32_t column, const knackdb_row *rows,
                                              size_t row_count, knackdb_text *ret_texts, bool *ret_nulls,
                                              knackdb_error *error);

/* ---- queries ------------------------------------------------------------ */

/** A comparison with NULL holds for no operator but KNACKDB_IS_NULL. */
typedef enum knackdb_operator {
    KNACKDB_EQUAL = 0,
    KNACKDB_NOT_EQUAL = 1,
    KNACKDB_LESS = 2,
    KNACKDB_AT_MOST = 3,
    KNACKDB_MORE = 4,
    KNACKDB_AT_LEAST = 5,
    KNACKDB_ONE_OF = 6,   /**< equal to one of `values` */
    KNACKDB_CONTAINS = 7, /**< the text is a JSON list that holds this string */
    KNACKDB_IS_NULL = 8,
    KNACKDB_IS_NOT_NULL = 9,
} knackdb_operator;

/** Column OP value. Texts compare by bytes, numbers by value, INTEGER with REAL exactly. */
typedef struct knackdb_condition {
    uint32_t             column;
    knackdb_operator     op;
    knackdb_value        value;
    const knackdb_value *values; /**< KNACKDB_ONE_OF only; borrowed for the call */
    size_t               value_count;
} knackdb_condition;

static inline knackdb_condition
knackdb_where(uint32_t column, knackdb_operator op, knackdb_value value)
{
    knackdb_condition condition;
    memset(&condition, 0, sizeof condition);
    condition.column = column;
    condition.op = op;
    condition.value = value;
    return condition;
}

static inline knackdb_condition
knackdb_where_text(uint32_t column, const char *string)
{
    return knackdb_where(column, KNACKDB_EQUAL, knackdb_value_text(knackdb_string(string)));
}

static inline knackdb_condition
knackdb_where_at_least(uint32_t column, double bound)
{
    return knackdb_where(column, KNACKDB_AT_LEAST, knackdb_value_real(bound));
}

static inline knackdb_condition
knackdb_where_at_most(uint32_t column, double bound)
{
    return knackdb_where(column, KNACKDB_AT_MOST, knackdb_value_real(bound));
}

/** A sort key. NULL sorts before every value, so last where descending. */
typedef struct knackdb_order {
    int32_t column; /**< a column index, or KNACKDB_ORDER_BY_SCORE (patterns only) */
    bool    descending;
} knackdb_order;

#define KNACKDB_ORDER_BY_SCORE    (-1)
#define KNACKDB_ORDER_KEYS_MAX    4
#define KNACKDB_CONDITIONS_MAX    32
#define KNACKDB_HALF_LIFE_DEFAULT 604800.0 /**< seconds: 7 days */

/**
 * Which rows, in which order. Zeroed it means every pattern by rising id. Every
 * condition must hold. Rows equal under all keys come by rising id.
 */
typedef struct knackdb_query {
    size_t                   struct_size; /**< sizeof(knackdb_query), or 0 for this version's */
    int                      table;
    const knackdb_condition *conditions; /**< borrowed for the call */
    size_t                   condition_count;
    knackdb_order            order[KNACKDB_ORDER_KEYS_MAX];
    size_t                   order_count;
    uint64_t                 limit;             /**< 0 means no limit */
    uint64_t                 offset;            /**< rows to leave out first */
    double                   half_life_seconds; /**< of the score; 0 means 7 days */
    double                   now;               /**< of the score; 0 means the clock */
} knackdb_query;

/** Rows a query found, in order. Owned by the read view; valid until knackdb_read_end(). */
typedef struct knackdb_rows {
    const knackdb_row *rows;
    size_t             count;
} knackdb_rows;

/** Runs a query. INVALID names the condition or key at fault. */
KNACKDB_API knackdb_status knackdb_read_find(knackdb_read *read, const knackdb_query *query, knackdb_rows *ret_rows,
                                             knackdb_error *error);

/** Counts the rows that match; order, limit and offset play no part. */
KNACKDB_API knackdb_status knackdb_read_count(knackdb_read *read, const knackdb_query *query, uint64_t *ret_count,
                                              knackdb_error *error);

/** A query checked once, to run many times from any thread. Its texts are copied. */
typedef struct knackdb_prepared knackdb_prepared;

KNACKDB_API knackdb_status knackdb_prepare(knackdb *db, const knackdb_query *query, knackdb_prepared **ret_prepared,
                                           knackdb_error *error);
KNACKDB_API void           knackdb_prepared_free(knackdb_prepared *prepared);
KNACKDB_API knackdb_status knackdb_read_find_prepared(knackdb_read *read, const knackdb_prepared *prepared,
                                                      knackdb_rows *ret_rows, knackdb_error *error);

/**
 * "Which pattern should I use now": w * c * 2^(-age / half_life), where w is the
 * lower end of the 95 % Wilson score interval (Wilson 1927) of p = success_rate
 * over n = usage_count trials,
 *
 *     w = (p + z^2/2n - z * sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n),  z = 1.959963984540054,
 *
 * c is confidence_score and age = now - updated_at in seconds, 0 where that is
 * negative. n 0, negative or NULL counts as 1, c NULL as 1, p NULL as 0, updated_at NULL as now.
 *
 * @param nulls  KNACKDB_BIT(KNACKDB_PATTERN_...) of the arguments that are NULL.
 * @param half_life_seconds  not above 0 means KNACKDB_HALF_LIFE_DEFAULT.
 */
KNACKDB_API double knackdb_score(double success_rate, int64_t usage_count, double confidence_score, double updated_at,
                                 uint64_t nulls, double now, double half_life_seconds);

/* ---- copies ------------------------------------------------------------- */

/* The same questions without a read view: each answer is one block of memory that
 * the caller frees with knackdb_free(), rows and texts together. An answer without
 * rows is NULL with count 0. */

KNACKDB_API void knackdb_free(void *answer);

/** One row by key; NOT_FOUND where there is none. */
KNACKDB_API knackdb_status knackdb_pattern_get(knackdb *db, int64_t id, knackdb_pattern **ret_pattern,
                                               knackdb_error *error);
KNACKDB_API knackdb_status knackdb_pattern_get_external(knackdb *db, knackdb_text external_id,
                                                        knackdb_pattern **ret_pattern, knackdb_error *error);

/** Rows by query; query->table must be the one in the call's name (0 is patterns). */
KNACKDB_API knackdb_status knackdb_patterns_find(knackdb *db, const knackdb_query *query,
                                                 knackdb_pattern **ret_patterns, size_t *ret_count,
                                                 knackdb_error *error);
KNACKDB_API knackdb_status knackdb_preferences_find(knackdb *db, const knackdb_query *query,
                                                    knackdb_preference **ret_preferences, size_t *ret_count,
                                                    knackdb_error *error);
KNACKDB_API knackdb_status knackdb_metrics_find(knackdb *db, const knackdb_query *query, knackdb_metric **ret_metrics,
                                                size_t *ret_count, knackdb_error *error);

/** Preferences of a type, the most used first; with a value that is not NULL, that one. */
KNACKDB_API knackdb_status knackdb_preferences_get(knackdb *db, knackdb_text type, knackdb_text value,
                                                   knackdb_preference **ret_preferences, size_t *ret_count,
                                                   knackdb_error *error);

/**
 * What a component measured, newest first.
 *
 * @param metric  NULL text for all of its metrics.
 * @param since, until  bounds on measured_at, both included; 0 means none.
 * @param limit   0 means none.
 */
KNACKDB_API knackdb_status knackdb_metrics_history(knackdb *db, knackdb_text component, knackdb_text metric,
                                                   double since, double until, uint64_t limit,
                                                   knackdb_metric **ret_metrics, size_t *ret_count,
                                                   knackdb_error *error);

/* ---- aggregates --------------------------------------------------------- */

#define KNACKDB_PERCENTILES_MAX 16

/** One group. mean, minimum, maximum and percentiles are NaN where value_count is 0. */
typedef struct knackdb_group {
    knackdb_text key;         /**< NULL text for rows without one, or without grouping */
    uint64_t     row_count;   /**< rows that match */
    uint64_t     value_count; /**< of those, with a value that is not NULL */
    double       mean;
    double       minimum;
    double       maximum;
    double       percentiles[KNACKDB_PERCENTILES_MAX];
} knackdb_group;

/**
 * Count, mean, minimum, maximum and percentiles of a number column over the rows
 * that match, grouped by a text column, groups by rising key.
 *
 * @param value_column  INTEGER or REAL.
 * @param group_column  a TEXT column, or -1 for one group of all.
 * @param percentiles   each from 0 to 100; by linear interpolation between the two
 *                      nearest ranks (Hyndman and Fan 1996, type 7).
 * @param ret_groups    owned by the read view; valid until knackdb_read_end().
 */
KNACKDB_API knackdb_status knackdb_read_aggregate(knackdb_read *read, const knackdb_query *query, uint32_t value_column,
                                                  int32_t group_column, const double *percentiles,
                                                  size_t percentile_count, const knackdb_group **ret_groups,
                                                  size_t *ret_group_count, knackdb_error *error);

/* ---- health ------------------------------------------------------------- */

typedef enum knackdb_state {
    KNACKDB_STATE_OK = 0,
    KNACKDB_STATE_DEGRADED = 1, /**< the disk fails, `reason` says how: the log, and then what is stored is in memory
                                     alone and knackdb_sync() says KNACKDB_IO; or the last snapshot, and then nothing
                                     else. Tried again by itself until it is OK */
    KNACKDB_STATE_FAILED = 2,   /**< the log fails and stores are refused (KNACKDB_OPEN_REFUSE_DEGRADED): reads only,
                                     until it is OK again by itself */
} knackdb_state;

/** Kinds of operation whose latencies are kept. Numbers are ABI. */
typedef enum knackdb_operation {
    KNACKDB_OPERATION_STORE = 0,      /**< a call that stores one row */
    KNACKDB_OPERATION_STORE_MANY = 1, /**< a call that stores several */
    KNACKDB_OPERATION_UPDATE = 2,     /**< weight, use, update_row */
    KNACKDB_OPERATION_DELETE = 3,     /**< delete, clean up */
    KNACKDB_OPERATION_GET = 4,        /**< by id or key */
    KNACKDB_OPERATION_FIND = 5,       /**< query, count, history */
    KNACKDB_OPERATION_AGGREGATE = 6,
    KNACKDB_OPERATION_SYNC = 7,
    KNACKDB_OPERATION_SNAPSHOT = 8,
    KNACKDB_OPERATION_COUNT = 9
} knackdb_operation;

/** "store", "find", ... Static; "unknown" for a number that is none. */
KNACKDB_API const char *knackdb_operation_text(knackdb_operation operation);

/** Latencies of a kind of operation since open, in nanoseconds; percentiles are within 13 %. */
typedef struct knackdb_latency {
    uint64_t count;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns;
} knackdb_latency;

typedef struct knackdb_table_stats {
    uint64_t row_count;     /**< living rows */
    uint64_t version_count; /**< living and dead row versions held */
    uint64_t memory_bytes;
} knackdb_table_stats;

#define KNACKDB_TABLES_MAX 8

typedef struct knackdb_stats {
    size_t              struct_size; /**< set by the caller to sizeof(knackdb_stats) */
    knackdb_state       state;
    char                reason[200]; /**< why the state is not ok; empty when it is */
    uint32_t            schema_version;
    uint32_t            table_count;
    knackdb_table_stats tables[KNACKDB_TABLES_MAX];

    uint64_t memory_bytes;        /**< all that the store holds */
    uint64_t memory_column_bytes; /**< column arrays */
    uint64_t memory_text_bytes;   /**< arenas and dictionaries */
    uint64_t memory_index_bytes;  /**< hash indexes and posting lists */
    uint64_t memory_cache_bytes;  /**< result cache */
    uint64_t memory_other_bytes;

    knackdb_latency operations[KNACKDB_OPERATION_COUNT];
    uint64_t        slow_operation_count;
    uint64_t
        cache_hits; /**< of questions asked of it: the best and the newest rows of a text are mostly found without */
    uint64_t cache_misses;
    uint64_t cache_entries;

    uint64_t sequence;               /**< newest commit */
    uint64_t durable_sequence;       /**< newest commit on stable storage */
    uint64_t log_bytes;              /**< log on disk since the snapshot, in bytes used */
    uint64_t log_unsynced_bytes;     /**< not yet on stable storage */
    uint64_t reader_count;           /**< read views open now */
    uint64_t oldest_reader_sequence; /**< what the oldest of them sees; the newest commit without any */

    uint64_t       snapshot_count;    /**< written since open */
    uint64_t       snapshot_sequence; /**< newest commit in the newest snapshot; 0 without one */
    double         snapshot_at;       /**< when it was finished; 0 without one */
    double         snapshot_seconds;  /**< how long the last one took; 0 when written before this open */
    uint64_t       snapshot_bytes;    /**< size on disk */
    knackdb_status snapshot_status;   /**< result of the last attempt since open */

    uint64_t recovered_commits; /**< replayed from the log at open */
    uint64_t torn_bytes;        /**< cut from the log's end at open */
    double   open_seconds;
    double   opened_at;

    uint64_t refresh_count; /**< of a store that follows: calls of knackdb_refresh() */
    uint64_t reload_count;  /**< of these, how many had to read the store anew from a snapshot */
    double   refreshed_at;  /**< all that the writer had stored by then is seen; 0: does not follow */
} knackdb_stats;

/** Fills the status of a store. Costs microseconds; takes the writers' lock for none of them. */
KNACKDB_API knackdb_status knackdb_get_stats(knackdb *db, knackdb_stats *stats, knackdb_error *error);

#define KNACKDB_SLOW_OPERATIONS_KEPT 128

typedef struct knackdb_slow_operation {
    knackdb_operation operation;
    double            at; /**< when it ended */
    uint64_t          duration_ns;
    char what[104]; /**< "store_many execution_patterns, 100 rows", "update user_preferences, 1 row: full" */
} knackdb_slow_operation;

/** The last operations slower than options.slow_operation_us, newest first; those that failed, too, with the status's
 *  text behind what they were to do: "sync: input or output failed". */
KNACKDB_API knackdb_status knackdb_slow_operations(knackdb *db, knackdb_slow_operation *operations, size_t capacity,
                                                   size_t *ret_count, knackdb_error *error);

/* ---- replay log --------------------------------------------------------- */

/* Reads a directory's log, oldest kept record first, beside a running writer, too.
 * Applying every entry in order to an empty store gives the same rows, provided the
 * log goes back to the first commit (knackdb_log_first_sequence() is 1) and has no gap.
 *
 * A gap is where the numbers of commits jump: those between are in a snapshot alone. A log has one where the
 * disk had failed, so that commits went into memory and from there into a snapshot, and an older snapshot is kept,
 * with its log; and a reader that is slower than a live writer's snapshots meets one. */

typedef struct knackdb_log knackdb_log; /**< a place in a log; one thread at a time */

/** What one entry did. Numbers are ABI. */
typedef enum knackdb_log_operation {
    KNACKDB_LOG_PUT = 1,      /**< a whole row: `values` in the order of `columns` */
    KNACKDB_LOG_UPDATE = 2,   /**< `values` of `columns` of row `id` */
    KNACKDB_LOG_DELETE = 3,   /**< row `id` */
    KNACKDB_LOG_CLEAN_UP = 4, /**< rows whose columns[0] is below values[0] */
} knackdb_log_operation;

/** One operation. Everything it points to is valid until the next call on the log. */
typedef struct knackdb_log_entry {
    uint64_t              sequence;    /**< number of the commit */
    double                time;        /**< when it was committed */
    uint32_t              batch_index; /**< place in its commit, from 0 */
    uint32_t              batch_count; /**< operations in its commit */
    int                   table;
    knackdb_log_operation operation;
    int64_t               id; /**< 0 for KNACKDB_LOG_CLEAN_UP */
    size_t                column_count;
    const uint32_t       *columns; /**< indexes in the current schema */
    const knackdb_value  *values;
    const char           *file;   /**< name in the directory */
    uint64_t              offset; /**< of the record, in bytes */
} knackdb_log_entry;

KNACKDB_API knackdb_status knackdb_log_open(const char *path, knackdb_log **ret_log, knackdb_error *error);

/** Next entry. NOT_FOUND at the end: more may come, ask again later. CORRUPT names file and offset. IO with os_errno
 *  ENOENT at a gap, once: the message says up to which commit, and the next call goes on behind it. Who applies entries
 *  must begin anew from a snapshot. */
KNACKDB_API knackdb_status knackdb_log_next(knackdb_log *log, knackdb_log_entry *ret_entry, knackdb_error *error);

/** Sequence of the oldest record kept; 0 for an empty log. */
KNACKDB_API uint64_t knackdb_log_first_sequence(const knackdb_log *log);

/** After NOT_FOUND: bytes of a torn record behind the end, 0 when it is clean. `ret_file`
 *  (valid until the next call on the log) and `ret_offset` say where; both may be NULL. */
KNACKDB_API uint64_t knackdb_log_torn_bytes(const knackdb_log *log, const char **ret_file, uint64_t *ret_offset);

/** NULL is accepted. */
KNACKDB_API void knackdb_log_close(knackdb_log *log);

/* ---- checks ------------------------------------------------------------- */

typedef struct knackdb_fault {
    knackdb_status status; /**< CORRUPT, UNSUPPORTED or IO */
    const char    *file;   /**< name in the directory; "manifest-*.knm": there is none */
    uint64_t       offset; /**< bytes */
    const char    *reason;
} knackdb_fault;

typedef struct knackdb_verify_report {
    uint64_t file_count;
    uint64_t byte_count;
    uint64_t record_count; /**< log records */
    uint64_t block_count;  /**< snapshot blocks */
    uint64_t fault_count;
    uint64_t torn_bytes; /**< at the log's end; not a fault */
} knackdb_verify_report;

/**
 * Reads and checks every byte of every file of a directory; changes nothing; works
 * beside a writer. on_fault (may be NULL) hears each fault. Returns OK when there
 * is none, CORRUPT when there is one, or why it could not look; the report is
 * filled in the first two cases.
 */
KNACKDB_API knackdb_status knackdb_verify(const char *path, void (*on_fault)(void *context, const knackdb_fault *fault),
                                          void *context, knackdb_verify_report *ret_report, knackdb_error *error);

/** What could not be saved. Numbers are ABI. */
typedef enum knackdb_loss_kind {
    KNACKDB_LOSS_MANIFEST = 1,  /**< a manifest: an older one, or the parts that are there, take its place */
    KNACKDB_LOSS_ROWS = 2,      /**< whole rows: a part that is missing, or blocks with the rows' ids */
    KNACKDB_LOSS_VALUES = 3,    /**< a block of one column: it is NULL in these rows */
    KNACKDB_LOSS_COMMITS = 4,   /**< records of the log */
    KNACKDB_LOSS_OPERATION = 5, /**< something that could not be done to a row, as what it needs was lost before */
    KNACKDB_LOSS_TORN = 6,      /**< the torn end of a log, as any open cuts it; no fault */
    KNACKDB_LOSS_FRAME = 7,     /**< head or end of a file, or bytes that no row needs: only they are lost */
} knackdb_loss_kind;

/** One thing that could not be saved. Everything it points to is valid during the call. */
typedef struct knackdb_loss {
    knackdb_loss_kind kind;
    const char       *file;           /**< name in the damaged directory; "manifest-*.knm": there is none */
    uint64_t          offset;         /**< where in it what is lost begins */
    uint64_t          bytes;          /**< that cannot be read there; 0: told of before, or nothing is there */
    uint64_t          first_sequence; /**< commits; 0: none, or not known */
    uint64_t          last_sequence;  /**< 0 with a first one: not known how many */
    int               table;          /**< -1: not known */
    int               column;         /**< -1: all */
    uint64_t          row_count;      /**< 0: none, or not known */
    int64_t           first_id;       /**< their ids lie between these two, both included; 0: not known */
    int64_t           last_id;
    const char       *reason; /**< in words */
} knackdb_loss;

typedef struct knackdb_repair_report {
    uint64_t rows_saved;    /**< in the new directory */
    uint64_t sequence;      /**< newest commit in it */
    uint64_t commits_saved; /**< taken from the log */
    uint64_t loss_count;    /**< told of, but for KNACKDB_LOSS_TORN and KNACKDB_LOSS_FRAME */
    uint64_t rows_lost;     /**< of parts, as far as known */
    uint64_t values_lost;   /**< that are NULL now */
    uint64_t blocks_lost;
    uint64_t commits_lost; /**< as far as known */
    uint64_t bytes_lost;   /**< that could not be read, of all files */
} knackdb_repair_report;

/**
 * Writes a new directory with all that can still be read of a damaged one, which is not
 * changed, and tells what was lost: one record or one block where one was hit. What lies
 * behind a damaged place is found again by its checksums; a commit that builds on a lost one
 * is applied as far as it stands; a column's damaged block leaves NULLs, the id
 * column's takes its rows. Nothing is made up for what is lost. Works on a sound directory, too,
 * which it copies, and beside a writer.
 *
 * @param to       as for knackdb_backup(); checked and opened before this returns.
 * @param on_loss  hears each loss; may be NULL.
 *
 * OK once the new directory is there, whatever was lost: ret_report->loss_count says. NOT_FOUND
 * where there is nothing of a store; UNSUPPORTED where a newer version wrote it; BUSY where a writer's snapshots
 * follow too fast. `to` is then not made.
 */
KNACKDB_API knackdb_status knackdb_repair(const char *path, const char                                   *to,
                                          void (*on_loss)(void *context, const knackdb_loss *loss), void *context,
                                          knackdb_repair_report *ret_report, knackdb_error *error);

/**
 * Brings a directory to the current schema version. on_step (may be NULL) hears each
 * step in words before it is taken. With dry_run nothing is changed.
 *
 * @param ret_from  the version found, even when it is the current one; may be NULL.
 */
KNACKDB_API knackdb_status knackdb_migrate(const char *path, bool                                  dry_run,
                                           void (*on_step)(void *context, const char *step), void *context,
                                           uint32_t *ret_from, knackdb_error *error);

#ifdef __cplusplus
}
#endif

#endif /* KNACKDB_H */
