/* lying_disk_state.h - what a lying disk consists of; for lying_calls.c, lying_disk.c and lying_boot.c alone. */
#ifndef TESTS_CRASH_LYING_DISK_STATE_H
#define TESTS_CRASH_LYING_DISK_STATE_H

#include "tests/crash/lying_disk.h"

#define DIRS_MAX  8 /* the root is the first */
#define NAME_MAX_ DISK_NAME_BYTES_MAX
#define NO_INODE  (-1)

/* What a sector may hold on the platter, oldest first: the first is what it held when it was synced last. */
struct version {
    uint32_t      after_sizes; /* as many changes of the file's size came before it */
    bool          is_cut;      /* the zeros that a cut leaves: there only if that change of size is (L3) */
    unsigned char bytes[LYING_SECTOR_BYTES];
};

struct sector {
    struct version *versions; /* the last is what the program sees; NULL: clean, and as in `data` */
    uint16_t        count;
    bool            is_stuck; /* L6: a sync that says yes does not write it */
};

struct inode {
    bool           is_used;
    char           name[NAME_MAX_]; /* the last it had, for people */
    unsigned char *data;            /* what the program sees: the page cache */
    size_t         capacity;        /* a multiple of pages; does not change while mapped */
    uint64_t       size;
    struct sector *sectors; /* of `capacity` */
    uint64_t      *sizes;   /* since the last sync; the first is durable, the last is `size` */
    size_t         size_count;
    int            handles;
    int            maps;
    bool           has_failed; /* a write or sync of it did, for good */
};

struct entry {
    char name[NAME_MAX_];
    int  inode;
};

struct entries {
    struct entry *list;
    size_t        count;
    size_t        capacity;
};

/* One change of names: `from` stands for nothing afterwards, `to` for the inode. Either may be empty. */
struct name_change {
    char from[NAME_MAX_];
    char to[NAME_MAX_];
    int  inode;
};

struct lying_dir {
    bool                is_present;
    bool                is_named; /* durable in the root */
    char                name[NAME_MAX_];
    struct entries      entries;
    struct entries      durable;
    struct name_change *changes; /* since the last sync */
    size_t              change_count;
    bool                is_locked;
};

enum handle_kind { HANDLE_FREE, HANDLE_DIR, HANDLE_FILE, HANDLE_LOCK };

struct handle {
    enum handle_kind kind;
    int              index; /* of the directory or inode */
    bool             writes;
};

struct lying_disk {
    struct disk      face; /* first: the program knows us by its address */
    uint64_t         random;
    struct lying_dir dirs[DIRS_MAX];
    struct inode    *inodes;
    size_t           inode_count;
    struct handle   *handles;
    size_t           handle_count;
    lying_judge     *judge;
    void            *judge_context;
    lying_watcher   *watcher;
    void            *watcher_context;
    bool             is_off;
    uint64_t         calls;
    uint64_t         retries;
    char             retried[NAME_MAX_];
};

/* lying_disk.c */
void    *lying_memory(void *memory, size_t bytes); /* realloc that always answers */
uint64_t lying_random(uint64_t *state);
int      entries_find(const struct entries *entries, const char *name);     /* its inode, or NO_INODE */
void     entries_set(struct entries *entries, const char *name, int inode); /* NO_INODE: takes the name away */
int      inode_new(struct lying_disk *disk, const char *name);
void     inode_reserve(struct inode *inode, uint64_t bytes); /* capacity; new bytes are zero */
void     inode_push_size(struct inode *inode, uint64_t size);
void     inode_settle_sizes(struct inode *inode);         /* its size, and every cut with it, is durable */
void     sector_keep(struct inode *inode, size_t number); /* before its first change: what it held is a version */
void     sector_push(struct inode *inode, size_t number, const unsigned char *bytes, bool is_cut);
void     sector_sync(struct inode *inode, size_t number);
void     inodes_prune(struct lying_disk *disk); /* frees those that no power cut could bring back */

/* lying_calls.c */
void lying_calls_fill(struct disk *face);

#endif
