/* memory_vfs.h - SQLite's file system with one file in it, which is only bytes. Read-only. */
#ifndef TESTS_FUZZ_MEMORY_VFS_H
#define TESTS_FUZZ_MEMORY_VFS_H

#include <stddef.h>
#include <stdint.h>

/* Makes it SQLite's default, so that whatever path is opened next finds these bytes. They stay the caller's. */
void memory_vfs_show(const uint8_t *data, size_t size);

#endif
