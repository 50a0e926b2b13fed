/* store_id.c - see store_id.h. */
#define _GNU_SOURCE /* getrandom */
#include "persist/store_id.h"

#include "base/clock.h"
#include "base/hash.h"

#include <sys/random.h>

uint64_t
store_id_new(void)
{
    uint64_t id;

    if (getrandom(&id, sizeof id, GRND_NONBLOCK) != (ssize_t) sizeof id) {
        /* Right after boot. Two stores must not share an id; that is all that is asked of it. */
        id = hash_integer(clock_monotonic_ns()) ^ hash_integer((uint64_t) clock_wall_us());
    }
    return id;
}
