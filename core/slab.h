/* slab.h - pieces of one size, side by side, of which many come and go.
 *
 * malloc() gives each piece of some kilobytes where there is room and touches the memory behind it, so each brings
 * pages in while somebody waits. Here a piece is taken from the end of a stretch of memory, in the order asked for, and
 * the pages of that are brought in ahead (base/pages_ahead.h). Pieces that came back are given again first. A stretch
 * of which every piece came back is given back as a whole.
 *
 *     stretch   [head][piece][piece][came back][piece][      never given      ]
 *
 * Stretches grow with what there is, so that a small store wastes little; at most so much as the system takes
 * back without anybody noticing.
 *
 * One thread at a time, the writer's: whoever takes and puts, and so whoever frees what is retired (epoch.h). */
#ifndef KNACKDB_CORE_SLAB_H
#define KNACKDB_CORE_SLAB_H

#include "base/pages_ahead.h"

struct slab_stretch;

struct slab {
    size_t               piece_bytes;
    struct slab_stretch *newest; /* pieces are taken from its end; NULL: none */
    struct slab_stretch *roomy;  /* the first of those that pieces came back to */
    uint64_t             bytes;  /* of all stretches */
    struct pages_ahead   pages;  /* of the newest */
    bool                 is_filled_at_once;
};

/* Pieces are aligned as malloc() aligns. */
void slab_init(struct slab *slab, size_t piece_bytes);

/* So many bytes of pieces are about to be taken by somebody whom nobody waits for, until 0 are: memory is taken as what
 * fills 2 MiB pages. */
void slab_expect(struct slab *slab, uint64_t bytes);

/* NULL without memory. *ret_stretch is what the piece goes back to. */
void *slab_get(struct slab *slab, struct allocator *allocator, struct slab_stretch **ret_stretch);
void  slab_put(struct slab_stretch *stretch, struct allocator *allocator, void *piece);

#endif
