/* life.c - see life.h. */
#include "tests/crash/life.h"

#include "base/error.h"
#include "persist/verification.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_tidy(struct life *life)
{
    uint64_t bytes = atomic_load(&life->allocator.bytes);
    size_t   handles = life->is_guest ? 0 : lying_disk_handles(life->disk);

    if (bytes == 0 && handles == 0)
        return true;
    (void) error_set(&life->error, KNACKDB_INVALID, "%" PRIu64 " bytes and %zu handles are left behind", bytes,
                     handles);
    return false;
}

static knackdb_status
open_at(struct life *life, struct lying_disk *disk, const char *path, const struct keeper_options *options,
        bool is_guest)
{
    struct keeper_options own = *options;
    knackdb_status        status;

    memset(life, 0, sizeof *life);
    life->is_guest = is_guest;
    allocator_init(&life->allocator, NULL);
    life->disk = disk;
    own.disk = lying_disk_face(disk);
    own.history = schema_history_builtin();
    own.by_hand = true;
    if (store_new(&life->allocator, schema_builtin(), &life->store, NULL) != KNACKDB_OK)
        abort();
    status = keeper_open(&life->allocator, path, &own, life->store, &life->keeper, &life->error);
    if (status == KNACKDB_OK)
        return status;
    store_free(life->store);
    life->store = NULL;
    if (!is_tidy(life))
        status = KNACKDB_INVALID;
    return status;
}

knackdb_status
life_open(struct life *life, struct lying_disk *disk, const struct keeper_options *options)
{
    return open_at(life, disk, LIFE_PATH, options, false);
}

knackdb_status
life_open_guest(struct life *life, struct lying_disk *disk, const char *path, const struct keeper_options *options)
{
    return open_at(life, disk, path, options, true);
}

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    char *why = context;

    if (why[0] == '\0')
        (void) snprintf(why, LIFE_WORDS, "%s: offset %" PRIu64 ": %s", fault->file, fault->offset, fault->reason);
}

knackdb_status
life_verify(struct lying_disk *disk, const char *path, char why[LIFE_WORDS])
{
    struct verify_options options = {
        .disk = lying_disk_face(disk),
        .history = schema_history_builtin(),
        .schema = schema_builtin(),
        .on_fault = hear_fault,
        .context = why,
    };
    knackdb_verify_report report;
    knackdb_error         error = { 0 };
    struct allocator      allocator;
    knackdb_status        status;

    why[0] = '\0';
    allocator_init(&allocator, NULL);
    status = verify_directory(&allocator, path, &options, &report, &error);
    if (why[0] == '\0' && status != KNACKDB_OK)
        (void) snprintf(why, LIFE_WORDS, "%s", error.message);
    if (atomic_load(&allocator.bytes) != 0) {
        (void) snprintf(why, LIFE_WORDS, "memory is left behind");
        status = KNACKDB_INVALID;
    }
    return status;
}

knackdb_status
life_close(struct life *life)
{
    knackdb_status status = keeper_close(life->keeper, &life->error);

    store_free(life->store);
    if (!is_tidy(life))
        status = KNACKDB_INVALID;
    return status;
}

bool
life_end(struct life *life)
{
    lying_disk_cut_power(life->disk);
    (void) keeper_close(life->keeper, NULL);
    store_free(life->store);
    return is_tidy(life);
}
