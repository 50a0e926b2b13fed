/* lying_boot.c - what the next boot finds: one of all the things that a lying disk may have kept.
 *
 * Everything that is not synced is one choice: a change of names (there or not), a file's size (how many of its
 * changes are there), a sector (which of its versions). One walk over them serves counting, taking them
 * in turn, and drawing them; who chooses is a `struct chooser`. */
#include "tests/crash/lying_disk_state.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum choice { CHOICE_NAME, CHOICE_SIZE, CHOICE_SECTOR };

struct chooser {
    bool            is_drawn; /* by mood and random; otherwise by `way` */
    enum lying_mood mood;
    uint64_t        random;
    uint64_t        way;
    uint64_t        ways; /* all there are, up to `limit` */
    uint64_t        limit;
};

/* One of `count`, 0 being the oldest; `subject` is the same for all of a file. */
static size_t
draw(struct chooser *chooser, enum choice choice, size_t count, size_t subject)
{
    size_t any = (size_t) (lying_random(&chooser->random) >> 16);

    switch (chooser->mood) {
    case LYING_NOTHING: return 0;
    case LYING_ALL: return count - 1;
    case LYING_EVEN: break;
    case LYING_MOSTLY_OLD: return any % 8 == 0 ? any / 8 % count : 0;
    case LYING_MOSTLY_NEW: return any % 8 == 0 ? any / 8 % count : count - 1;
    case LYING_BY_FILE:
        if (choice != CHOICE_NAME)
            return hash_integer(subject ^ chooser->way) % 2 == 0 ? 0 : count - 1;
        break;
    case LYING_NAMES_OLD: return choice == CHOICE_NAME ? 0 : count - 1;
    case LYING_NAMES_NEW: return choice == CHOICE_SECTOR ? 0 : count - 1;
    case LYING_MOODS: break;
    }
    return any % count;
}

static size_t
choose(struct chooser *chooser, enum choice choice, size_t count, size_t subject)
{
    size_t chosen;

    if (count < 2)
        return 0;
    if (chooser->is_drawn)
        return draw(chooser, choice, count, subject);
    chooser->ways = chooser->ways > chooser->limit / count ? chooser->limit : chooser->ways * count;
    chosen = (size_t) (chooser->way % count);
    chooser->way /= count;
    return chosen;
}

/* Where `sizes` changes of the size have arrived. A cut that has takes all before it away; one that has not
 * never was. */
static const unsigned char *
choose_sector(struct chooser *chooser, const struct inode *inode, size_t number, size_t sizes, size_t subject)
{
    const struct sector  *sector = &inode->sectors[number];
    const struct version *possible[16];
    size_t                count = 0;
    size_t                chosen = choose(chooser, CHOICE_SECTOR, sector->count, subject);

    if (sector->count == 0)
        return inode->data + number * LYING_SECTOR_BYTES;
    for (uint16_t v = 0; v < sector->count; v++) {
        const struct version *version = &sector->versions[v];

        if (version->is_cut && version->after_sizes <= sizes)
            count = 0;
        if (!version->is_cut || version->after_sizes <= sizes)
            possible[count++] = version;
    }
    /* Chosen from the newest back, so that "the newest" means the same whatever has been taken away. */
    return possible[count - 1 - (sector->count - 1 - chosen) % count]->bytes;
}

/* Chooses a file's size and contents; into `to`, which may be NULL. */
static void
boot_inode(struct chooser *chooser, const struct inode *from, size_t subject, struct inode *to)
{
    size_t   sizes = choose(chooser, CHOICE_SIZE, from->size_count, subject);
    uint64_t size = from->sizes[sizes];
    size_t   end = (size_t) ((size + LYING_SECTOR_BYTES - 1) / LYING_SECTOR_BYTES);

    if (to != NULL) {
        inode_reserve(to, size);
        to->size = to->sizes[0] = size;
    }
    for (size_t s = 0; s < end; s++) {
        const unsigned char *bytes = choose_sector(chooser, from, s, sizes, subject);
        size_t               left = (size_t) size - s * LYING_SECTOR_BYTES;

        if (to != NULL)
            memcpy(to->data + s * LYING_SECTOR_BYTES, bytes, left < LYING_SECTOR_BYTES ? left : LYING_SECTOR_BYTES);
    }
}

static void
copy_entries(struct entries *to, const struct entries *from)
{
    for (size_t i = 0; i < from->count; i++)
        entries_set(to, from->list[i].name, from->list[i].inode);
}

/* Chooses a directory's names; they are `to`'s, numbered as in `disk`. */
static void
boot_names(struct chooser *chooser, const struct lying_dir *from, struct entries *to)
{
    copy_entries(to, &from->durable);
    for (size_t i = 0; i < from->change_count; i++) {
        const struct name_change *change = &from->changes[i];

        if (choose(chooser, CHOICE_NAME, 2, i) == 0)
            continue;
        entries_set(to, change->from, NO_INODE);
        if (change->to[0] != '\0')
            entries_set(to, change->to, change->inode);
    }
}

static bool
is_listed(const struct lying_disk *boot, int inode)
{
    for (int d = 1; d < DIRS_MAX; d++) {
        for (size_t i = 0; i < boot->dirs[d].entries.count; i++) {
            if (boot->dirs[d].entries.list[i].inode == inode)
                return true;
        }
    }
    return false;
}

static struct lying_disk *
walk(struct lying_disk *disk, struct chooser *chooser)
{
    struct lying_disk *boot = lying_disk_new(disk->random + chooser->way);

    lying_disk_look(disk);
    boot->face = disk->face;
    chooser->ways = 1;
    for (int d = 1; d < DIRS_MAX; d++) {
        struct lying_dir *from = &disk->dirs[d];
        struct lying_dir *to = &boot->dirs[d];

        if (!from->is_present || (!from->is_named && choose(chooser, CHOICE_NAME, 2, 0) == 0))
            continue;
        to->is_present = to->is_named = true;
        memcpy(to->name, from->name, sizeof to->name);
        boot_names(chooser, from, &to->entries);
        copy_entries(&to->durable, &to->entries);
    }
    boot->inode_count = disk->inode_count;
    boot->inodes = lying_memory(NULL, disk->inode_count * sizeof *boot->inodes);
    memset(boot->inodes, 0, disk->inode_count * sizeof *boot->inodes);
    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *to = &boot->inodes[i];
        bool          lives = is_listed(boot, (int) i);

        if (lives) {
            to->is_used = true;
            memcpy(to->name, disk->inodes[i].name, sizeof to->name);
            to->sizes = lying_memory(NULL, sizeof *to->sizes);
            to->sizes[0] = 0;
            to->size_count = 1;
        }
        if (disk->inodes[i].is_used)
            boot_inode(chooser, &disk->inodes[i], i, lives ? to : NULL);
    }
    return boot;
}

uint64_t
lying_disk_ways(struct lying_disk *disk, uint64_t limit)
{
    struct chooser chooser = { .limit = limit };

    lying_disk_free(walk(disk, &chooser));
    return chooser.ways;
}

struct lying_disk *
lying_disk_way(struct lying_disk *disk, uint64_t way)
{
    struct chooser chooser = { .way = way, .limit = UINT64_MAX };

    return walk(disk, &chooser);
}

struct lying_disk *
lying_disk_boot(struct lying_disk *disk, enum lying_mood mood, uint64_t seed)
{
    struct chooser chooser = { .is_drawn = true, .mood = mood, .random = seed, .way = seed };

    return walk(disk, &chooser);
}
