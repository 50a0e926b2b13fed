/* file_copy.h - a piece of a file, copied. */
#ifndef KNACKDB_PERSIST_FILE_COPY_H
#define KNACKDB_PERSIST_FILE_COPY_H

#include "base/allocator.h"
#include "persist/disk.h"

/* Copies bytes `from` to `to` of a file, or what is there of them, to `to_offset` of another, which may be the same. */
knackdb_status file_copy_bytes(struct allocator *allocator, const struct file *from_file, uint64_t from, uint64_t to,
                               const struct file *to_file, uint64_t to_offset, knackdb_error *error);

/* Makes a file of this name out of such bytes of another in the same directory. It takes the place of a file of that
 * name. When this returns KNACKDB_OK it is on stable storage, and so is its name. */
knackdb_status file_copy(struct allocator *allocator, const struct file *file, uint64_t from, uint64_t to,
                         const char *name, uint32_t mode, knackdb_error *error);

#endif
