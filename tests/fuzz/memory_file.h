/* memory_file.h - one file that is only bytes, for readers that ask a `struct disk`. Read-only. */
#ifndef TESTS_FUZZ_MEMORY_FILE_H
#define TESTS_FUZZ_MEMORY_FILE_H

#include "persist/disk.h"

struct memory_file {
    struct disk          disk;
    struct dir           dir;
    struct file          file; /* what readers are given */
    const unsigned char *data;
    size_t               bytes;
};

/* `name` is what messages call it. The bytes stay the caller's. */
void memory_file_init(struct memory_file *memory, const char *name, const void *data, size_t bytes);

#endif
