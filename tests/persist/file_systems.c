/* file_systems.c - where the log is mapped, where it is written, and that log_io is heard.
 *
 * On file systems mounted for the purpose: one that is known to map well, one that is not known, and overlays over
 * each. What a keeper does is seen at its disk, which counts. */
#define _GNU_SOURCE
#include "persist/keeper.h"
#include "schema/schema.h"
#include "tests/api/scratch.h"
#include "tests/durability/own_mounts.h"
#include "tests/race/claims.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { KNOWN, HEARD, WRITTEN, COMES_BACK, UPPER, CLAIMS };

static struct claim claims[CLAIMS] = {
    [KNOWN] = { .text = "a log is mapped by itself where that is known to be safe, and written elsewhere" },
    [UPPER] = { .text = "an overlay is judged by what its upper directory lies on" },
    [HEARD] = { .text = "a log that is to be written is; one that is to be mapped, too, where space can be set aside" },
    [WRITTEN] = { .text = "a written log asks for no mapping, and writes each commit before the store returns" },
    [COMES_BACK] = { .text = "what was stored comes back after a sync and a copy, and after a close" },
};

static struct disk disk;
static _Atomic int maps, writes;

static int
counting_map(const struct disk *self, int file, size_t bytes, void **ret_memory)
{
    (void) self;
    atomic_fetch_add(&maps, 1);
    return disk_posix()->map(disk_posix(), file, bytes, ret_memory);
}

static ssize_t
counting_write_at(const struct disk *self, int file, const void *from, size_t bytes, uint64_t offset)
{
    (void) self;
    atomic_fetch_add(&writes, 1);
    return disk_posix()->write_at(disk_posix(), file, from, bytes, offset);
}

/* Opens, stores, closes, opens again. Returns whether the log was mapped. */
static bool
live(const char *folder, const char *name, knackdb_log_io io)
{
    struct keeper_options options = { .disk = &disk,
                                      .log_io = io,
                                      .history = schema_history_builtin(),
                                      .flush_interval_ms = 60000,
                                      .snapshot_log_bytes = UINT64_MAX };
    bool                  mapped = false;
    char                  path[SCRATCH_PATH_MAX];

    scratch_join(path, folder, name);
    for (int round = 0; round < 2; round++) {
        struct allocator allocator;
        struct store    *store = NULL;
        struct keeper   *keeper = NULL;
        knackdb_error    error = { 0 };
        int              before;

        allocator_init(&allocator, NULL);
        atomic_store(&maps, 0);
        (void) store_new(&allocator, schema_builtin(), &store, NULL);
        if (!claim_check(&claims[COMES_BACK],
                         keeper_open(&allocator, path, &options, store, &keeper, &error) == KNACKDB_OK, "%s: %s", path,
                         error.message)) {
            store_free(store);
            return false;
        }
        claim_check(&claims[COMES_BACK], store_sequence(store) == (uint64_t) round * 50, "%s: %ju commits", path,
                    (uintmax_t) store_sequence(store));
        before = atomic_load(&writes);
        for (int i = 0; i < 50; i++) {
            knackdb_value id = knackdb_value_integer(round * 50 + i + 1);

            claim_check(&claims[COMES_BACK],
                        store_put_rows(store, KNACKDB_EXECUTION_PATTERNS, &id, 1, 1, 0, NULL, NULL, &error) ==
                            KNACKDB_OK,
                        "%s", error.message);
        }
        mapped = atomic_load(&maps) > 0;
        if (!mapped)
            claim_check(&claims[WRITTEN], atomic_load(&writes) >= before + 50, "%d writes",
                        atomic_load(&writes) - before);
        claim_check(&claims[COMES_BACK], keeper_sync(keeper, &error) == KNACKDB_OK, "%s", error.message);
        claim_check(&claims[COMES_BACK], keeper_close(keeper, &error) == KNACKDB_OK, "%s", error.message);
        store_free(store);
    }
    return mapped;
}

static void
judge(const char *folder, int claim, bool maps_well)
{
    bool by_itself = live(folder, "auto", KNACKDB_LOG_AUTO);

    claim_check(&claims[claim], by_itself == maps_well, "%s: %s", folder, by_itself ? "mapped" : "written");
    /* Ramfs sets none aside. */
    claim_check(&claims[HEARD], live(folder, "map", KNACKDB_LOG_MAP) == maps_well, "%s: map", folder);
    claim_check(&claims[HEARD], !live(folder, "write", KNACKDB_LOG_WRITE), "%s: it is mapped", folder);
}

/* An overlay whose upper directory lies in `folder`. */
static bool
mount_overlay(const char *place, const char *folder)
{
    char options[4 * SCRATCH_PATH_MAX];
    char lower[SCRATCH_PATH_MAX], upper[SCRATCH_PATH_MAX], work[SCRATCH_PATH_MAX];

    scratch_join(lower, folder, "lower");
    scratch_join(work, folder, "work");
    scratch_join(upper, folder, "upper directory");
    if (mkdir(lower, 0700) != 0 || mkdir(upper, 0700) != 0 || mkdir(work, 0700) != 0)
        return false;
    (void) snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    return mount("none", place, "overlay", 0, options) == 0;
}

int
main(void)
{
    static const struct {
        const char *name;
        bool        maps_well;
    } kinds[] = { { "tmpfs", true }, { "ramfs", false } };
    size_t mounted = 0;

    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    disk = *disk_posix();
    disk.map = counting_map;
    disk.write_at = counting_write_at;
    if (!own_mounts_begin()) {
        printf("no mounts are permitted here\n");
        return 77;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char place[SCRATCH_PATH_MAX];
        char over[SCRATCH_PATH_MAX];

        scratch_make(place);
        scratch_make(over);
        if (mount("none", place, kinds[i].name, 0, NULL) == 0) {
            mounted++;
            judge(place, KNOWN, kinds[i].maps_well);
            if (mount_overlay(over, place)) {
                judge(over, UPPER, kinds[i].maps_well);
                (void) umount2(over, MNT_DETACH);
            } else {
                printf("no overlay over %s: %s\n", kinds[i].name, strerror(errno));
            }
            (void) umount2(place, MNT_DETACH);
        }
        scratch_remove(over);
        scratch_remove(place);
    }
    if (mounted == 0) {
        printf("nothing could be mounted here\n");
        return 77;
    }
    /* Where there are overlays. */
    return claims_report(claims, atomic_load(&claims[UPPER].checks) > 0 ? CLAIMS : UPPER);
}
