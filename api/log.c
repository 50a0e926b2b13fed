/* log.c - the replay log, as the public header has it: commits taken apart into their operations. */
#include "api/handle.h"
#include "base/allocator.h"
#include "base/error.h"
#include "core/commit.h"
#include "persist/replay_log.h"
#include "schema/schema.h"

#include <inttypes.h>
#include <string.h>

struct knackdb_log {
    struct allocator        allocator;
    struct replay_log      *replay;
    struct log_commit       commit;
    struct commit_reader    operations; /* of that commit */
    bool                    has_commit;
    uint32_t                batch_index;
    struct commit_operation operation;
    uint32_t                columns[KNACKDB_COLUMNS_MAX];
    knackdb_value           values[KNACKDB_COLUMNS_MAX];
};

knackdb_status
knackdb_log_open(const char *path, knackdb_log **ret_log, knackdb_error *error)
{
    struct allocator allocator;
    knackdb_log     *log;
    knackdb_status   status;

    if (path == NULL || ret_log == NULL)
        return error_set(error, KNACKDB_INVALID, "log: a path is wanted, and where to put the log");
    allocator_init(&allocator, NULL);
    log = allocator_get_zeroed(&allocator, sizeof *log);
    if (log == NULL)
        return error_no_memory(error, "a log");
    allocator_init(&log->allocator, NULL);
    status = replay_log_open(&log->allocator, disk_posix(), path, schema_history_builtin(), schema_builtin(),
                             &log->replay, error);
    if (status == KNACKDB_CORRUPT)
        error_add(error, DAMAGE_ADVICE);
    if (status != KNACKDB_OK) {
        allocator_put(&allocator, log, sizeof *log);
        return status;
    }
    *ret_log = log;
    return KNACKDB_OK;
}

/* A stored row comes whole, NULLs and all; other operations name what they touch. */
static void
spread(knackdb_log *log)
{
    const struct commit_operation *operation = &log->operation;
    const struct table            *table = &schema_builtin()->tables[operation->table];

    if (operation->kind != KNACKDB_LOG_PUT)
        return;
    for (uint32_t column = 0; column < table->column_count; column++) {
        log->columns[column] = column;
        log->values[column] = knackdb_value_null();
    }
    log->values[0] = knackdb_value_integer(operation->id);
    for (size_t i = 0; i < operation->count; i++)
        log->values[operation->columns[i]] = operation->values[i];
}

static void
fill(knackdb_log *log, knackdb_log_entry *entry)
{
    const struct commit_operation *operation = &log->operation;
    bool                           is_put = operation->kind == KNACKDB_LOG_PUT;

    spread(log);
    memset(entry, 0, sizeof *entry);
    entry->sequence = log->commit.record.sequence;
    entry->time = (double) log->commit.record.time_us / 1e6;
    entry->batch_index = log->batch_index;
    entry->batch_count = log->operations.operation_count;
    entry->table = (int) operation->table;
    entry->operation = operation->kind;
    entry->id = operation->id;
    entry->column_count = is_put ? schema_builtin()->tables[operation->table].column_count : operation->count;
    entry->columns = is_put ? log->columns : operation->columns;
    entry->values = is_put ? log->values : operation->values;
    entry->file = log->commit.file;
    entry->offset = log->commit.offset;
}

static knackdb_status
blame_commit(const knackdb_log *log, knackdb_status status, const knackdb_error *why, knackdb_error *error)
{
    return error_set(error, status, "%s/%s: offset %" PRIu64 ": %s", replay_log_path(log->replay), log->commit.file,
                     log->commit.offset, why->message);
}

/* The next operation of the commit at hand. */
static knackdb_status
next_operation(knackdb_log *log, knackdb_error *error)
{
    knackdb_error  why;
    knackdb_status status = commit_reader_next(&log->operations, &log->operation, &why);

    log->has_commit = status == KNACKDB_OK; /* behind one that cannot be read nobody knows where the next begins */
    return status != KNACKDB_OK && status != KNACKDB_NOT_FOUND ? blame_commit(log, status, &why, error) : status;
}

/* Goes on to the next commit. */
static knackdb_status
next_commit(knackdb_log *log, knackdb_error *error)
{
    knackdb_error  why = { 0 };
    knackdb_status status = replay_log_next(log->replay, &log->commit, error);

    if (status != KNACKDB_OK)
        return status;
    status = commit_reader_init(&log->operations, log->commit.map, log->commit.record.payload,
                                log->commit.record.payload_bytes, &why);
    if (status != KNACKDB_OK)
        return blame_commit(log, status, &why, error);
    log->has_commit = true;
    log->batch_index = 0;
    return KNACKDB_OK;
}

knackdb_status
knackdb_log_next(knackdb_log *log, knackdb_log_entry *ret_entry, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    do {
        if (!log->has_commit)
            status = next_commit(log, error);
        if (status != KNACKDB_OK)
            break;
        status = next_operation(log, error);
        if (status == KNACKDB_OK && !log->operation.table_dropped)
            fill(log, ret_entry);
        log->batch_index += status == KNACKDB_OK;
    } while (status == KNACKDB_NOT_FOUND || (status == KNACKDB_OK && log->operation.table_dropped));
    if (status == KNACKDB_CORRUPT)
        error_add(error, DAMAGE_ADVICE);
    if (status == KNACKDB_NOT_FOUND)
        (void) error_set(error, status, "%s: the log has ended; more may come", replay_log_path(log->replay));
    return status;
}

uint64_t
knackdb_log_first_sequence(const knackdb_log *log)
{
    return replay_log_first_sequence(log->replay);
}

uint64_t
knackdb_log_torn_bytes(const knackdb_log *log, const char **ret_file, uint64_t *ret_offset)
{
    return replay_log_torn_bytes(log->replay, ret_file, ret_offset);
}

void
knackdb_log_close(knackdb_log *log)
{
    struct allocator allocator;

    if (log == NULL)
        return;
    allocator_init(&allocator, NULL);
    replay_log_close(log->replay);
    allocator_put(&allocator, log, sizeof *log);
}
