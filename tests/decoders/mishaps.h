/* mishaps.h - memory and a disk of few files that fail once, at one place after the other.
 *
 *     for (mishaps_begin(&mishaps, bytes, count); mishaps_next(&mishaps);) {
 *         status = ...;  with mishaps.allocator and mishaps.memory.file; then everything is freed
 *         mishaps_end(&mishaps, status, KNACKDB_OK);
 *     }
 *
 * runs the body again and again: the nth allocation or call to the disk fails in the nth run, and nothing in the last.
 * What is created on that disk is one file, `written`; the file that is read stays as it is. */
#ifndef TESTS_DECODERS_MISHAPS_H
#define TESTS_DECODERS_MISHAPS_H

#include "../fuzz/memory_file.h"
#include "base/allocator.h"
#include "knackdb.h"

struct mishaps {
    struct memory_file memory; /* its disk is found by being first */
    struct allocator   allocator;
    struct disk        sound; /* what the disk does when it does not fail */
    unsigned char     *written;
    size_t             written_bytes;
    bool               is_named;  /* `written` has been renamed to what it is to be called */
    uint64_t           told_more; /* bytes that a file is told to have beyond those that it gives */
    uint64_t           fail_at;
    uint64_t           seen;
};

void mishaps_begin(struct mishaps *mishaps, const void *data, size_t bytes);
/* False, and all given back, after the run in which nothing failed. */
bool mishaps_next(struct mishaps *mishaps);

/* What failed came out as NO_MEMORY or IO, and where nothing did as `otherwise`; no memory is left. */
void mishaps_end(struct mishaps *mishaps, knackdb_status status, knackdb_status otherwise);

#endif
