/* commit_bytes.h - a commit read from bytes, and what must be true of it then. */
#ifndef TESTS_FUZZ_COMMIT_BYTES_H
#define TESTS_FUZZ_COMMIT_BYTES_H

#include "core/commit.h"

/* Reads all operations of a payload and claims of each what commit.h promises: a table and columns of `schema`, values
 * of their types, valid text within the payload. Returns how it ended: NOT_FOUND where it is whole. */
knackdb_status commit_bytes_read(const struct commit_map *map, const struct schema *schema, const void *payload,
                                 size_t bytes);

#endif
