/* segment_list.c - see segment_list.h. */
#include "persist/segment_list.h"

struct listed_segment *
segment_list_entry(struct allocator *allocator, uint64_t serial, uint64_t last_sequence)
{
    struct listed_segment *entry = allocator_get_zeroed(allocator, sizeof *entry);

    if (entry != NULL) {
        entry->serial = serial;
        entry->last_sequence = last_sequence;
    }
    return entry;
}

void
segment_list_add(struct segment_list *list, struct listed_segment *entry)
{
    struct listed_segment **link = &list->first;

    while (*link != NULL)
        link = &(*link)->next;
    entry->next = NULL;
    *link = entry;
}

void
segment_list_finish(struct segment_list *list, uint64_t last_sequence)
{
    for (struct listed_segment *entry = list->first; entry != NULL; entry = entry->next) {
        if (entry->last_sequence == 0)
            entry->last_sequence = last_sequence;
    }
}

static bool
holds_more(const struct listed_segment *entry, uint64_t sequence)
{
    return entry->last_sequence == 0 || entry->last_sequence > sequence;
}

uint64_t
segment_list_find(const struct segment_list *list, uint64_t sequence, uint64_t otherwise)
{
    for (const struct listed_segment *entry = list->first; entry != NULL; entry = entry->next) {
        if (holds_more(entry, sequence))
            return entry->serial;
    }
    return otherwise;
}

static struct listed_segment *
find_entry(const struct segment_list *list, uint64_t serial)
{
    struct listed_segment *entry = list->first;

    while (entry != NULL && entry->serial != serial)
        entry = entry->next;
    return entry;
}

bool
segment_list_wants(const struct segment_list *list, uint64_t serial, uint64_t sequence)
{
    const struct listed_segment *entry = find_entry(list, serial);

    return entry != NULL && holds_more(entry, sequence);
}

struct listed_segment *
segment_list_next_over(struct segment_list *list, uint64_t after, uint64_t sequence)
{
    struct listed_segment *entry = list->first;

    while (entry != NULL && (entry->serial <= after || holds_more(entry, sequence)))
        entry = entry->next;
    return entry;
}

void
segment_list_doubt(struct segment_list *list, uint64_t serial, uint64_t sound_bytes)
{
    struct listed_segment *entry = find_entry(list, serial);

    if (entry != NULL) {
        entry->is_doubtful = sound_bytes != UINT64_MAX;
        entry->sound_bytes = sound_bytes;
    }
}

uint64_t
segment_list_sound_bytes(const struct segment_list *list, uint64_t serial)
{
    const struct listed_segment *entry = find_entry(list, serial);

    return entry != NULL && entry->is_doubtful ? entry->sound_bytes : UINT64_MAX;
}

struct listed_segment *
segment_list_take(struct segment_list *list, uint64_t serial)
{
    struct listed_segment **link = &list->first;
    struct listed_segment  *taken;

    while (*link != NULL && (*link)->serial != serial)
        link = &(*link)->next;
    taken = *link;
    if (taken != NULL) {
        *link = taken->next;
        taken->next = NULL;
    }
    return taken;
}

struct listed_segment *
segment_list_take_from(struct segment_list *list, uint64_t serial)
{
    struct listed_segment **link = &list->first;
    struct listed_segment  *taken;

    while (*link != NULL && (*link)->serial < serial)
        link = &(*link)->next;
    taken = *link;
    *link = NULL;
    return taken;
}

void
segment_list_free(struct allocator *allocator, struct listed_segment *entries)
{
    while (entries != NULL) {
        struct listed_segment *entry = entries;

        entries = entry->next;
        allocator_put(allocator, entry, sizeof *entry);
    }
}
