/* slab.c - see slab.h. */
#include "core/slab.h"

#include <assert.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
/* It takes notice of memory that is freed, and a piece that came back is not. */
#define FORBID(piece, bytes) ASAN_POISON_MEMORY_REGION(piece, bytes)
#define ALLOW(piece, bytes)  ASAN_UNPOISON_MEMORY_REGION(piece, bytes)
#else
#define FORBID(piece, bytes) ((void) (piece))
#define ALLOW(piece, bytes)  ((void) (piece))
#endif

#define PIECES_MIN       4u
#define STRETCH_SHARE    4 /* of what there is */
#define STRETCH_MAX      ((size_t) 1 << 20)
#define EXPECTED_LARGE   ((uint64_t) 8 << 20)
#define PAGES_STEP_MIN   ((size_t) 64 * 1024)
#define PAGES_STEP_MAX   ((size_t) 256 * 1024)
#define PAGES_STEP_SHARE 8
#define PIECE_ALIGNMENT  16u

struct slab_stretch {
    struct slab         *slab;
    struct slab_stretch *previous, *next; /* with pieces that came back */
    void                *came_back;       /* each leads to the next */
    size_t               bytes;           /* with this head */
    size_t               used;            /* of them: what was given once */
    uint64_t             living;          /* pieces that somebody has */
};

#define ALIGNED(bytes) (((bytes) + PIECE_ALIGNMENT - 1) & ~(size_t) (PIECE_ALIGNMENT - 1))
#define HEAD_BYTES     ALIGNED(sizeof(struct slab_stretch))

void
slab_init(struct slab *slab, size_t piece_bytes)
{
    memset(slab, 0, sizeof *slab);
    slab->piece_bytes = ALIGNED(piece_bytes);
}

static size_t
within(uint64_t bytes, size_t least, size_t most)
{
    return bytes < least ? least : bytes > most ? most : (size_t) bytes;
}

void
slab_expect(struct slab *slab, uint64_t bytes)
{
    slab->is_filled_at_once = bytes >= EXPECTED_LARGE;
}

static bool
begin_stretch(struct slab *slab, struct allocator *allocator)
{
    size_t bytes = HEAD_BYTES + within(slab->bytes / STRETCH_SHARE, slab->piece_bytes * PIECES_MIN, STRETCH_MAX);
    struct slab_stretch *stretch;

    if (slab->is_filled_at_once)
        bytes = ALLOCATOR_HUGE_BYTES;
    stretch = allocator_get_lasting(allocator, bytes);
    if (stretch == NULL)
        return false;
    if (slab->is_filled_at_once) {
        allocator_advise_huge(allocator, stretch, bytes);
        allocator_populate(allocator, stretch, bytes);
    }
    *stretch = (struct slab_stretch) { .slab = slab, .bytes = bytes, .used = HEAD_BYTES };
    slab->newest = stretch;
    slab->bytes += bytes;
    slab->pages = (struct pages_ahead) { .ready = slab->is_filled_at_once ? bytes : 0,
                                         .ask_at = slab->is_filled_at_once ? SIZE_MAX : 0 };
    return true;
}

static void
leave_roomy(struct slab_stretch *stretch)
{
    if (stretch->previous != NULL)
        stretch->previous->next = stretch->next;
    else
        stretch->slab->roomy = stretch->next;
    if (stretch->next != NULL)
        stretch->next->previous = stretch->previous;
}

static void
join_roomy(struct slab_stretch *stretch)
{
    stretch->previous = NULL;
    stretch->next = stretch->slab->roomy;
    if (stretch->next != NULL)
        stretch->next->previous = stretch;
    stretch->slab->roomy = stretch;
}

static void *
take_again(struct slab_stretch *stretch)
{
    void *piece = stretch->came_back;

    ALLOW(piece, stretch->slab->piece_bytes);
    memcpy(&stretch->came_back, piece, sizeof stretch->came_back);
    if (stretch->came_back == NULL)
        leave_roomy(stretch);
    return piece;
}

void *
slab_get(struct slab *slab, struct allocator *allocator, struct slab_stretch **ret_stretch)
{
    struct slab_stretch *stretch = slab->roomy != NULL ? slab->roomy : slab->newest;
    void                *piece;

    if (slab->roomy == NULL && (stretch == NULL || stretch->bytes - stretch->used < slab->piece_bytes)) {
        if (!begin_stretch(slab, allocator))
            return NULL;
        stretch = slab->newest;
    }
    stretch->living++;
    *ret_stretch = stretch;
    if (stretch->came_back != NULL)
        return take_again(stretch);
    piece = (unsigned char *) stretch + stretch->used;
    stretch->used += slab->piece_bytes;
    pages_ahead_keep(&slab->pages, allocator, (unsigned char *) stretch, stretch->bytes, stretch->used,
                     within(slab->bytes / PAGES_STEP_SHARE, PAGES_STEP_MIN, PAGES_STEP_MAX));
    return piece;
}

void
slab_put(struct slab_stretch *stretch, struct allocator *allocator, void *piece)
{
    struct slab *slab = stretch->slab;

    assert(stretch->living > 0);
    if (--stretch->living == 0) {
        if (stretch->came_back != NULL)
            leave_roomy(stretch);
        if (slab->newest == stretch)
            slab->newest = NULL;
        slab->bytes -= stretch->bytes;
        ALLOW(stretch, stretch->bytes);
        allocator_put_lasting(allocator, stretch, stretch->bytes);
        return;
    }
    if (stretch->came_back == NULL)
        join_roomy(stretch);
    memcpy(piece, &stretch->came_back, sizeof stretch->came_back);
    stretch->came_back = piece;
    FORBID(piece, slab->piece_bytes);
}
