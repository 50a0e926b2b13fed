/* lying_disk.c - the life of a lying disk, and how it remembers what is not on the platter yet.
 *
 * lying_disk.h has the rules L1 to L6. A sector that is as the platter has it costs nothing; before its first
 * change what it held becomes its first version, and each change adds one, so that the list is all that L1
 * allows. The list is kept short: one in the middle goes when it grows too long, which only makes the
 * power cuts a little fewer. */
#include "tests/crash/lying_disk_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PAGE_BYTES   ((size_t) 4096)
#define VERSIONS_MAX 8

void *
lying_memory(void *memory, size_t bytes)
{
    void *moved = realloc(memory, bytes == 0 ? 1 : bytes);

    if (moved == NULL)
        abort(); /* a test without memory shows nothing */
    return moved;
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
uint64_t
lying_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- names ---- */

int
entries_find(const struct entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->list[i].name, name) == 0)
            return entries->list[i].inode;
    }
    return NO_INODE;
}

void
entries_set(struct entries *entries, const char *name, int inode)
{
    size_t at = 0;

    while (at < entries->count && strcmp(entries->list[at].name, name) != 0)
        at++;
    if (at == entries->count) {
        if (inode == NO_INODE)
            return;
        if (entries->count == entries->capacity) {
            entries->capacity = entries->capacity == 0 ? 16 : entries->capacity * 2;
            entries->list = lying_memory(entries->list, entries->capacity * sizeof *entries->list);
        }
        (void) snprintf(entries->list[entries->count++].name, NAME_MAX_, "%s", name);
    }
    entries->list[at].inode = inode;
    if (inode == NO_INODE)
        memmove(entries->list + at, entries->list + at + 1, (--entries->count - at) * sizeof *entries->list);
}

/* ---- contents ---- */

int
inode_new(struct lying_disk *disk, const char *name)
{
    size_t        at = 0;
    struct inode *inode;

    while (at < disk->inode_count && disk->inodes[at].is_used)
        at++;
    if (at == disk->inode_count) {
        disk->inode_count += 16;
        disk->inodes = lying_memory(disk->inodes, disk->inode_count * sizeof *disk->inodes);
        memset(disk->inodes + at, 0, 16 * sizeof *disk->inodes);
    }
    inode = &disk->inodes[at];
    memset(inode, 0, sizeof *inode);
    inode->is_used = true;
    (void) snprintf(inode->name, sizeof inode->name, "%s", name);
    inode->sizes = lying_memory(NULL, sizeof *inode->sizes);
    inode->sizes[0] = 0;
    inode->size_count = 1;
    return (int) at;
}

static void
sector_clear(struct sector *sector)
{
    free(sector->versions);
    memset(sector, 0, sizeof *sector);
}

static void
inode_clear(struct inode *inode)
{
    for (size_t i = 0; i < inode->capacity / LYING_SECTOR_BYTES; i++)
        sector_clear(&inode->sectors[i]);
    free(inode->sectors);
    free(inode->data);
    free(inode->sizes);
    memset(inode, 0, sizeof *inode);
}

void
inode_reserve(struct inode *inode, uint64_t bytes)
{
    size_t         capacity = ((size_t) bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    size_t         sectors = inode->capacity / LYING_SECTOR_BYTES;
    unsigned char *data;

    if (capacity <= inode->capacity)
        return;
    if (inode->maps > 0)
        abort(); /* nobody may grow what is mapped */
    data = aligned_alloc(PAGE_BYTES, capacity);
    if (data == NULL)
        abort();
    if (inode->capacity > 0)
        memcpy(data, inode->data, inode->capacity);
    memset(data + inode->capacity, 0, capacity - inode->capacity);
    free(inode->data);
    inode->data = data;
    inode->capacity = capacity;
    inode->sectors = lying_memory(inode->sectors, capacity / LYING_SECTOR_BYTES * sizeof *inode->sectors);
    memset(inode->sectors + sectors, 0, (capacity / LYING_SECTOR_BYTES - sectors) * sizeof *inode->sectors);
}

void
inode_push_size(struct inode *inode, uint64_t size)
{
    inode->size = size;
    if (inode->sizes[inode->size_count - 1] == size)
        return;
    inode->sizes = lying_memory(inode->sizes, (inode->size_count + 1) * sizeof *inode->sizes);
    inode->sizes[inode->size_count++] = size;
}

void
inode_settle_sizes(struct inode *inode)
{
    inode->sizes[0] = inode->size;
    inode->size_count = 1;
    for (size_t i = 0; i < inode->capacity / LYING_SECTOR_BYTES; i++) {
        struct sector *sector = &inode->sectors[i];
        uint16_t       from = 0;

        for (uint16_t v = 0; v < sector->count; v++) {
            if (sector->versions[v].is_cut)
                from = v;
        }
        if (sector->count > 0)
            memmove(sector->versions, sector->versions + from,
                    (size_t) (sector->count - from) * sizeof *sector->versions);
        sector->count = (uint16_t) (sector->count - from);
        for (uint16_t v = 0; v < sector->count; v++) {
            sector->versions[v].after_sizes = 0;
            sector->versions[v].is_cut = false;
        }
    }
}

static void
sector_add(struct sector *sector, const unsigned char *bytes, uint32_t after_sizes, bool is_cut)
{
    struct version *version;

    /* Never the first, which is on the platter, nor a cut, without which what was cut would come back. */
    for (uint16_t v = 1; sector->count == VERSIONS_MAX && v < VERSIONS_MAX; v++) {
        uint16_t drop = (uint16_t) (1 + (v + sector->versions[VERSIONS_MAX - 1].bytes[v]) % (VERSIONS_MAX - 1));

        if (sector->versions[drop].is_cut)
            continue;
        memmove(sector->versions + drop, sector->versions + drop + 1,
                (size_t) (VERSIONS_MAX - 1 - drop) * sizeof *sector->versions);
        sector->count--;
    }
    sector->versions = lying_memory(sector->versions, (size_t) (sector->count + 1) * sizeof *sector->versions);
    version = &sector->versions[sector->count++];
    version->after_sizes = after_sizes;
    version->is_cut = is_cut;
    memcpy(version->bytes, bytes, sizeof version->bytes);
}

void
sector_keep(struct inode *inode, size_t number)
{
    if (inode->sectors[number].count == 0)
        sector_add(&inode->sectors[number], inode->data + number * LYING_SECTOR_BYTES, 0, false);
}

void
sector_push(struct inode *inode, size_t number, const unsigned char *bytes, bool is_cut)
{
    struct sector *sector = &inode->sectors[number];

    sector->is_stuck = false;
    if (!is_cut && memcmp(sector->versions[sector->count - 1].bytes, bytes, LYING_SECTOR_BYTES) == 0)
        return;
    sector_add(sector, bytes, (uint32_t) (inode->size_count - 1), is_cut);
}

/* A mapped sector keeps the one version that it is to be compared with. */
void
sector_sync(struct inode *inode, size_t number)
{
    struct sector *sector = &inode->sectors[number];

    if (sector->is_stuck || sector->count == 0)
        return;
    sector_clear(sector);
    if (inode->maps > 0)
        sector_keep(inode, number);
}

/* Where only the beginning of a change has arrived (L2); copies run upwards. */
static void
add_beginning(struct lying_disk *disk, struct inode *inode, size_t number, const unsigned char *bytes)
{
    struct sector       *sector = &inode->sectors[number];
    unsigned char        mixed[LYING_SECTOR_BYTES];
    size_t               first = 0;
    size_t               end = LYING_SECTOR_BYTES;
    const unsigned char *before = sector->versions[sector->count - 1].bytes;

    while (before[first] == bytes[first])
        first++;
    while (before[end - 1] == bytes[end - 1])
        end--;
    if (end - first < 2)
        return;
    memcpy(mixed, before, sizeof mixed);
    memcpy(mixed, bytes, first + 1 + lying_random(&disk->random) % (end - first - 1));
    sector_push(inode, number, mixed, false);
}

void
lying_disk_look(struct lying_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *inode = &disk->inodes[i];

        for (size_t s = 0; inode->maps > 0 && s < inode->capacity / LYING_SECTOR_BYTES; s++) {
            const unsigned char *bytes = inode->data + s * LYING_SECTOR_BYTES;
            struct sector       *sector = &inode->sectors[s];

            if (sector->count == 0 || memcmp(sector->versions[sector->count - 1].bytes, bytes, LYING_SECTOR_BYTES) == 0)
                continue;
            if (lying_random(&disk->random) % 4 == 0)
                add_beginning(disk, inode, s, bytes);
            sector_push(inode, s, bytes, false);
        }
    }
}

static bool
entries_name(const struct entries *entries, int inode)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (entries->list[i].inode == inode)
            return true;
    }
    return false;
}

void
inodes_prune(struct lying_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *inode = &disk->inodes[i];
        bool          is_named = !inode->is_used || inode->handles > 0 || inode->maps > 0;

        for (int d = 0; d < DIRS_MAX && !is_named; d++) {
            struct lying_dir *dir = &disk->dirs[d];

            is_named = entries_name(&dir->entries, (int) i) || entries_name(&dir->durable, (int) i);
            for (size_t c = 0; c < dir->change_count && !is_named; c++)
                is_named = dir->changes[c].inode == (int) i;
        }
        if (!is_named)
            inode_clear(inode);
    }
}

/* ---- life ---- */

struct lying_disk *
lying_disk_new(uint64_t seed)
{
    struct lying_disk *disk = lying_memory(NULL, sizeof *disk);

    memset(disk, 0, sizeof *disk);
    lying_calls_fill(&disk->face);
    disk->random = seed;
    disk->dirs[0].is_present = true;
    disk->dirs[0].is_named = true;
    (void) snprintf(disk->dirs[0].name, NAME_MAX_, ".");
    return disk;
}

void
lying_disk_free(struct lying_disk *disk)
{
    if (disk == NULL)
        return;
    for (size_t i = 0; i < disk->inode_count; i++)
        inode_clear(&disk->inodes[i]);
    for (int d = 0; d < DIRS_MAX; d++) {
        free(disk->dirs[d].entries.list);
        free(disk->dirs[d].durable.list);
        free(disk->dirs[d].changes);
    }
    free(disk->inodes);
    free(disk->handles);
    free(disk);
}

const struct disk *
lying_disk_face(struct lying_disk *disk)
{
    return &disk->face;
}

void
lying_disk_judge(struct lying_disk *disk, lying_judge *judge, void *context)
{
    disk->judge = judge;
    disk->judge_context = context;
}

void
lying_disk_watch(struct lying_disk *disk, lying_watcher *watcher, void *context)
{
    disk->watcher = watcher;
    disk->watcher_context = context;
}

void
lying_disk_cut_power(struct lying_disk *disk)
{
    lying_disk_look(disk);
    disk->is_off = true;
}

uint64_t
lying_disk_calls(const struct lying_disk *disk)
{
    return disk->calls;
}

size_t
lying_disk_handles(const struct lying_disk *disk)
{
    size_t count = 0;

    for (size_t i = 0; i < disk->handle_count; i++)
        count += disk->handles[i].kind != HANDLE_FREE;
    for (size_t i = 0; i < disk->inode_count; i++)
        count += (size_t) disk->inodes[i].maps;
    return count;
}

uint64_t
lying_disk_retries(const struct lying_disk *disk, const char **ret_name)
{
    *ret_name = disk->retries > 0 ? disk->retried : NULL;
    return disk->retries;
}

void
lying_disk_forgive(struct lying_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++)
        disk->inodes[i].has_failed = false;
}

void
lying_disk_unmap_all(struct lying_disk *disk)
{
    disk->face.maps_well = NULL;
    disk->face.map = NULL;
    disk->face.unmap = NULL;
    disk->face.sync_map = NULL;
    disk->face.populate = NULL;
    disk->face.drop = NULL;
}

void
lying_disk_put(struct lying_disk *disk, const char *dir, const char *name, const void *data, size_t bytes)
{
    int           number = inode_new(disk, name);
    struct inode *inode = &disk->inodes[number];
    int           at = 1;

    while (at < DIRS_MAX && disk->dirs[at].is_present && strcmp(disk->dirs[at].name, dir) != 0)
        at++;
    if (at == DIRS_MAX)
        abort();
    disk->dirs[at].is_present = disk->dirs[at].is_named = true;
    (void) snprintf(disk->dirs[at].name, NAME_MAX_, "%s", dir);
    entries_set(&disk->dirs[at].entries, name, number);
    entries_set(&disk->dirs[at].durable, name, number);
    inode_reserve(inode, bytes);
    if (bytes > 0)
        memcpy(inode->data, data, bytes);
    inode->size = inode->sizes[0] = bytes;
}

static void *
copy_of(const void *memory, size_t bytes)
{
    return bytes == 0 ? NULL : memcpy(lying_memory(NULL, bytes), memory, bytes);
}

static void
clone_inode(struct inode *to, const struct inode *from)
{
    *to = *from;
    to->handles = to->maps = 0;
    to->has_failed = false;
    to->data = NULL;
    to->sectors = NULL;
    to->capacity = 0;
    inode_reserve(to, from->capacity);
    if (from->capacity > 0)
        memcpy(to->data, from->data, from->capacity);
    to->sizes = copy_of(from->sizes, from->size_count * sizeof *from->sizes);
    for (size_t s = 0; s < from->capacity / LYING_SECTOR_BYTES; s++) {
        to->sectors[s] = from->sectors[s];
        to->sectors[s].versions = copy_of(from->sectors[s].versions, from->sectors[s].count * sizeof(struct version));
    }
}

struct lying_disk *
lying_disk_clone(struct lying_disk *disk)
{
    struct lying_disk *copy = lying_disk_new(disk->random);

    lying_disk_look(disk);
    copy->face = disk->face;
    copy->inode_count = disk->inode_count;
    copy->inodes = lying_memory(NULL, disk->inode_count * sizeof *copy->inodes);
    for (size_t i = 0; i < disk->inode_count; i++) {
        memset(&copy->inodes[i], 0, sizeof copy->inodes[i]);
        if (disk->inodes[i].is_used)
            clone_inode(&copy->inodes[i], &disk->inodes[i]);
    }
    for (int d = 0; d < DIRS_MAX; d++) {
        struct lying_dir *to = &copy->dirs[d];

        *to = disk->dirs[d];
        to->is_locked = false;
        to->entries.list = copy_of(to->entries.list, to->entries.capacity * sizeof *to->entries.list);
        to->durable.list = copy_of(to->durable.list, to->durable.capacity * sizeof *to->durable.list);
        to->changes = copy_of(to->changes, to->change_count * sizeof *to->changes);
    }
    inodes_prune(copy);
    return copy;
}

/* Sums, so that the order in which names came to be does not matter. */
uint64_t
lying_disk_digest(struct lying_disk *disk)
{
    uint64_t digest = 0;

    for (int d = 1; d < DIRS_MAX; d++) {
        const struct lying_dir *dir = &disk->dirs[d];
        uint64_t                seed = hash_bytes(dir->name, strlen(dir->name), 0);

        digest += dir->is_present ? seed : 0;
        for (size_t i = 0; dir->is_present && i < dir->entries.count; i++) {
            const struct inode  *inode = &disk->inodes[dir->entries.list[i].inode];
            const unsigned char *data = inode->capacity > 0 ? inode->data : (const unsigned char *) "";
            uint64_t             name = hash_bytes(dir->entries.list[i].name, strlen(dir->entries.list[i].name), seed);

            digest += hash_bytes(data, (size_t) inode->size, name);
        }
    }
    return digest;
}

void
lying_disk_print(struct lying_disk *disk)
{
    for (int d = 1; d < DIRS_MAX; d++) {
        const struct lying_dir *dir = &disk->dirs[d];

        if (!dir->is_present)
            continue;
        printf("  %s/%s\n", dir->name, dir->is_named ? "" : " (its name is not synced)");
        for (size_t i = 0; i < dir->entries.count; i++)
            printf("    %s %llu\n", dir->entries.list[i].name,
                   (unsigned long long) disk->inodes[dir->entries.list[i].inode].size);
    }
}
