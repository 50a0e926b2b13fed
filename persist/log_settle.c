/* log_settle.c - makes the end of the log what recovery took it for.
 *
 * Only the writer does this, after everything has been read and before anything is
 * written. Three things must be on the disk before the next commit is:
 *
 *   S1  No segment behind the end may come back to life: what is torn there is kept in a file of
 *       its own, for whoever wants to look, and leaves the log. It goes out under a
 *       new name (a whole segment) or is copied and then cut (the tail of one).
 *   S2  The commits that were replayed. A killed process leaves them in the system's
 *       memory alone; from here on they count as durable. A sync is not enough: one may have failed in
 *       the life before, and a system that has lost pages that way still shows them, and calls
 *       the next sync a success. So what nothing testifies to is written again, then synced.
 *   S3  The names of all that, by one sync of the directory. That of the manifest with them, where it is the
 *       first: who made it may have died before its name was durable, and a segment whose name is, without any
 *       manifest, is no store.
 *
 * Each step can be done again after a crash in the middle: a copy that was not
 * finished has an unfinished name, and a tail that was copied and not yet cut is copied
 * once more. The log never continues in a segment that was cut; the next commit
 * opens a new one. */
#include "persist/recovery.h"

#include "base/error.h"
#include "persist/file_copy.h"
#include "persist/file_name.h"

#include <string.h>

struct settling {
    struct allocator      *allocator;
    const struct dir      *dir;
    const struct recovery *recovery;
    uint32_t               file_mode;
    char                  *torn_name;
    uint64_t               torn_bytes;
    bool                   changed; /* names, so that the directory wants a sync */
    knackdb_status         status;
    knackdb_error         *error;
};

/* Copies [from, to) of a segment into a torn file; the original may be cut afterwards. */
static knackdb_status
copy_aside(struct settling *settling, const struct file *file, uint64_t serial, uint64_t from, uint64_t to)
{
    file_name_write_torn(settling->torn_name, serial, from);
    return file_copy(settling->allocator, file, from, to, settling->torn_name, settling->file_mode, settling->error);
}

/* S2: from the first commit that nothing calls durable up to the segment's last; where it has no other, the head,
 * too. */
static knackdb_status
write_again(struct settling *settling, struct segment_reader *segment, const struct file *file,
            const struct log_segment_facts *facts)
{
    uint64_t          durable = settling->recovery->end.durable;
    uint64_t          from = 0;
    struct log_record record;
    knackdb_status    status = KNACKDB_OK;

    if (facts->last_sequence <= durable)
        return KNACKDB_OK;
    segment->offset = segment->head_bytes;
    while (status == KNACKDB_OK) {
        status = segment_reader_next(segment, &record, settling->error);
        if (status == KNACKDB_OK && record.sequence <= durable)
            from = segment->offset;
    }
    if (status != KNACKDB_NOT_FOUND)
        return status;
    return file_copy_bytes(settling->allocator, file, from, segment->offset, file, from, settling->error);
}

/* The segment that holds the end: torn bytes aside, space behind given back, the rest on the disk. */
static knackdb_status
settle_end(struct settling *settling, struct segment_reader *segment, const struct file *file,
           const struct log_segment_facts *facts)
{
    const struct log_end *end = &settling->recovery->end;
    uint64_t              torn_end;
    uint64_t              bytes;
    knackdb_status        status;

    status = segment_reader_find_end(segment, end->offset, &torn_end, settling->error);
    if (status == KNACKDB_OK && torn_end > end->offset) {
        status = copy_aside(settling, file, end->serial, end->offset, torn_end);
        settling->torn_bytes += torn_end - end->offset;
    }
    if (status == KNACKDB_OK)
        status = file_size(file, &bytes, settling->error);
    if (status != KNACKDB_OK)
        return status;
    if (bytes > end->offset)
        status = file_truncate(file, end->offset, settling->error);
    else if (end->is_sealed)
        return KNACKDB_OK;
    if (status == KNACKDB_OK)
        status = write_again(settling, segment, file, facts);
    return status == KNACKDB_OK ? file_sync(file, settling->error) : status;
}

/* A segment behind the end: out of the log, and kept where anything is in it. */
static knackdb_status
settle_later(struct settling *settling, struct segment_reader *segment, const struct file *file)
{
    uint64_t       from = segment->head_bytes; /* 0 where the head cannot be read */
    uint64_t       torn_end;
    knackdb_status status;

    settling->changed = true;
    status = segment_reader_find_end(segment, from, &torn_end, settling->error);
    if (status != KNACKDB_OK)
        return status;
    if (torn_end == from)
        return dir_remove(settling->dir, file->name, settling->error);
    settling->torn_bytes += torn_end - from;
    file_name_write_torn(settling->torn_name, segment->serial, 0);
    return dir_rename(settling->dir, file->name, settling->torn_name, settling->error);
}

static void
settle_segment(void *context, const struct log_segment_facts *facts)
{
    struct settling       *settling = context;
    const struct recovery *recovery = settling->recovery;
    struct segment_reader  segment;
    struct file            file = { 0 };
    unsigned char          fixed[LOG_HEAD_FIXED_BYTES];
    size_t                 bytes = 0;
    char                   name[DISK_NAME_BYTES_MAX];
    bool                   is_behind = facts->serial > recovery->end.serial;
    bool                   is_end = facts->serial == recovery->end.serial;

    if (settling->status != KNACKDB_OK)
        return;
    /* Finished segments whose every commit a later one calls durable, or the snapshot has, are left alone. */
    if (!is_behind && !is_end && facts->last_sequence <= recovery->end.durable)
        return;
    file_name_write(name, FILE_LOG, facts->serial);
    settling->status = file_open(settling->dir, name, DISK_WRITE, 0, &file, settling->error);
    if (settling->status == KNACKDB_NOT_FOUND) {
        settling->status = KNACKDB_OK;
        return;
    }
    if (settling->status != KNACKDB_OK)
        return;
    segment_reader_init(&segment, settling->allocator, &file, recovery->manifest.store_id, facts->serial);
    settling->status = file_read(&file, 0, fixed, sizeof fixed, &bytes, settling->error);
    if (bytes == sizeof fixed)
        segment.head_bytes = log_head_measure(fixed);
    if (settling->status == KNACKDB_OK && is_behind) {
        settling->status = settle_later(settling, &segment, &file);
    } else if (settling->status == KNACKDB_OK && is_end) {
        settling->status = settle_end(settling, &segment, &file, facts);
    } else if (settling->status == KNACKDB_OK) {
        settling->status = write_again(settling, &segment, &file, facts);
        if (settling->status == KNACKDB_OK)
            settling->status = file_sync(&file, settling->error);
    }
    segment_reader_clear(&segment);
    file_close(&file);
}

knackdb_status
log_settle(struct allocator *allocator, const struct dir *dir, const struct recovery *recovery, uint32_t file_mode,
           char torn_name[DISK_NAME_BYTES_MAX], uint64_t *ret_torn_bytes, knackdb_error *error)
{
    struct settling settling = {
        .allocator = allocator,
        .dir = dir,
        .recovery = recovery,
        .file_mode = file_mode,
        .torn_name = torn_name,
        .changed = (recovery->end.serial != 0 && !recovery->end.is_sealed) || recovery->manifest.generation == 1,
        .status = KNACKDB_OK,
        .error = error,
    };

    torn_name[0] = '\0';
    log_reader_tell_segments(recovery->log, settle_segment, &settling);
    if (settling.status == KNACKDB_OK && settling.changed)
        settling.status = dir_sync(dir, error);
    *ret_torn_bytes = settling.torn_bytes;
    return settling.status;
}
