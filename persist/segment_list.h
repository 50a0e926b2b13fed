/* segment_list.h - which log segments are on the disk, and which commits each holds.
 *
 * Plain memory; whoever shares a list guards it. */
#ifndef KNACKDB_PERSIST_SEGMENT_LIST_H
#define KNACKDB_PERSIST_SEGMENT_LIST_H

#include "base/allocator.h"

struct listed_segment {
    struct listed_segment *next;
    uint64_t               serial;
    uint64_t               last_sequence; /* 0: still growing; only the last one is */
    bool                   is_doubtful;   /* nobody knows what its file holds behind `sound_bytes` */
    uint64_t               sound_bytes;
};

struct segment_list {
    struct listed_segment *first; /* by rising serial */
};

/* An entry, ready for segment_list_add(); NULL where there is no memory. */
struct listed_segment *segment_list_entry(struct allocator *allocator, uint64_t serial, uint64_t last_sequence);

/* Adds the newest segment. */
void segment_list_add(struct segment_list *list, struct listed_segment *entry);

/* Says where the one that is still growing has ended. */
void segment_list_finish(struct segment_list *list, uint64_t last_sequence);

/* Serial of the first segment that holds, or will hold, a commit after `sequence`; `otherwise` where none does. */
uint64_t segment_list_find(const struct segment_list *list, uint64_t sequence, uint64_t otherwise);

/* Is it in the list, and holds a commit after `sequence`, or may come to? */
bool segment_list_wants(const struct segment_list *list, uint64_t serial, uint64_t sequence);

/* The first segment after serial `after` that holds nothing after `sequence`. NULL: none. */
struct listed_segment *segment_list_next_over(struct segment_list *list, uint64_t after, uint64_t sequence);

/* Says that a segment of the list is doubtful; with UINT64_MAX, that it is not. */
void segment_list_doubt(struct segment_list *list, uint64_t serial, uint64_t sound_bytes);

/* How many of its bytes are sound: UINT64_MAX for all, also where it is not in the list. */
uint64_t segment_list_sound_bytes(const struct segment_list *list, uint64_t serial);

/* Takes a segment out, if it is there: an entry, the caller's to free. */
struct listed_segment *segment_list_take(struct segment_list *list, uint64_t serial);

/* Takes out every segment from this serial on: a chain of entries, the caller's to free. */
struct listed_segment *segment_list_take_from(struct segment_list *list, uint64_t serial);

void segment_list_free(struct allocator *allocator, struct listed_segment *entries);

#endif
