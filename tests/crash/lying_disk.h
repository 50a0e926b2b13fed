/* lying_disk.h - a disk in memory that knows what a power cut could leave of it.
 *
 * It is a `struct disk` (persist/disk.h): what a program writes is there for it at once, as in a
 * kernel's page cache. Beside that it remembers, of everything that was not yet synced, all that the
 * platter may hold instead, and makes of it the directory that the next boot would find.
 *
 * What it takes a kernel and a platter to do, no more and no less:
 *
 *   L1  A file is sectors of 512 bytes, each written whole. Since its last sync a sector may hold what
 *       it held then or anything the program has put there since, whatever became of its neighbours.
 *   L2  A mapped page may go to the disk at any moment, also while a record is being copied into it: a
 *       sector of a mapping may in addition hold the beginning of a change and not its end.
 *   L3  Sizes and the space behind them are metadata. The changes of one file's size reach the disk in
 *       their order, but any number of them, and ahead of the data as well as behind it: what was set
 *       aside and never written reads as zeros. What a cut took away comes back only with the old size.
 *   L4  Each change of a directory's names (create, rename, remove) is there whole or not at all, whatever
 *       became of the others; a rename may overtake the data of the file it names.
 *   L5  A sync of a file makes its data and its size durable, never its name; one of a mapping the pages
 *       asked for and the size; one of a directory its names. A file that has lost its last name
 *       lives on for as long as a power cut could bring a name back.
 *   L6  After a sync of a file has failed nobody knows: any of L1 may be on the platter, the pages count as
 *       clean, and a later sync that says yes does not write them again. A directory's names are in
 *       a journal and not in pages: they stay unsynced until a sync says yes.
 *
 * One thread at a time, and no real time anywhere: the same calls give the same disk. Directories
 * lie side by side below one root, which is called ".". */
#ifndef TESTS_CRASH_LYING_DISK_H
#define TESTS_CRASH_LYING_DISK_H

#include "persist/disk.h"

#define LYING_SECTOR_BYTES 512

enum lying_call {
    LYING_MAKE_DIR,
    LYING_OPEN_DIR,
    LYING_SYNC_DIR,
    LYING_LIST,
    LYING_RENAME,
    LYING_REMOVE,
    LYING_LOCK,
    LYING_OPEN,
    LYING_CREATE,
    LYING_SIZE,
    LYING_READ,
    LYING_WRITE,
    LYING_TRUNCATE,
    LYING_SYNC,
    LYING_ALLOCATE,
    LYING_MAP,
    LYING_SYNC_MAP,
    LYING_CALLS /* how many */
};

const char *lying_call_name(enum lying_call call);

#define LYING_SHORT 1 /* instead of an errno: a read or write does half of it, any other call is done */

struct lying_disk;

/* Asked before each call: 0 to do it, an errno to refuse it, or LYING_SHORT. */
typedef int  lying_judge(void *context, enum lying_call call, const char *name);
/* Told after each call that changed something or synced something. */
typedef void lying_watcher(void *context, enum lying_call call, const char *name);

struct lying_disk *lying_disk_new(uint64_t seed);            /* the seed is for the cuts of L2 */
void               lying_disk_free(struct lying_disk *disk); /* NULL is accepted */
const struct disk *lying_disk_face(struct lying_disk *disk);

void lying_disk_judge(struct lying_disk *disk, lying_judge *judge, void *context);     /* NULL: nobody */
void lying_disk_watch(struct lying_disk *disk, lying_watcher *watcher, void *context); /* NULL: nobody */

/* Looks what was put into mappings; every call does so by itself. */
void lying_disk_look(struct lying_disk *disk);

/* From now on every call fails with EIO and changes nothing: so that a process that has died can tidy up. */
void lying_disk_cut_power(struct lying_disk *disk);

/* Calls so far; handles and mappings that are still open; and how often a file was written to or synced after a
 * write or sync of it had failed for good (the name of the last such file, or NULL). */
uint64_t lying_disk_calls(const struct lying_disk *disk);
size_t   lying_disk_handles(const struct lying_disk *disk);
uint64_t lying_disk_retries(const struct lying_disk *disk, const char **ret_name);

/* A new life begins, which knows of no failure of the one before it: what it does counts as no retry. */
void lying_disk_forgive(struct lying_disk *disk);

/* Without mappings, for what a network's file system is like. */
void lying_disk_unmap_all(struct lying_disk *disk);

/* Puts a file there that has been on the platter all along. */
void lying_disk_put(struct lying_disk *disk, const char *dir, const char *name, const void *data, size_t bytes);

/* A copy after the death of the process and not of the machine: all that was written is there, and what was not synced
 * still is not. Nothing is open, nothing locked, nobody judges or watches. */
struct lying_disk *lying_disk_clone(struct lying_disk *disk);

/* ---- power cuts ---- */

/* How a power cut chooses. */
enum lying_mood {
    LYING_NOTHING,    /* of what was not synced nothing is there */
    LYING_ALL,        /* all of it is */
    LYING_EVEN,       /* each thing by itself, whatever it may be */
    LYING_MOSTLY_OLD, /* nothing but a few things */
    LYING_MOSTLY_NEW, /* all but a few things */
    LYING_BY_FILE,    /* all of a file or nothing of it, names by themselves */
    LYING_NAMES_OLD,  /* data are there, names are not */
    LYING_NAMES_NEW,  /* names and sizes are there, data are not */
    LYING_MOODS       /* how many */
};

/* In how many ways a power cut now could go, or `limit` where it is that or more. */
uint64_t lying_disk_ways(struct lying_disk *disk, uint64_t limit);

/* The disk of the next boot, all of it synced. `way` < lying_disk_ways(). */
struct lying_disk *lying_disk_way(struct lying_disk *disk, uint64_t way);
/* The same, chosen by the bits of `seed`. */
struct lying_disk *lying_disk_boot(struct lying_disk *disk, enum lying_mood mood, uint64_t seed);

/* Of every name and byte that is visible: two boots with the same are the same. */
uint64_t lying_disk_digest(struct lying_disk *disk);

/* Names and sizes, for people. */
void lying_disk_print(struct lying_disk *disk);

#endif
