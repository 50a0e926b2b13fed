/* roster.h - the stores that can take part in a run on this machine. */
#ifndef BENCHMARKS_ROSTER_H
#define BENCHMARKS_ROSTER_H

#include "adapter.h"

#define STORES_MAX 16

struct roster {
    const struct adapter *adapters[STORES_MAX]; /**< in the order in which they are shown */
    size_t                count;
};

/** All that are there; says on stderr which are left out, and why. */
void roster_all(struct roster *ret_roster);

/** The store of that name; NULL, and why in words, where it is not there. */
const struct adapter *roster_named(const char *name, size_t length, const char **ret_why_not);

#endif
