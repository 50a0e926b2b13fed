/* meter.c - see meter.h. */
#include "tests/persist/meter.h"

#include <stdlib.h>
#include <string.h>

static void *
meter_allocate(void *context, size_t bytes)
{
    struct meter *meter = context;

    if (meter->now + bytes > meter->peak)
        meter->peak = meter->now + bytes; /* what was asked for counts, whether it is there or not */
    if (bytes > (size_t) 1 << 30)
        return NULL;
    meter->now += bytes;
    return malloc(bytes);
}

static void
meter_release(void *context, void *memory, size_t bytes)
{
    struct meter *meter = context;

    meter->now -= bytes;
    free(memory);
}

void
meter_begin(struct meter *meter, struct allocator *allocator)
{
    knackdb_allocator functions = { .context = meter, .allocate = meter_allocate, .release = meter_release };

    memset(meter, 0, sizeof *meter);
    allocator_init(allocator, &functions);
}
