/* clock.h - what time it is, and how long something took. */
#ifndef KNACKDB_BASE_CLOCK_H
#define KNACKDB_BASE_CLOCK_H

#include <stdint.h>

int64_t  clock_wall_us(void);      /* microseconds since 1970, UTC */
uint64_t clock_monotonic_ns(void); /* since some fixed moment; never goes back */

#endif
