/* ends_file.h - the file that tells which rows of a table's parts have ended: written, and read back. */
#ifndef KNACKDB_PERSIST_ENDS_FILE_H
#define KNACKDB_PERSIST_ENDS_FILE_H

#include "persist/coverage.h"
#include "persist/ends_format.h"
#include "persist/part_writer.h"

/* Writes what the covers say has ended, and names the file in list->ends; where none has, there is none. */
knackdb_status ends_file_write(const struct part_writer *writer, uint32_t table, struct cover_list *list,
                               uint64_t *next_part, knackdb_error *error);

/* As long as it can be beside so many parts: more is not read, however large a sparse file and a manifest claim it to
 * be. */
uint64_t ends_file_bytes_max(size_t part_count);

/* Reads the file of a part of kind 2 into an empty buffer and opens it. CORRUPT and UNSUPPORTED: the message says what,
 * and *ret_fault where in the file; anything else names it. */
knackdb_status ends_file_read(const struct file *file, const struct manifest_part *part,
                              const struct manifest *manifest, struct byte_buffer *ret_bytes,
                              struct ends_reader *ret_reader, size_t *ret_fault, knackdb_error *error);

/* The next entry, as ends_next() gives it, if the manifest names such a part, at *index or behind, where *index then
 * is: begin with 0, and go on one behind it. Errors likewise. */
knackdb_status ends_file_next(struct ends_reader *reader, const struct manifest *manifest, uint32_t table,
                              struct ends_entry *ret_entry, size_t *index, size_t *ret_fault, knackdb_error *error);

#endif
