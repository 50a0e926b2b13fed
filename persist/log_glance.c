/* log_glance.c - see log_glance.h.
 *
 * News comes in three places: as a record where the reader stands, as the first record of a segment that
 * was made ahead, or as a new name (a segment, a manifest). A segment made ahead is opened by its name each
 * time: a writer that closes removes what it did not use, and the next one may make another of
 * that name. */
#include "persist/log_glance.h"

#include "base/hash.h"

#include <string.h>

struct names {
    uint64_t sum; /* in whatever order they are listed */
};

static void
hear_name(void *context, const char *name)
{
    struct names *names = context;

    names->sum += hash_bytes(name, strlen(name), 1) | 1;
}

static knackdb_status
is_blank(const struct file *file, uint64_t offset, bool *ret_blank, knackdb_error *error)
{
    static const unsigned char zeros[LOG_RECORD_HEADER_BYTES] = { 0 };
    unsigned char              bytes[LOG_RECORD_HEADER_BYTES] = { 0 };
    size_t                     read;
    knackdb_status             status = file_read(file, offset, bytes, sizeof bytes, &read, error);

    *ret_blank = memcmp(bytes, zeros, sizeof bytes) == 0;
    return status;
}

/* Is there a record in a segment that had none? */
static knackdb_status
has_begun(const struct dir *dir, const char *name, bool *ret_begun, knackdb_error *error)
{
    unsigned char  head[LOG_HEAD_FIXED_BYTES] = { 0 };
    struct file    file = { 0 };
    uint32_t       head_bytes = 0;
    bool           blank = true;
    size_t         read;
    knackdb_status status;

    status = file_open(dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_NOT_FOUND) { /* then the names have changed, too */
        *ret_begun = true;
        return KNACKDB_OK;
    }
    if (status == KNACKDB_OK)
        status = file_read(&file, 0, head, sizeof head, &read, error);
    if (status == KNACKDB_OK)
        head_bytes = log_head_measure(head);
    if (status == KNACKDB_OK)
        status = is_blank(&file, head_bytes, &blank, error);
    file_close(&file);
    *ret_begun = !blank;
    return status;
}

knackdb_status
log_glance(const struct log_reader *reader, const struct dir *dir, const struct log_glance *before,
           struct log_glance *ret_glance, bool *ret_news, knackdb_error *error)
{
    struct names       names = { 1 };
    const struct file *file;
    const char        *name;
    uint64_t           offset;
    uint64_t           serial = 0;
    bool               blank = true;
    bool               begun = false;
    knackdb_status     status;

    status = dir_list(dir, hear_name, &names, error);
    if (status != KNACKDB_OK)
        return status;
    ret_glance->names = names.sum;
    *ret_news = names.sum != before->names;
    if (*ret_news)
        return KNACKDB_OK;
    file = log_reader_place(reader, &offset);
    if (file != NULL)
        status = is_blank(file, offset, &blank, error);
    while (status == KNACKDB_OK && blank && !begun && (name = log_reader_later(reader, &serial)) != NULL)
        status = has_begun(dir, name, &begun, error);
    *ret_news = !blank || begun;
    return status;
}
