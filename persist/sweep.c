/* sweep.c - see sweep.h.
 *
 * A file is removed only when its name is one of ours and what it is for is known to be
 * over. Old manifests go first: as long as one is there, all that it names is there, too.
 * Crashes leave three kinds of such files: parts of a snapshot that was never
 * finished, unfinished files, and whatever a sweep before this one did not get to. */
#include "persist/sweep.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/manifest_files.h"

#include <stdlib.h>
#include <string.h>

/* What must stay. */
struct needed {
    struct allocator *allocator;
    uint64_t         *parts; /* sorted */
    size_t            part_count;
    uint64_t          generation; /* oldest manifest kept */
    uint64_t          log_serial;
    uint64_t          sequence;
};

/* Names to remove are gathered first: what a listing does while names vanish differs between systems. */
struct doomed {
    struct needed *needed;
    char (*names)[DISK_NAME_BYTES_MAX];
    size_t count;
    size_t capacity;
    bool   no_memory;
};

static int
compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left;
    uint64_t b = *(const uint64_t *) right;

    return a < b ? -1 : a > b;
}

static knackdb_status
need(struct needed *needed, const struct manifest *manifest, knackdb_error *error)
{
    size_t    bytes = needed->part_count * sizeof *needed->parts;
    uint64_t *moved;

    needed->generation = manifest->generation;
    if (manifest->log_serial < needed->log_serial)
        needed->log_serial = manifest->log_serial;
    if (manifest->sequence < needed->sequence)
        needed->sequence = manifest->sequence;
    if (manifest->part_count == 0)
        return KNACKDB_OK;
    moved = allocator_resize(needed->allocator, needed->parts, bytes, bytes + manifest->part_count * sizeof *moved);
    if (moved == NULL)
        return error_no_memory(error, "the list of parts");
    needed->parts = moved;
    for (size_t i = 0; i < manifest->part_count; i++)
        moved[needed->part_count++] = manifest->parts[i].number;
    return KNACKDB_OK;
}

/* The newest manifest and those before it, as many as are to be kept. */
static knackdb_status
gather_needed(struct needed *needed, const struct dir *dir, const struct manifest *newest, uint32_t snapshots_kept,
              knackdb_error *error)
{
    struct manifest_list list;
    struct manifest      older;
    uint32_t             kept = 1;
    knackdb_status       status;

    status = need(needed, newest, error);
    if (status == KNACKDB_OK)
        status = manifest_list_read(&list, needed->allocator, dir, error);
    if (status != KNACKDB_OK)
        return status;
    manifest_init(&older, needed->allocator);
    for (size_t i = 0; i < list.count && kept < snapshots_kept && status == KNACKDB_OK; i++) {
        if (list.generations[i] >= newest->generation)
            continue;
        status = manifest_file_read(&older, dir, list.generations[i], error);
        if (status == KNACKDB_OK)
            status = need(needed, &older, error);
        manifest_clear(&older);
        kept++;
    }
    manifest_list_clear(&list);
    if (needed->part_count > 0)
        qsort(needed->parts, needed->part_count, sizeof *needed->parts, compare);
    return status;
}

static bool
is_doomed(const struct needed *needed, const char *name)
{
    uint64_t number;

    switch (file_name_read(name, &number)) {
    case FILE_MANIFEST: return number < needed->generation;
    case FILE_PART:
        return needed->part_count == 0 ||
               bsearch(&number, needed->parts, needed->part_count, sizeof number, compare) == NULL;
    case FILE_LOG: return number < needed->log_serial;
    case FILE_UNFINISHED: return true;
    case FILE_PAST: /* log_past.c says how long */
    case FILE_TORN: /* somebody may want to look into it */
    case FILE_LOCK:
    case FILE_FOREIGN: return false;
    }
    return false;
}

static void
hear_name(void *context, const char *name)
{
    struct doomed *doomed = context;
    void          *names;

    if (!is_doomed(doomed->needed, name))
        return;
    names = allocator_make_room(doomed->needed->allocator, doomed->names, doomed->count + 1, &doomed->capacity,
                                sizeof *doomed->names);
    if (names == NULL) {
        doomed->no_memory = true;
        return;
    }
    doomed->names = names;
    memcpy(doomed->names[doomed->count++], name, strlen(name) + 1);
}

static knackdb_status
remove_manifests(const struct doomed *doomed, const struct dir *dir, knackdb_error *error)
{
    uint64_t       number;
    bool           removed = false;
    knackdb_status status = KNACKDB_OK;

    for (size_t i = 0; i < doomed->count && status == KNACKDB_OK; i++) {
        if (file_name_read(doomed->names[i], &number) != FILE_MANIFEST)
            continue;
        status = dir_remove(dir, doomed->names[i], error);
        removed = true;
    }
    return status == KNACKDB_OK && removed ? dir_sync(dir, error) : status;
}

/* One that cannot be removed holds up no other; the first error is the one that is told. */
static knackdb_status
remove_others(const struct doomed *doomed, const struct log_past *past, knackdb_error *error)
{
    knackdb_status first = KNACKDB_OK;

    for (size_t i = 0; i < doomed->count; i++) {
        knackdb_error *place = first == KNACKDB_OK ? error : NULL;
        uint64_t       number;
        enum file_kind kind = file_name_read(doomed->names[i], &number);
        knackdb_status status = KNACKDB_OK;

        if (kind == FILE_LOG)
            status = log_past_take(past, number, place);
        else if (kind != FILE_MANIFEST)
            status = dir_remove(past->dir, doomed->names[i], place);
        if (first == KNACKDB_OK)
            first = status;
    }
    return first;
}

knackdb_status
sweep(const struct log_past *past, const struct manifest *newest, uint32_t snapshots_kept, uint64_t *ret_needed,
      knackdb_error *error)
{
    struct allocator *allocator = past->allocator;
    const struct dir *dir = past->dir;
    struct needed     needed = { .allocator = allocator, .log_serial = UINT64_MAX, .sequence = UINT64_MAX };
    struct doomed     doomed = { .needed = &needed };
    knackdb_status    status;

    *ret_needed = 0;
    status = gather_needed(&needed, dir, newest, snapshots_kept, error);
    if (status == KNACKDB_OK)
        status = dir_list(dir, hear_name, &doomed, error);
    /* Parts may have been heard of, and the manifest that names them not. */
    if (status == KNACKDB_OK && doomed.no_memory)
        status = error_no_memory(error, "the list of files that are not needed");
    /* The newest manifest may be the work of a writer that was killed between its rename and the sync. */
    if (status == KNACKDB_OK && doomed.count > 0)
        status = dir_sync(dir, error);
    if (status == KNACKDB_OK)
        status = remove_manifests(&doomed, dir, error);
    if (status == KNACKDB_OK) {
        *ret_needed = needed.sequence;
        status = remove_others(&doomed, past, error);
    }
    if (needed.parts != NULL)
        allocator_put(allocator, needed.parts, needed.part_count * sizeof *needed.parts);
    if (doomed.names != NULL)
        allocator_put(allocator, doomed.names, doomed.capacity * sizeof *doomed.names);
    return status;
}
