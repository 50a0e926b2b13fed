/* pages_ahead.c - see pages_ahead.h. */
#include "base/pages_ahead.h"

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void
pages_ahead_extend(struct pages_ahead *pages, struct allocator *allocator, unsigned char *block, size_t bytes,
                   size_t used, size_t step)
{
    size_t margin = step / 2; /* asked for with so much left, in the hope that it comes in time */

    if (used > pages->ready) {
        size_t to = smaller(used + step / 4, bytes);

        allocator_populate(allocator, block + pages->ready, to - pages->ready);
        pages->ready = to;
    }
    if (pages->ready < bytes &&
        allocator_request_pages(allocator, block + pages->ready, smaller(step, bytes - pages->ready)))
        pages->ready = smaller(pages->ready + step, bytes);
    else
        margin = step / 8; /* nobody took it: do not ask again at once */
    if (pages->ready == bytes)
        pages->ask_at = SIZE_MAX;
    else
        pages->ask_at = pages->ready > used + margin ? pages->ready - margin : used + step / 8;
    if (pages->ask_at > pages->ready && pages->ready < bytes)
        pages->ask_at = pages->ready;
}
