/* directory.h - from a user's path to an open directory that holds a store, or may. */
#ifndef KNACKDB_PERSIST_DIRECTORY_H
#define KNACKDB_PERSIST_DIRECTORY_H

#include "persist/disk.h"

/* Opens the directory, and makes it where `creates` and it is not there, or is an empty file. *ret_made: it was, also
 * where this then failed. NOT_FOUND where there is none to open, INVALID where the path is something else. file_mode is
 * that of the files: the directory may be entered where they may be read. */
knackdb_status directory_open(const struct disk *disk, const char *path, bool creates, uint32_t file_mode,
                              struct dir *ret_dir, bool *ret_made, knackdb_error *error);

/* Syncs the directory above, which holds the name. OK, too, where that one may not be read and so not be synced. */
knackdb_status directory_sync_name(const struct disk *disk, const char *path, knackdb_error *error);

/* The writer's lock; BUSY names the holder. */
knackdb_status directory_lock(const struct dir *dir, uint32_t file_mode, int *ret_lock, knackdb_error *error);
void           directory_unlock(const struct dir *dir, int lock); /* DISK_NONE is accepted */

#endif
