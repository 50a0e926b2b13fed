/* asking.c - see asking.h. */
#include "tests/persist/asking.h"

#include "persist/replay_log.h"
#include "persist/verification.h"

knackdb_status
asked_to_verify(const char *path, uint32_t version, knackdb_error *error)
{
    struct verify_options options = { .disk = disk_posix(),
                                      .history = bench_history(),
                                      .schema = bench_schema(version) };
    struct allocator      allocator;

    allocator_init(&allocator, NULL);
    return verify_directory(&allocator, path, &options, NULL, error);
}

knackdb_status
asked_to_replay(const char *path, uint32_t version, knackdb_error *error)
{
    struct allocator   allocator;
    struct replay_log *log = NULL;
    struct log_commit  commit;
    knackdb_status     status;

    allocator_init(&allocator, NULL);
    status = replay_log_open(&allocator, disk_posix(), path, bench_history(), bench_schema(version), &log, error);
    if (log == NULL)
        return status;
    while (status == KNACKDB_OK)
        status = replay_log_next(log, &commit, error);
    replay_log_close(log);
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

knackdb_status
asked_to_open(const char *path, uint32_t version, bool follows, knackdb_error *error)
{
    struct keeper_options options = kept_options();
    struct kept           kept;
    knackdb_status        status;

    options.read_only = true;
    options.follow = follows;
    status = kept_open(&kept, path, version, &options);
    if (status == KNACKDB_OK)
        kept_close(&kept);
    else
        *error = kept.error;
    return status;
}
