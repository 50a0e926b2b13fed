/* file_name.h - what the files of a store are called.
 *
 *     manifest-<generation>.knm    which parts make up a snapshot; the highest generation counts
 *     part-<number>.knp            rows, column by column
 *     log-<serial>.knl             a segment of the replay log
 *     past-<serial>.knh            a segment that no snapshot needs, packed, as history
 *     torn-<serial>-<offset>.knt   what was cut from a segment at that offset
 *     knackdb.lock                 the writer's lock; always empty
 *     any of these with ~        a file being written; means nothing
 *
 * Numbers are 16 lower-case hexadecimal digits, so that a listing is in order. Any other
 * name is somebody else's: never opened, never removed. */
#ifndef KNACKDB_PERSIST_FILE_NAME_H
#define KNACKDB_PERSIST_FILE_NAME_H

#include "persist/disk.h"

#include <stdint.h>

enum file_kind {
    FILE_FOREIGN,
    FILE_MANIFEST,
    FILE_PART,
    FILE_LOG,
    FILE_PAST,
    FILE_TORN,
    FILE_LOCK,
    FILE_UNFINISHED, /* number: that of the file it would have become */
};

#define FILE_NAME_LOCK "knackdb.lock"

/* FILE_MANIFEST, FILE_PART, FILE_LOG and FILE_PAST. */
void file_name_write(char name[DISK_NAME_BYTES_MAX], enum file_kind kind, uint64_t number);
void file_name_write_torn(char name[DISK_NAME_BYTES_MAX], uint64_t serial, uint64_t offset);
/* The name to write under until `name` is whole. */
void file_name_write_unfinished(char unfinished[DISK_NAME_BYTES_MAX], const char *name);

enum file_kind file_name_read(const char *name, uint64_t *ret_number);

#endif
