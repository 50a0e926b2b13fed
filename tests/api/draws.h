/* draws.h - numbers that look random and are the same in every run: Marsaglia's xorshift ("Xorshift RNGs", 2003). */
#ifndef TESTS_API_DRAWS_H
#define TESTS_API_DRAWS_H

#include <stdint.h>

/* `state` begins as anything but 0. */
static inline uint32_t
draw_below(uint64_t *state, uint32_t bound)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t) ((*state >> 20) % bound);
}

#endif
