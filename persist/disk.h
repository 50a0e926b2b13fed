/* disk.h - all that persist asks of an operating system.
 *
 * A `struct disk` is a table of the bare calls: each does once what the system call
 * of its name does, and may be interrupted or come back short as that may. What has
 * to be done about it is done in one place, the functions below the table (disk.c),
 * which also put the file's name into every error. So a disk that lies, fails or
 * stutters replaces the table and meets the very code that a real one meets.
 *
 * Names are relative to an open directory: who renames the directory while we run
 * takes us along, and nobody can slip another one under us. */
#ifndef KNACKDB_PERSIST_DISK_H
#define KNACKDB_PERSIST_DISK_H

#include <knackdb.h>

#include <sys/types.h>

enum disk_access {
    DISK_READ,   /* an existing file, to read */
    DISK_WRITE,  /* an existing file, to read and write */
    DISK_CREATE, /* a new file, to read and write; EEXIST where there is one */
};

#define DISK_NO_DIR (-100) /* instead of a directory's handle: `name` is a path by itself */
#define DISK_NONE   (-1)   /* no handle */

/* Each returns a value of 0 or more, or a negative errno. Handles are small numbers.
 * Safe to call from several threads at once. */
struct disk {
    int (*make_dir)(const struct disk *disk, const char *path, uint32_t mode);
    int (*remove_dir)(const struct disk *disk, const char *path); /* an empty one; NULL: they stay */
    int (*open_dir)(const struct disk *disk, const char *path);
    int (*sync_dir)(const struct disk *disk, int dir);
    /* Names every entry but "." and "..", in any order. */
    int (*list)(const struct disk *disk, int dir, void (*hear)(void *context, const char *name), void *context);
    int (*rename)(const struct disk *disk, int dir, const char *from, const char *to);
    int (*remove)(const struct disk *disk, int dir, const char *name);

    /* Takes the writer's lock of a directory, in a file of that name. Handle of the lock;
     * -EAGAIN and the holder's pid (0 where unknown) where another holds it. */
    int (*lock)(const struct disk *disk, int dir, const char *name, uint32_t mode, int64_t *ret_holder);
    void (*unlock)(const struct disk *disk, int dir, int lock);

    int (*open)(const struct disk *disk, int dir, const char *name, enum disk_access access, uint32_t mode);
    void (*close)(const struct disk *disk, int handle); /* of a file or a directory; DISK_NONE is accepted */
    int64_t (*size)(const struct disk *disk, int file); /* -EINVAL: it is no regular file */
    int (*mode)(const struct disk *disk, int file);     /* who may read and write it, 0 to 0777; may be NULL */
    ssize_t (*read_at)(const struct disk *disk, int file, void *to, size_t bytes, uint64_t offset);
    ssize_t (*write_at)(const struct disk *disk, int file, const void *from, size_t bytes, uint64_t offset);
    int (*truncate)(const struct disk *disk, int file, uint64_t bytes);
    int (*sync)(const struct disk *disk, int file); /* contents and size */

    /* 0 where somebody has removed the file's last name, so that what is synced is lost when it is closed. A disk that
     * nobody else touches leaves it NULL. */
    int (*is_named)(const struct disk *disk, int file);

    /* Gives the first `bytes` bytes of a file their place on the disk, reading as zeros, so
     * that writing there cannot fail for want of space. -EOPNOTSUPP where the disk has no such call. */
    int (*allocate)(const struct disk *disk, int file, uint64_t bytes);

    /* Shared mappings, of which a stretch may begin and end anywhere; a disk without any leaves all six NULL. 1 where a
     * directory's file system is known to do them well. */
    int (*maps_well)(const struct disk *disk, int dir);
    int (*map)(const struct disk *disk, int file, size_t bytes, void **ret_memory);
    void (*unmap)(const struct disk *disk, void *memory, size_t bytes);
    int (*sync_map)(const struct disk *disk, void *memory, size_t bytes); /* as sync, for these pages and the size */
    /* Make writing there cheap; may do nothing. */
    void (*populate)(const struct disk *disk, void *memory, size_t bytes);
    void (*drop)(const struct disk *disk, void *memory, size_t bytes); /* out of our memory, not out of the file */
};

/* The operating system. Static. */
const struct disk *disk_posix(void);

/* ---- directories ---- */

#define DISK_PATH_BYTES_MAX 4096
#define DISK_NAME_BYTES_MAX 64

struct dir {
    const struct disk *disk;
    int                handle;
    char               path[DISK_PATH_BYTES_MAX]; /* for messages */
};

/* KNACKDB_NOT_FOUND where there is no such path. */
knackdb_status dir_open(const struct disk *disk, const char *path, struct dir *ret_dir, knackdb_error *error);
void           dir_close(struct dir *dir); /* also one that was never opened, if it is all zero or DISK_NONE */
knackdb_status dir_sync(const struct dir *dir, knackdb_error *error);
knackdb_status dir_list(const struct dir *dir, void (*hear)(void *context, const char *name), void *context,
                        knackdb_error *error);
knackdb_status dir_rename(const struct dir *dir, const char *from, const char *to, knackdb_error *error);
bool           dir_maps_well(const struct dir *dir);
knackdb_status dir_remove(const struct dir *dir, const char *name, knackdb_error *error); /* gone already is fine */

/* ---- files ---- */

struct packed;

struct file {
    const struct dir *dir; /* NULL: not open */
    int               handle;
    char              name[DISK_NAME_BYTES_MAX];
    struct packed    *packed; /* packed_file.h: what is read is what was packed; NULL: as it stands on the disk */
};

/* KNACKDB_NOT_FOUND where there is none (and access is not DISK_CREATE). DISK_CREATE takes the place of a file
 * that is there. */
knackdb_status file_open(const struct dir *dir, const char *name, enum disk_access access, uint32_t mode,
                         struct file *ret_file, knackdb_error *error);
void           file_close(struct file *file); /* closed already is fine */
knackdb_status file_size(const struct file *file, uint64_t *ret_bytes, knackdb_error *error);
/* 0600 on a disk that does not say. */
knackdb_status file_find_mode(const struct file *file, uint32_t *ret_mode, knackdb_error *error);

/* Reads until `bytes` are there or the file ends. */
knackdb_status file_read(const struct file *file, uint64_t offset, void *to, size_t bytes, size_t *ret_bytes,
                         knackdb_error *error);
knackdb_status file_write(const struct file *file, uint64_t offset, const void *from, size_t bytes,
                          knackdb_error *error);
knackdb_status file_truncate(const struct file *file, uint64_t bytes, knackdb_error *error);
knackdb_status file_sync(const struct file *file, knackdb_error *error);

/* OK where the file still has a name; IO with ENOENT where somebody has removed it. */
knackdb_status file_check_name(const struct file *file, knackdb_error *error);

/* KNACKDB_UNSUPPORTED where the disk cannot. */
knackdb_status file_allocate(const struct file *file, uint64_t bytes, knackdb_error *error);

/* KNACKDB_UNSUPPORTED where the disk has no mappings. Until it is unmapped the file may not be cut below `bytes`. */
knackdb_status file_map(const struct file *file, size_t bytes, void **ret_memory, knackdb_error *error);
/* file_sync() for a stretch of the file's mapping. */
knackdb_status file_sync_map(const struct file *file, void *memory, size_t bytes, knackdb_error *error);

#endif
