/* log_past.c - see log_past.h.
 *
 * History is one run of segments that ends where the log begins: a segment is packed and durable before its log file is
 * removed, and of what is packed the oldest goes first. Should packing fail (a full disk), the log file
 * stays, and the next sweep tries again. For a moment a segment may be there in both forms; they hold the same. */
#include "persist/log_past.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/log_format.h"
#include "persist/packed_file.h"

#include <stdlib.h>
#include <string.h>

bool
log_is_segment_name(const char *name, uint64_t *ret_serial)
{
    enum file_kind kind = file_name_read(name, ret_serial);

    return kind == FILE_LOG || kind == FILE_PAST;
}

knackdb_status
log_open_segment(struct allocator *allocator, const struct dir *dir, uint64_t store_id, uint64_t serial,
                 struct file *ret_file, knackdb_error *error)
{
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_LOG, serial);
    status = file_open(dir, name, DISK_READ, 0, ret_file, error);
    if (status != KNACKDB_NOT_FOUND)
        return status;
    file_name_write(name, FILE_PAST, serial);
    return packed_file_open(allocator, dir, name, store_id, serial, ret_file, error);
}

/* Where nothing of it can be read, or is sound, there is nothing to keep. */
static knackdb_status
pack(const struct log_past *past, const struct file *file, uint64_t serial, knackdb_error *error)
{
    uint64_t        sound_bytes = past->sound_bytes != NULL ? past->sound_bytes(past->context, serial) : UINT64_MAX;
    unsigned char  *head = allocator_get(past->allocator, LOG_HEAD_BYTES_MAX);
    struct log_head facts;
    char            name[DISK_NAME_BYTES_MAX];
    size_t          read;
    bool            is_readable = false;
    knackdb_status  status;

    if (head == NULL)
        return error_no_memory(error, "the head of a log segment");
    status = file_read(file, 0, head, LOG_HEAD_BYTES_MAX, &read, error);
    if (status == KNACKDB_OK)
        is_readable = log_head_read(head, read, &facts, NULL) == KNACKDB_OK && facts.store_id == past->store_id;
    allocator_put(past->allocator, head, LOG_HEAD_BYTES_MAX);
    if (status != KNACKDB_OK || !is_readable || sound_bytes == 0)
        return status;
    file_name_write(name, FILE_PAST, serial);
    return packed_file_write(past->allocator, file, sound_bytes, name, past->store_id, serial, past->file_mode, error);
}

knackdb_status
log_past_take(const struct log_past *past, uint64_t serial, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status = KNACKDB_OK;

    file_name_write(name, FILE_LOG, serial);
    if (past->bytes_max > 0) {
        status = file_open(past->dir, name, DISK_READ, 0, &file, error);
        if (status == KNACKDB_OK)
            status = pack(past, &file, serial, error);
        file_close(&file);
    }
    if (status == KNACKDB_NOT_FOUND)
        return KNACKDB_OK;
    return status == KNACKDB_OK ? dir_remove(past->dir, name, error) : status;
}

/* ---- how much of it ---- */

struct past_list {
    const struct log_past *past;
    uint64_t              *serials;
    size_t                 count;
    size_t                 capacity;
    bool                   no_memory;
};

static void
hear_name(void *context, const char *name)
{
    struct past_list *list = context;
    uint64_t         *serials;
    uint64_t          serial;

    if (file_name_read(name, &serial) != FILE_PAST)
        return;
    serials =
        allocator_make_room(list->past->allocator, list->serials, list->count + 1, &list->capacity, sizeof *serials);
    if (serials == NULL) {
        list->no_memory = true;
        return;
    }
    list->serials = serials;
    list->serials[list->count++] = serial;
}

static int
compare_newest_first(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left;
    uint64_t b = *(const uint64_t *) right;

    return a > b ? -1 : a < b;
}

/* Goes through the history from the newest on. Where `trims`, what is beyond bytes_max is removed. */
static knackdb_status
walk(const struct log_past *past, bool trims, uint64_t *ret_bytes, knackdb_error *error)
{
    struct past_list list = { .past = past };
    bool             is_beyond = false;
    knackdb_status   status = dir_list(past->dir, hear_name, &list, error);

    *ret_bytes = 0;
    if (status == KNACKDB_OK && list.no_memory)
        status = error_no_memory(error, "the list of the log's history");
    if (list.count > 0)
        qsort(list.serials, list.count, sizeof *list.serials, compare_newest_first);
    for (size_t i = 0; i < list.count && status == KNACKDB_OK; i++) {
        struct file file = { 0 };
        char        name[DISK_NAME_BYTES_MAX];
        uint64_t    bytes = 0;

        file_name_write(name, FILE_PAST, list.serials[i]);
        status = file_open(past->dir, name, DISK_READ, 0, &file, error);
        if (status == KNACKDB_OK)
            status = file_size(&file, &bytes, error);
        file_close(&file);
        *ret_bytes += bytes;
        is_beyond |= *ret_bytes > past->bytes_max;
        if (status == KNACKDB_OK && trims && is_beyond)
            status = dir_remove(past->dir, name, error);
    }
    if (list.serials != NULL)
        allocator_put(past->allocator, list.serials, list.capacity * sizeof *list.serials);
    return status;
}

knackdb_status
log_past_trim(const struct log_past *past, knackdb_error *error)
{
    uint64_t bytes;

    return past->bytes_max == UINT64_MAX ? KNACKDB_OK : walk(past, true, &bytes, error);
}

knackdb_status
log_past_measure(const struct log_past *past, uint64_t *ret_bytes, knackdb_error *error)
{
    return walk(past, false, ret_bytes, error);
}
