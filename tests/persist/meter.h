/* meter.h - how much memory is asked for at a time, at most. */
#ifndef TESTS_PERSIST_METER_H
#define TESTS_PERSIST_METER_H

#include "base/allocator.h"

struct meter {
    size_t now, peak; /* bytes */
};

/* Makes an allocator of malloc that is metered, and refuses blocks of more than 1 GiB. */
void meter_begin(struct meter *meter, struct allocator *allocator);

#endif
