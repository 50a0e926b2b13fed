/* slabs.c - claims about slabs: pieces that somebody has lie apart from each other, whatever came back and was given
 * again, and memory of which every piece came back is given back, also from the middle. */
#include "base/hash.h"
#include "core/slab.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(slabs, .init = scaffold_epochs_up, .fini = scaffold_epochs_down);

struct held {
    unsigned char       *piece;
    struct slab_stretch *stretch;
    unsigned char        mark;
};

static struct held
hold(struct slab *slab, unsigned char mark)
{
    struct held held = { .mark = mark };

    held.piece = slab_get(slab, &allocator, &held.stretch);
    cr_assert_not_null(held.piece);
    cr_assert_eq((uintptr_t) held.piece % 16, 0);
    memset(held.piece, mark, slab->piece_bytes);
    return held;
}

static void
let_go(const struct slab *slab, struct held *held)
{
    for (size_t i = 0; i < slab->piece_bytes; i++)
        cr_assert_eq(held->piece[i], held->mark, "byte %zu of a piece was written over", i);
    slab_put(held->stretch, &allocator, held->piece);
    held->piece = NULL;
}

Test(slabs, pieces_lie_apart_whatever_came_back)
{
    enum { PLACES = 700 };
    static const size_t sizes[] = { 8, 100, 800, 6000, 100000 };

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        static struct held held[PLACES];
        struct slab        slab;
        uint64_t           most = 0;

        slab_init(&slab, sizes[s]);
        cr_assert_geq(slab.piece_bytes, sizes[s]);
        for (uint32_t step = 0; step < 10 * PLACES; step++) { /* fills up, then little is left, three times */
            uint32_t draw = (uint32_t) (hash_integer(step) >> 8);
            bool     fills = step / (2 * PLACES) % 2 == 0;
            uint32_t at = draw % PLACES;

            if (held[at].piece == NULL && (fills || draw % 16 == 0))
                held[at] = hold(&slab, (unsigned char) draw);
            else if (held[at].piece != NULL && (!fills || draw % 16 == 0))
                let_go(&slab, &held[at]);
            most = slab.bytes > most ? slab.bytes : most;
        }
        cr_assert_gt(most, PLACES / 2 * sizes[s]);
        cr_assert_lt(most, 2 * PLACES * (sizes[s] + 16) + 4096, "%llu bytes", (unsigned long long) most);
        for (uint32_t at = 0; at < PLACES; at++)
            if (held[at].piece != NULL)
                let_go(&slab, &held[at]);
        cr_assert_eq(slab.bytes, 0);
        cr_assert_eq(atomic_load(&allocator.bytes), sizeof(struct epoch_block) + 16 + CACHE_LINE_BYTES);
    }
}

/* What is stored first mostly goes first. */
Test(slabs, memory_goes_from_the_front_while_pieces_are_added_behind)
{
    enum { PIECES = 4000, BYTES = 6000 };
    static struct held held[PIECES];
    struct slab        slab;

    slab_init(&slab, BYTES);
    for (uint32_t i = 0; i < PIECES; i++)
        held[i] = hold(&slab, (unsigned char) i);
    for (uint32_t i = 0; i < PIECES - 400; i++)
        let_go(&slab, &held[i]);
    cr_assert_lt(slab.bytes, 700 * BYTES, "400 pieces in %llu bytes", (unsigned long long) slab.bytes);
    for (uint32_t i = PIECES - 400; i < PIECES; i++)
        let_go(&slab, &held[i]);
    cr_assert_eq(slab.bytes, 0);
}
