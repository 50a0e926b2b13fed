/* open.c - the life of a store: options checked, the parts joined, and taken apart again. */
#include "api/handle.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CACHE_BYTES_DEFAULT ((uint64_t) 1 << 20)
#define KNOWN_OPEN_FLAGS                                                                                 \
    (KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_NO_CREATE | KNACKDB_OPEN_SNAPSHOT | KNACKDB_OPEN_NO_MIGRATE | \
     KNACKDB_OPEN_FOLLOW | KNACKDB_OPEN_REFUSE_DEGRADED)

static bool
is_read_only(const knackdb_options *options)
{
    return (options->flags & (KNACKDB_OPEN_READ_ONLY | KNACKDB_OPEN_FOLLOW)) != 0;
}

/* ---- fork ---- */

#define MARK_BYTES ((size_t) 4096)

/* A page of its own, since the kernel clears whole pages (MADV_WIPEONFORK). */
static _Atomic uint32_t *
parent_mark_new(void)
{
    void             *page = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    _Atomic uint32_t *mark = page;

    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, MARK_BYTES, MADV_WIPEONFORK) != 0) {
        (void) munmap(page, MARK_BYTES);
        return NULL;
    }
    atomic_store(mark, PARENT_MARK);
    return mark;
}

knackdb_status
handle_check(const knackdb *db, knackdb_error *error)
{
    if (db->parent_mark != NULL ? atomic_load_explicit(db->parent_mark, memory_order_relaxed) == PARENT_MARK
                                : getpid() == db->opener)
        return KNACKDB_OK;
    return error_set(error, KNACKDB_FORKED,
                     "this process is a fork of the one that opened the store; open it anew, read-only");
}

knackdb_status
handle_check_writable(const knackdb *db, knackdb_error *error)
{
    knackdb_status status = handle_check(db, error);

    if (status == KNACKDB_OK && db->is_read_only)
        return error_set(error, KNACKDB_READ_ONLY, "the store was opened read-only");
    return status;
}

knackdb_status
handle_wait(knackdb *db, uint64_t sequence, knackdb_error *error)
{
    if (db->durability != KNACKDB_SYNC || db->keeper == NULL || sequence == 0)
        return KNACKDB_OK;
    return keeper_wait_durable(db->keeper, sequence, error);
}

/* ---- options ---- */

/* The first options had this size; what a caller compiled against an older header does not have takes its default. */
#define OPTIONS_BYTES_FIRST offsetof(knackdb_options, log_history_bytes)

static knackdb_status
take_options(const knackdb_options *given, knackdb_options *ret_options, knackdb_error *error)
{
    if (given->struct_size < OPTIONS_BYTES_FIRST || given->struct_size > sizeof *ret_options ||
        given->struct_size % sizeof(uint64_t) != 0)
        return error_set(error, KNACKDB_INVALID,
                         "options: struct_size is %zu, not %zu; begin with "
                         "knackdb_options_default()",
                         given->struct_size, sizeof *ret_options);
    *ret_options = knackdb_options_default();
    memcpy(ret_options, given, given->struct_size);
    ret_options->struct_size = sizeof *ret_options;
    return KNACKDB_OK;
}

static knackdb_status
check_options(const knackdb_options *options, bool in_memory, knackdb_error *error)
{
    int moments = (options->as_of_sequence != 0) + (options->as_of_time != 0.0) +
                  ((options->flags & KNACKDB_OPEN_SNAPSHOT) != 0);
    bool is_past = moments > 0;

    if ((options->flags & ~(uint32_t) KNOWN_OPEN_FLAGS) != 0)
        return error_set(error, KNACKDB_INVALID, "options: unknown flags 0x%x", options->flags);
    if ((unsigned) options->durability > KNACKDB_MEMORY_ONLY)
        return error_set(error, KNACKDB_INVALID, "options: unknown durability %d", (int) options->durability);
    if ((unsigned) options->log_io > KNACKDB_LOG_WRITE)
        return error_set(error, KNACKDB_INVALID, "options: unknown log_io %d", (int) options->log_io);
    if ((options->file_mode & ~0777u) != 0)
        return error_set(error, KNACKDB_INVALID, "options: file_mode 0%o is more than 0777", options->file_mode);
    if (options->as_of_sequence < 0 || !isfinite(options->as_of_time) || options->as_of_time < 0.0)
        return error_set(error, KNACKDB_INVALID, "options: as_of_sequence and as_of_time must not be negative");
    if (moments > 1)
        return error_set(error, KNACKDB_INVALID,
                         "options: as_of_sequence, as_of_time, and the newest snapshot alone: one of them");
    if (is_past && (options->flags & KNACKDB_OPEN_FOLLOW) != 0)
        return error_set(error, KNACKDB_INVALID, "options: the past stands still; it cannot be followed");
    if (is_past && !is_read_only(options))
        return error_set(error, KNACKDB_INVALID, "options: the past can only be opened read-only");
    if (in_memory && (is_past || is_read_only(options) || (options->flags & KNACKDB_OPEN_NO_CREATE) != 0))
        return error_set(error, KNACKDB_INVALID, "options: a store in memory is always new; there is none to be read");
    if (options->allocator != NULL && (options->allocator->allocate == NULL || options->allocator->release == NULL))
        return error_set(error, KNACKDB_INVALID, "options: an allocator needs both of its functions");
    return KNACKDB_OK;
}

/* 0 means the newest, so the first microsecond stands for any earlier moment, and the last for any later one. */
static int64_t
as_of_time_us(double seconds)
{
    double us = seconds * 1e6;

    if (seconds == 0.0)
        return 0;
    return us < 1.0 ? 1 : us >= 0x1p63 ? INT64_MAX : (int64_t) us;
}

static struct keeper_options
keeper_options_of(const knackdb_options *options)
{
    return (struct keeper_options) {
        .log_io = options->log_io,
        .flush_interval_ms = options->flush_interval_ms,
        .log_segment_bytes_max = options->log_segment_bytes_max,
        .snapshot_log_bytes = options->snapshot_log_bytes,
        .snapshot_interval_s = options->snapshot_interval_s,
        .snapshots_kept = options->snapshots_kept,
        .log_history_bytes = options->log_history_bytes,
        .file_mode = options->file_mode,
        .read_only = is_read_only(options),
        .follow = (options->flags & KNACKDB_OPEN_FOLLOW) != 0,
        .no_create = (options->flags & KNACKDB_OPEN_NO_CREATE) != 0,
        .snapshot_only = (options->flags & KNACKDB_OPEN_SNAPSHOT) != 0,
        .no_migrate = (options->flags & KNACKDB_OPEN_NO_MIGRATE) != 0,
        .refuses_degraded = (options->flags & KNACKDB_OPEN_REFUSE_DEGRADED) != 0,
        .as_of_sequence = (uint64_t) options->as_of_sequence,
        .as_of_time_us = as_of_time_us(options->as_of_time),
        .log_message = options->log_message,
        .log_context = options->log_context,
        .history = schema_history_builtin(),
    };
}

/* ---- open and close ---- */

/* Everything but the directory; NULL parts are accepted, so that a half-made handle can go, too. */
static void
handle_free(knackdb *db)
{
    store_free(db->store);
    operations_clear(&db->operations, &db->allocator);
    if (db->parent_mark != NULL)
        (void) munmap((void *) (uintptr_t) db->parent_mark, MARK_BYTES);
    if (db->allocator.functions.allocate != NULL) {
        knackdb_allocator functions = db->allocator.functions;

        functions.release(functions.context, db, sizeof *db);
    } else {
        free(db);
    }
}

static knackdb_status
handle_new(const knackdb_options *options, knackdb **ret_db, knackdb_error *error)
{
    const knackdb_allocator *functions = options->allocator;
    knackdb       *db = functions != NULL ? functions->allocate(functions->context, sizeof *db) : malloc(sizeof *db);
    knackdb_status status;

    if (db == NULL)
        return error_no_memory(error, "a store");
    memset(db, 0, sizeof *db);
    allocator_init(&db->allocator, functions);
    db->durability = options->durability;
    db->is_read_only = is_read_only(options);
    db->file_mode = options->file_mode;
    status = operations_init(&db->operations, &db->allocator, options->slow_operation_us, error);
    if (status == KNACKDB_OK) {
        db->parent_mark = parent_mark_new(); /* without one (an old kernel, a sandbox) the process id has to do */
        db->opener = getpid();
    }
    if (status == KNACKDB_OK)
        status = store_new(&db->allocator, schema_builtin(), &db->store, error);
    if (status != KNACKDB_OK) {
        handle_free(db);
        return status;
    }
    store_set_cache_limit(db->store, options->cache_bytes_max == 0            ? CACHE_BYTES_DEFAULT
                                     : options->cache_bytes_max == UINT64_MAX ? 0
                                                                              : options->cache_bytes_max);
    *ret_db = db;
    return KNACKDB_OK;
}

knackdb_status
knackdb_open(const char *path, const knackdb_options *options, knackdb **ret_db, knackdb_error *error)
{
    knackdb_options own = knackdb_options_default();
    uint64_t        begun = clock_monotonic_ns();
    bool            in_memory;
    knackdb        *db = NULL;
    knackdb_status  status = KNACKDB_OK;

    if (ret_db == NULL)
        return error_set(error, KNACKDB_INVALID, "open: there is nowhere to put the store");
    if (options != NULL)
        status = take_options(options, &own, error);
    if (status != KNACKDB_OK)
        return status;
    options = &own;
    in_memory = path == NULL || strcmp(path, ":memory:") == 0 || options->durability == KNACKDB_MEMORY_ONLY;
    if (!in_memory && path[0] == '\0')
        return error_set(error, KNACKDB_INVALID, "open: the path is empty; NULL keeps everything in memory only");
    status = check_options(options, in_memory, error);
    if (status == KNACKDB_OK)
        status = handle_new(options, &db, error);
    if (status != KNACKDB_OK)
        return status;

    if (in_memory) {
        db->durability = KNACKDB_MEMORY_ONLY;
    } else {
        struct keeper_options keeper_options = keeper_options_of(options);

        status = keeper_open(&db->allocator, path, &keeper_options, db->store, &db->keeper, error);
        if (status == KNACKDB_CORRUPT)
            error_add(error, DAMAGE_ADVICE);
        if (status != KNACKDB_OK) {
            handle_free(db);
            return status;
        }
    }
    store_set_memory_limit(db->store, options->memory_bytes_max); /* what is on disk comes back whatever its size */
    db->opened_at = knackdb_now();
    db->open_seconds = (double) (clock_monotonic_ns() - begun) / 1e9;
    *ret_db = db;
    return KNACKDB_OK;
}

knackdb_status
knackdb_close(knackdb *db, knackdb_error *error)
{
    knackdb_status status;

    if (db == NULL)
        return KNACKDB_OK;
    status = handle_check(db, error);
    if (db->keeper != NULL) {
        if (status == KNACKDB_FORKED)
            keeper_abandon(db->keeper);
        else
            status = keeper_close(db->keeper, error);
    }
    if (status == KNACKDB_FORKED)
        db->store = NULL; /* as it is: a thread that the child does not have may be half through a change of it */
    handle_free(db);
    return status;
}

knackdb_status
knackdb_sync(knackdb *db, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    knackdb_status status = handle_check(db, error);

    if (status == KNACKDB_OK && db->keeper != NULL && !db->is_read_only)
        status = keeper_sync(db->keeper, error);
    return operation_result(&db->operations, KNACKDB_OPERATION_SYNC, begun, -1, 0, status);
}

knackdb_status
knackdb_snapshot(knackdb *db, knackdb_error *error)
{
    uint64_t       begun = operation_begin(&db->operations);
    knackdb_status status = handle_check_writable(db, error);

    if (status == KNACKDB_OK && db->keeper == NULL)
        status = error_set(error, KNACKDB_INVALID, "snapshot: the store is in memory only");
    if (status == KNACKDB_OK)
        status = keeper_snapshot(db->keeper, error);
    return operation_result(&db->operations, KNACKDB_OPERATION_SNAPSHOT, begun, -1, 0, status);
}
