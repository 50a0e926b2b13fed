/* packed_file.h - a file of LZ4 blocks that reads as what was packed into it. docs/FORMAT.md has the tables.
 *
 * Once opened, file_size(), file_read() and file_close() work on it as on any file; offsets are those of the bytes
 * before they were packed. What it is for: log segments that are kept as history. One thread at a time reads an open
 * one. */
#ifndef KNACKDB_PERSIST_PACKED_FILE_H
#define KNACKDB_PERSIST_PACKED_FILE_H

#include "base/allocator.h"
#include "persist/disk.h"

/* Opens for reading. Errors name the file. */
knackdb_status packed_file_open(struct allocator *allocator, const struct dir *dir, const char *name, uint64_t store_id,
                                uint64_t number, struct file *ret_file, knackdb_error *error);

/* The same for a file that is open; on failure it stays what it was. */
knackdb_status packed_file_take(struct allocator *allocator, struct file *file, uint64_t store_id, uint64_t number,
                                knackdb_error *error);

/* Reads every block. CORRUPT: *ret_fault is where in the file, and the message says what, not where. */
knackdb_status packed_file_check(const struct file *file, uint64_t *ret_fault, knackdb_error *error);

/* Writes `name` from what `from` holds, of more than `bytes_max` the first so many: under its unfinished name, synced,
 * renamed, the directory synced. */
knackdb_status packed_file_write(struct allocator *allocator, const struct file *from, uint64_t bytes_max,
                                 const char *name, uint64_t store_id, uint64_t number, uint32_t file_mode,
                                 knackdb_error *error);

/* ---- for disk.c ---- */

struct packed;

uint64_t       packed_size(const struct packed *packed);
knackdb_status packed_read(const struct file *file, uint64_t offset, void *to, size_t bytes, size_t *ret_bytes,
                           knackdb_error *error);
void           packed_free(struct packed *packed);

#endif
