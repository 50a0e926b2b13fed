/* replay_log.c - from the oldest commit to the newest, and on as the writer goes on.
 *
 * When the end is reached for the first time all that lies behind it is looked at, so damage
 * is told from a torn end as at any open. After that only a few bytes are looked at
 * each time the end is met: a follower asks often, and beside a live writer there is
 * nothing there but zeros, or a record half written; and where not even a name has changed,
 * a glance is all it takes.
 *
 * What a snapshot removed before it was read is told once, and then passed over: the commits are safe, if not
 * here. It must have been missing twice, with a look at the log in between, as the writer may have gone
 * on between our looks at the log and at the manifest. */
#include "persist/replay_log.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/log_glance.h"
#include "persist/log_overtaken.h"
#include "persist/manifest_files.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct replay_log {
    struct allocator  *allocator;
    struct dir         dir;
    struct log_reader *reader;
    uint64_t           first_sequence;
    struct log_commit  first; /* read at open to know its sequence; given by the first next() */
    bool               has_first;
    bool               is_judged;                      /* the end has been met before */
    struct log_end     end;                            /* where it was met last */
    bool               is_at_end;                      /* no commit has been given since it was met last */
    struct log_glance  glance;                         /* before we looked for more the last time */
    uint64_t           generation;                     /* newest manifest that is known not to be ahead of us */
    uint64_t           last;                           /* commit given last, or passed over */
    char               torn_file[DISK_NAME_BYTES_MAX]; /* that replay_log_torn_bytes() names */
};

static knackdb_status
open_reader(struct replay_log *log, const struct schema_history *history, const struct schema *schema,
            knackdb_error *error)
{
    struct manifest           manifest;
    struct log_reader_options options = { .dir = &log->dir, .history = history, .schema = schema, .from_oldest = true };
    knackdb_status            status;

    manifest_init(&manifest, log->allocator);
    for (int tries = 0; tries < 100; tries++) {
        manifest_clear(&manifest);
        status = manifest_file_find(&manifest, &log->dir, error);
        if (status == KNACKDB_OK && manifest.schema_version > schema->version)
            status = error_set(error, KNACKDB_UNSUPPORTED, "%s: schema version %u; this library knows up to %u",
                               log->dir.path, (unsigned) manifest.schema_version, (unsigned) schema->version);
        if (status != KNACKDB_OK)
            break;
        options.store_id = manifest.store_id;
        status = log_reader_new(log->allocator, &options, &log->reader, error);
        if (status != KNACKDB_NOT_FOUND) /* a segment went while the list was read: look again */
            break;
    }
    log->generation = manifest.generation;
    log->last = manifest.sequence; /* until a commit is read */
    manifest_clear(&manifest);
    return status;
}

/* Every commit that no snapshot holds must be in the log; what is missing at its beginning shows only here. */
static knackdb_status
check_beginning(struct replay_log *log, knackdb_error *error)
{
    struct manifest manifest;
    knackdb_status  status;

    if (log->first_sequence <= 1)
        return KNACKDB_OK;
    manifest_init(&manifest, log->allocator);
    status = manifest_file_read_newest(&manifest, &log->dir, error);
    if (status == KNACKDB_OK && log->first_sequence > manifest.sequence + 1)
        status = error_set(error, KNACKDB_CORRUPT,
                           "%s/%s: offset %" PRIu64 ": commit %" PRIu64 " is the first; commit %" PRIu64
                           " is missing from the log",
                           log->dir.path, log->first.file, log->first.offset, log->first_sequence,
                           manifest.sequence + 1);
    manifest_clear(&manifest);
    return status;
}

knackdb_status
replay_log_open(struct allocator *allocator, const struct disk *disk, const char *path,
                const struct schema_history *history, const struct schema *schema, struct replay_log **ret_log,
                knackdb_error *error)
{
    struct replay_log *log = allocator_get_zeroed(allocator, sizeof *log);
    knackdb_status     status;

    if (log == NULL)
        return error_no_memory(error, "a log");
    log->allocator = allocator;
    log->dir.handle = DISK_NONE;
    status = dir_open(disk, path, &log->dir, error);
    if (status == KNACKDB_OK)
        status = open_reader(log, history, schema, error);
    if (status == KNACKDB_OK)
        status = log_reader_next(log->reader, &log->first, error);
    log->has_first = status == KNACKDB_OK;
    if (log->has_first)
        log->first_sequence = log->first.record.sequence;
    if (log->has_first)
        status = check_beginning(log, error);
    if (status != KNACKDB_OK && status != KNACKDB_NOT_FOUND) {
        replay_log_close(log);
        return status;
    }
    if (log->reader == NULL) { /* NOT_FOUND: no directory, or no store in it */
        replay_log_close(log);
        return status;
    }
    *ret_log = log;
    return KNACKDB_OK;
}

const char *
replay_log_path(const struct replay_log *log)
{
    return log->dir.path;
}

void
replay_log_close(struct replay_log *log)
{
    if (log == NULL)
        return;
    log_reader_free(log->reader);
    dir_close(&log->dir);
    allocator_put(log->allocator, log, sizeof *log);
}

/* Which commit is the next that may still come, where those before it are in a snapshot alone? 0: no such thing. */
static knackdb_status
find_jump(struct replay_log *log, uint64_t *ret_next, knackdb_error *error)
{
    struct manifest newest;
    bool            is_newer = false;
    knackdb_status  status = log_is_overtaken(log->reader, log->allocator, &log->dir, ret_next, error);

    if (status != KNACKDB_OK || *ret_next != 0)
        return status;
    manifest_init(&newest, log->allocator);
    status = manifest_file_read_newer(&newest, &log->dir, log->generation, &is_newer, error);
    if (status == KNACKDB_OK && is_newer && newest.sequence > log->last)
        *ret_next = newest.sequence + 1;
    else if (status == KNACKDB_OK && is_newer)
        log->generation = newest.generation;
    manifest_clear(&newest);
    /* Removed meanwhile; what is open can be read to its end. */
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

static knackdb_status
tell_jump(struct replay_log *log, uint64_t next, knackdb_error *error)
{
    (void) error_set(error, KNACKDB_IO,
                     "%s: the log from commit %" PRIu64 " to %" PRIu64
                     " is gone or cannot be read: a snapshot has taken its place",
                     log->dir.path, log->last + 1, next - 1);
    if (error != NULL)
        error->os_errno = ENOENT;
    log_reader_skip_to(log->reader, next);
    log->last = next - 1;
    return KNACKDB_IO;
}

/* The reader has met the end. OK where that is all there is to say. */
static knackdb_status
judge(struct replay_log *log, knackdb_error *error)
{
    bool           is_clean;
    knackdb_status status;

    status = log_reader_is_clean(log->reader, &is_clean, error);
    if (status == KNACKDB_OK && !(log->is_judged && is_clean))
        status = log_reader_judge(log->reader, &log->end, error);
    else if (status == KNACKDB_OK)
        log->end.torn_bytes = 0;
    if (status == KNACKDB_OK && log->end.torn_bytes > 0)
        file_name_write(log->torn_file, FILE_LOG, log->end.torn_serial);
    log->is_judged |= status == KNACKDB_OK;
    return status;
}

knackdb_status
replay_log_next(struct replay_log *log, struct log_commit *ret_commit, knackdb_error *error)
{
    struct log_glance glance = { 0 };
    uint64_t          jump = 0;
    bool              news = true;
    knackdb_status    status = KNACKDB_OK;

    if (log->has_first) {
        log->has_first = false;
        *ret_commit = log->first;
        log->last = ret_commit->record.sequence;
        return KNACKDB_OK;
    }
    if (log->is_at_end)
        status = log_glance(log->reader, &log->dir, &log->glance, &glance, &news, error);
    if (status == KNACKDB_OK && !news)
        return KNACKDB_NOT_FOUND;
    for (int look = 0; status == KNACKDB_OK && look < 2; look++) {
        uint64_t before = jump;

        status = log_reader_next(log->reader, ret_commit, error);
        if (status == KNACKDB_OK) {
            log->is_at_end = false;
            log->last = ret_commit->record.sequence;
            return KNACKDB_OK;
        }
        if (status == KNACKDB_NOT_FOUND)
            status = find_jump(log, &jump, error);
        if (status == KNACKDB_OK && jump == 0)
            break;
        if (status == KNACKDB_OK && jump == before)
            return tell_jump(log, jump, error);
    }
    if (status == KNACKDB_OK)
        status = judge(log, error);
    log->glance = glance;
    log->is_at_end = status == KNACKDB_OK;
    return status == KNACKDB_OK ? KNACKDB_NOT_FOUND : status;
}

uint64_t
replay_log_first_sequence(const struct replay_log *log)
{
    return log->first_sequence;
}

uint64_t
replay_log_torn_bytes(const struct replay_log *log, const char **ret_file, uint64_t *ret_offset)
{
    bool is_torn = log->end.torn_bytes > 0;

    if (ret_file != NULL)
        *ret_file = is_torn ? log->torn_file : log_reader_file(log->reader);
    if (ret_offset != NULL)
        *ret_offset = is_torn ? log->end.torn_offset : log->end.offset;
    return log->end.torn_bytes;
}
