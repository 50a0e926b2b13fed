/* id_map.h - from id to row, for ids that lie close together.
 *
 * A store that gives ids gives 1, 2, 3, ... to rows 0, 1, 2, ...: most of the map can be
 * said instead of written down. It comes in segments of 4,096 ids, and a segment is one
 * word as long as its ids are a run, each one more than the last, in rows that are, too:
 *
 *     run     1 | start:12 | count:13 | row:32    ids start..start+count-1 are rows row, row+1, ...
 *     array   the address of 4,096 rows           from the first id that breaks the run
 *
 * So looking an id up in a million rows touches two kilobytes and waits for no memory, which
 * it would with four bytes an id: a third of the time that finding a row took. An id
 * that is far past the number of rows (a caller's own) would leave the segments
 * empty for the most part, and goes to index.h.
 *
 * M1  One writer. An id is stored (release) after the row it names is written; so is an
 *     array, after it says what the run said. Both are loaded with acquire or better.
 * M2  A run's word changes only to a longer run, to an array, or to one without an id that was removed, so a
 *     reader that holds an old one misses nothing that was there when it began.
 * M3  An id lives in the map or in the hash index, where it was put, until it is removed.
 * M4  A removal is stored, and words and entries are loaded, seq_cst, as I4 of index.h. With the last id of an array
 *     the array goes, through epoch.h. */
#ifndef KNACKDB_CORE_ID_MAP_H
#define KNACKDB_CORE_ID_MAP_H

#include "core/epoch.h"

#define ID_MAP_SEGMENT_BITS 12
#define ID_MAP_SEGMENT_IDS  ((uint32_t) 1 << ID_MAP_SEGMENT_BITS)
#define ID_MAP_GROUP        1024u /* segments */
#define ID_MAP_GROUPS       1024u /* so ids below 2^32 */
#define ID_MAP_NONE         UINT32_MAX

struct id_map_array {
    _Atomic uint32_t rows[ID_MAP_SEGMENT_IDS]; /* row + 1; 0: none */
    uint32_t         count;                    /* ids in it; the writer's */
};

struct id_map_group {
    _Atomic uint64_t segments[ID_MAP_GROUP]; /* 0: empty; odd: a run; else the address of an array */
};

struct id_map {
    _Atomic(struct id_map_group *) groups[ID_MAP_GROUPS];
    _Atomic uint64_t               bytes; /* for figures (relaxed) */
};

struct id_map_run {
    uint32_t start; /* place in the segment of its first id */
    uint32_t count;
    uint32_t row; /* of the first id */
};

static inline struct id_map_run
id_map_run_of(uint64_t word)
{
    return (struct id_map_run) { (uint32_t) (word >> 1) & (ID_MAP_SEGMENT_IDS - 1),
                                 (uint32_t) (word >> 13) & (2 * ID_MAP_SEGMENT_IDS - 1), (uint32_t) (word >> 26) };
}

static inline uint64_t
id_map_run_word(struct id_map_run run)
{
    return 1 | (uint64_t) run.start << 1 | (uint64_t) run.count << 13 | (uint64_t) run.row << 26;
}

/* Whether an id belongs here, with so many rows ever stored in the table. */
static inline bool
id_map_takes(int64_t id, uint64_t row_count)
{
    return id > 0 && (uint64_t) id < 2 * row_count + 65536 &&
           (uint64_t) id < (uint64_t) ID_MAP_GROUPS * ID_MAP_GROUP * ID_MAP_SEGMENT_IDS;
}

/* What stands for the segment of an id; 0 where nothing does. */
static inline uint64_t
id_map_segment_of(const struct id_map *map, int64_t id)
{
    uint64_t             number = (uint64_t) id >> ID_MAP_SEGMENT_BITS;
    struct id_map_group *group;

    if (number >= ID_MAP_GROUPS * ID_MAP_GROUP) /* a negative id, too */
        return 0;
    group =
        atomic_load_explicit(&((struct id_map *) (uintptr_t) map)->groups[number / ID_MAP_GROUP], memory_order_acquire);
    return group != NULL ? atomic_load(&group->segments[number % ID_MAP_GROUP]) : 0; /* M4 */
}

/* Any thread. The row, or ID_MAP_NONE. */
static inline uint32_t
id_map_get(const struct id_map *map, int64_t id)
{
    uint64_t word = id_map_segment_of(map, id);
    uint32_t place = (uint32_t) id & (ID_MAP_SEGMENT_IDS - 1);

    if ((word & 1) != 0) {
        struct id_map_run run = id_map_run_of(word);

        return place - run.start < run.count ? run.row + (place - run.start) : ID_MAP_NONE;
    }
    if (word == 0)
        return ID_MAP_NONE;
    return atomic_load(&((struct id_map_array *) (uintptr_t) word)->rows[place]) - 1; /* M4 */
}

/* Makes room for id_map_set() with the same arguments; false without memory. The map must take the id, or have it. */
bool     id_map_reserve(struct id_map *map, struct epochs *epochs, int64_t id, uint32_t row);
void     id_map_set(struct id_map *map, int64_t id, uint32_t row);
/* Both in one for ids that follow each other within a segment, in rows that do, and none of which is in. False, and
 * nothing is done, where a run cannot say it, or without memory. */
bool     id_map_add_run(struct id_map *map, struct epochs *epochs, int64_t id, uint32_t row, uint32_t count);
/* The same for id_map_remove(), of an id that is in. */
bool     id_map_reserve_removal(struct id_map *map, struct epochs *epochs, int64_t id);
void     id_map_remove(struct id_map *map, struct epochs *epochs, int64_t id);
void     id_map_clear(struct id_map *map, struct epochs *epochs);
uint64_t id_map_bytes(const struct id_map *map);

#endif
