/* repairing.c - manifest, parts, log: read as far as they go, and written anew.
 *
 *     manifest      the newest that can be read; without any, the parts that are there
 *     parts         repair_ends.c, then repair_parts.c
 *     log           repair_log.c
 *     new directory saving.c, which also proves it
 *
 * Where parts are damaged, what they held may be found on another way: from an earlier snapshot that is kept, whose
 * parts are sound, by the log since; or by all of the log from the first commit on, where all of its history is kept.
 * Such a way is taken if it loses less, nothing more of any kind, and leads as far. What was damaged is told all the
 * same, as no loss.
 *
 * The rows come together in a store in memory under numbers of their own; the commit that the new directory
 * ends at is the newest that was saved. Nothing is written into the damaged directory and no lock is
 * taken. A writer may be at work in it: where something is missing and the manifests have changed meanwhile, it may
 * have been removed by a snapshot, and the repair begins again. */
#include "persist/repair_state.h"

#include "base/error.h"
#include "persist/directory.h"
#include "persist/ends_file.h"
#include "persist/file_name.h"
#include "persist/log_format.h"
#include "persist/manifest_files.h"
#include "persist/part_format.h"
#include "persist/patient_disk.h"
#include "persist/saving.h"

#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 10
#define FILE_MODE 0600u

/* Read of a file of ends at the least where no manifest says how many parts there were. */
#define UNNAMED_ENDS_BYTES ((uint64_t) 1024 * 1024)

/* ---- manifests ---- */

/* Reads one. *ret_sound: it is in repair->manifest. */
static knackdb_status
read_manifest(struct repair *repair, uint64_t generation, bool *ret_sound, knackdb_error *error)
{
    struct byte_buffer bytes;
    char               name[DISK_NAME_BYTES_MAX];
    knackdb_error      why = { .message = "" };
    size_t             offset = 0;
    knackdb_loss       loss = { .kind = KNACKDB_LOSS_MANIFEST, .table = -1, .column = -1 };
    knackdb_status     status;

    file_name_write(name, FILE_MANIFEST, generation);
    byte_buffer_init(&bytes, repair->allocator);
    status = manifest_file_fetch(&bytes, &repair->dir, generation, &why);
    if (status == KNACKDB_OK)
        status = manifest_read(&repair->manifest, bytes.data, bytes.bytes, &offset, &why);
    if (status == KNACKDB_OK && repair->manifest.generation != generation)
        status = error_set(&why, KNACKDB_CORRUPT, "its name belongs to another manifest");
    if (status == KNACKDB_OK && repair->manifest.schema_version > repair->options->schema->version)
        status = error_set(&why, KNACKDB_UNSUPPORTED, "schema version %u; this library knows up to %u",
                           (unsigned) repair->manifest.schema_version, (unsigned) repair->options->schema->version);
    *ret_sound = status == KNACKDB_OK;
    if (status == KNACKDB_CORRUPT) {
        loss.offset = offset;
        loss.bytes = bytes.bytes;
        repair_note(repair, &loss, name, "the manifest: %s", why.message);
    }
    if (status == KNACKDB_CORRUPT || status == KNACKDB_NOT_FOUND)
        status = KNACKDB_OK;
    else if (status == KNACKDB_UNSUPPORTED)
        (void) error_set(error, status, "%s/%s: %s", repair->dir.path, name, why.message);
    else if (status != KNACKDB_OK && error != NULL)
        *error = why; /* of the call that failed: names the file already */
    byte_buffer_clear(&bytes);
    if (!*ret_sound)
        manifest_clear(&repair->manifest);
    return status;
}

static knackdb_status
find_manifest(struct repair *repair, const struct manifest_list *list, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (size_t i = 0; i < list->count && !repair->has_manifest && status == KNACKDB_OK; i++) {
        repair->manifest_index = i;
        status = read_manifest(repair, list->generations[i], &repair->has_manifest, error);
    }
    return status;
}

/* ---- without a manifest ---- */

struct file_list {
    struct repair *repair;
    uint64_t      *parts;
    size_t         part_count;
    size_t         part_capacity;
    bool           has_log;
    bool           has_id;
    uint64_t       store_id;
    bool           no_memory;
};

static void
hear_file(void *context, const char *name)
{
    struct file_list *files = context;
    uint64_t         *parts;
    uint64_t          number;
    enum file_kind    kind = file_name_read(name, &number);

    files->has_log |= kind == FILE_LOG;
    if (kind != FILE_PART)
        return;
    parts = allocator_make_room(files->repair->allocator, files->parts, files->part_count + 1, &files->part_capacity,
                                sizeof *parts);
    if (parts == NULL) {
        files->no_memory = true;
        return;
    }
    files->parts = parts;
    files->parts[files->part_count++] = number;
}

static int
compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *) left;
    uint64_t b = *(const uint64_t *) right;

    return a < b ? -1 : a > b;
}

/* The store's id, from the first head of a part or a segment that is sound. */
static void
hear_head(void *context, const char *name)
{
    struct file_list *files = context;
    unsigned char    *bytes;
    struct file       file = { 0 };
    uint64_t          number;
    size_t            read = 0;
    enum file_kind    kind = file_name_read(name, &number);

    if (files->has_id || (kind != FILE_PART && kind != FILE_LOG))
        return;
    bytes = allocator_get(files->repair->allocator, PART_HEAD_BYTES_MAX);
    if (bytes == NULL) {
        files->no_memory = true;
        return;
    }
    if (file_open(&files->repair->dir, name, DISK_READ, 0, &file, NULL) == KNACKDB_OK &&
        file_read(&file, 0, bytes, PART_HEAD_BYTES_MAX, &read, NULL) == KNACKDB_OK) {
        struct part_head part;
        struct log_head  log;

        if (kind == FILE_PART && part_head_read(bytes, read, &part, NULL) == KNACKDB_OK && part.number == number) {
            files->has_id = true;
            files->store_id = part.store_id;
        } else if (kind == FILE_LOG && log_head_read(bytes, read, &log, NULL) == KNACKDB_OK && log.serial == number) {
            files->has_id = true;
            files->store_id = log.store_id;
        }
    }
    file_close(&file);
    allocator_put(files->repair->allocator, bytes, PART_HEAD_BYTES_MAX);
}

/* What is there may be all or a tenth of it: a backup that was cut off leaves just this. So nobody is told that nothing
 * was lost. */
static void
note_no_manifest(struct repair *repair)
{
    knackdb_loss loss = { .kind = KNACKDB_LOSS_MANIFEST, .table = -1, .column = -1 };

    repair_note(repair, &loss, "manifest-*.knm",
                "the manifest: there is none, so parts may be missing that nobody can tell of");
}

static knackdb_status
save_found_parts(struct repair *repair, knackdb_error *error)
{
    struct file_list files = { .repair = repair };
    knackdb_status   status = dir_list(&repair->dir, hear_file, &files, error);

    if (status == KNACKDB_OK && files.part_count == 0 && !files.has_log)
        status =
            error_set(error, KNACKDB_NOT_FOUND, "%s: there is nothing of a store in this directory", repair->dir.path);
    if (status == KNACKDB_OK)
        status = dir_list(&repair->dir, hear_head, &files, error);
    if (status == KNACKDB_OK && files.no_memory)
        status = error_no_memory(error, "the list of parts");
    if (status == KNACKDB_OK && !files.has_id)
        status = error_set(error, KNACKDB_CORRUPT,
                           "%s: no manifest, and no head of a part or a log segment, can be read", repair->dir.path);
    repair->store_id = files.store_id;
    if (status == KNACKDB_OK &&
        repair->loss_count == 0) /* otherwise there are some, and what is wrong with them is told */
        note_no_manifest(repair);
    if (files.part_count > 0)
        qsort(files.parts, files.part_count, sizeof *files.parts, compare);
    /* Some parts may be gone: what else tells of them is not to be called damage, as long as it is not much. */
    repair->ends_bytes_max = ends_file_bytes_max(files.part_count);
    if (repair->ends_bytes_max < UNNAMED_ENDS_BYTES)
        repair->ends_bytes_max = UNNAMED_ENDS_BYTES;
    for (size_t i = 0; i < files.part_count && status == KNACKDB_OK; i++)
        status = repair_learn_ends(repair, files.parts[i], NULL, error);
    repair_settle_ends(repair);
    /* Of two that hold the same row the later one is newer, and replaces it. */
    for (size_t i = 0; i < files.part_count && status == KNACKDB_OK; i++)
        status = repair_part(repair, files.parts[i], NULL, error);
    allocator_put(repair->allocator, files.parts, files.part_capacity * sizeof *files.parts);
    return status;
}

/* ---- all of it ---- */

static void
take_next_ids(struct repair *repair, const struct manifest *manifest)
{
    const struct repair_options *options = repair->options;
    uint32_t                     table;

    for (uint32_t i = 0; i < manifest->table_count; i++)
        if (schema_resolve_table(options->history, options->schema, manifest->schema_version, manifest->tables[i].name,
                                 strlen(manifest->tables[i].name), &table))
            store_load_next_id(repair->store, table, manifest->tables[i].next_id);
}

static knackdb_status
save_named_parts(struct repair *repair, knackdb_error *error)
{
    const struct manifest *manifest = &repair->manifest;
    knackdb_status         status = KNACKDB_OK;

    repair->store_id = manifest->store_id;
    repair->sequence = manifest->sequence;
    repair->time_us = manifest->time_us;
    repair->ends_bytes_max = ends_file_bytes_max(manifest->part_count);
    for (size_t i = 0; i < manifest->part_count && status == KNACKDB_OK; i++)
        if (manifest->parts[i].kind == PART_ENDS)
            status = repair_learn_ends(repair, manifest->parts[i].number, &manifest->parts[i], error);
    repair_settle_ends(repair);
    for (size_t i = 0; i < manifest->part_count && status == KNACKDB_OK; i++)
        if (manifest->parts[i].kind == PART_ROWS)
            status = repair_part(repair, manifest->parts[i].number, &manifest->parts[i], error);
    if (status == KNACKDB_OK)
        take_next_ids(repair, manifest);
    return status;
}

static void
begin_again(struct repair *repair)
{
    repair_forget_losses(repair);
    repair_forget_ends(repair);
    manifest_clear(&repair->manifest);
    store_free(repair->store);
    repair->store = NULL;
    repair->has_manifest = false;
    repair->from_nothing = false;
    repair->sequence = 0;
    repair->time_us = 0;
}

static knackdb_status
save_this_way(struct repair *repair, knackdb_error *error)
{
    knackdb_status status = store_new(repair->allocator, repair->options->schema, &repair->store, error);

    if (status == KNACKDB_OK && repair->has_manifest)
        status = save_named_parts(repair, error);
    else if (status == KNACKDB_OK && !repair->from_nothing)
        status = save_found_parts(repair, error);
    if (status == KNACKDB_OK)
        status = repair_log(repair, error);
    if (status == KNACKDB_OK && repair->no_memory)
        status = error_no_memory(error, "the list of what was lost");
    return status;
}

/* Does it lose less than the first way, of each kind no more, and lead as far? Fewer places alone say little: one of
 * them may be a whole part. */
static bool
is_better(const struct repair *repair, const struct repair *first)
{
    const knackdb_repair_report *report = &repair->report;

    return report->loss_count + repair_count_losses(first, FILE_MANIFEST) < first->report.loss_count &&
           report->rows_lost <= first->report.rows_lost && report->values_lost <= first->report.values_lost &&
           report->commits_lost <= first->report.commits_lost && repair->sequence >= first->sequence;
}

/* All that was found is another's now. */
static void
give_away(struct repair *repair)
{
    repair->store = NULL;
    repair->losses = NULL;
    repair->loss_count = repair->loss_capacity = 0;
    repair->ends_files = NULL;
    repair->ends = NULL;
    repair->ends_count = repair->ends_capacity = 0;
    manifest_init(&repair->manifest, repair->allocator);
}

/* From each older manifest, and from nothing. True: repair is a way that is better than the first, which began at a
 * manifest: without one nobody knows how far a way has to lead. Where one fails, be it for want of memory (it may have
 * all of the log to read), the first is still there. */
static bool
try_other_ways(struct repair *repair, const struct repair *first, const struct manifest_list *list)
{
    bool is_found = false;

    for (size_t index = first->manifest_index + 1; index <= list->count && !is_found; index++) {
        knackdb_error  why = { .message = "" };
        knackdb_status status = KNACKDB_OK;

        begin_again(repair);
        repair->from_nothing = index == list->count;
        repair->store_id = first->store_id;
        if (!repair->from_nothing)
            status = read_manifest(repair, list->generations[index], &repair->has_manifest, &why);
        if (status != KNACKDB_OK || (!repair->has_manifest && !repair->from_nothing))
            continue;
        is_found = save_this_way(repair, &why) == KNACKDB_OK && is_better(repair, first);
    }
    return is_found;
}

static knackdb_status
save_rows(struct repair *repair, const struct manifest_list *list, knackdb_error *error)
{
    struct repair *first;
    bool           is_found;
    knackdb_status status;

    begin_again(repair);
    status = find_manifest(repair, list, error);
    if (status == KNACKDB_OK)
        status = save_this_way(repair, error);
    if (status != KNACKDB_OK || !repair->has_manifest || repair_count_losses(repair, FILE_PART) == 0)
        return status;
    first = allocator_get(repair->allocator, sizeof *first);
    if (first == NULL)
        return KNACKDB_OK; /* it is complete as it is */
    *first = *repair;
    give_away(repair);
    is_found = try_other_ways(repair, first, list);
    if (is_found) {
        repair_note_spared(repair, first);
        is_found = !repair->no_memory;
    }
    if (is_found) {
        take_next_ids(repair, &first->manifest);
        manifest_clear(&repair->manifest);
        repair->manifest = first->manifest; /* what the new directory descends from is the newest all the same */
        repair->has_manifest = true;
        manifest_init(&first->manifest, first->allocator);
        begin_again(first);
    } else {
        begin_again(repair);
        *repair = *first;
    }
    allocator_put(repair->allocator, first, sizeof *first);
    return KNACKDB_OK;
}

static bool
are_same(const struct manifest_list *left, const struct manifest_list *right)
{
    return left->count == right->count && (left->count == 0 || memcmp(left->generations, right->generations,
                                                                      left->count * sizeof *left->generations) == 0);
}

static knackdb_status
save_one_moment(struct repair *repair, knackdb_error *error)
{
    bool settled = false;

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        struct manifest_list before;
        struct manifest_list after;
        knackdb_status       status = manifest_list_read(&before, repair->allocator, &repair->dir, error);

        if (status != KNACKDB_OK)
            return status;
        status = save_rows(repair, &before, error);
        if (status == KNACKDB_OK)
            status = manifest_list_read(&after, repair->allocator, &repair->dir, error);
        if (status == KNACKDB_OK) {
            settled = repair->loss_count == 0 || are_same(&before, &after);
            manifest_list_clear(&after);
        }
        manifest_list_clear(&before);
        if (status != KNACKDB_OK || settled)
            return status;
    }
    return error_set(error, KNACKDB_BUSY, "%s: snapshots follow each other too fast to read one", repair->dir.path);
}

static knackdb_status
write_directory(struct repair *repair, const char *to, knackdb_error *error)
{
    struct saving_options options = {
        .disk = repair->options->disk,
        .history = repair->options->history,
        .path = to,
        .file_mode = FILE_MODE,
        .time_us = repair->time_us,
        .ancestor = repair->has_manifest ? &repair->manifest : NULL,
    };
    struct view    view;
    knackdb_status status = view_begin(repair->store, &view, error);

    if (status != KNACKDB_OK)
        return status;
    /* Rows without a commit that they come from: 0 would say that there are none. */
    options.sequence = repair->sequence != 0 || view.sequence == 0 ? repair->sequence : 1;
    status = saving_write(repair->allocator, &options, &view, &repair->report.rows_saved, error);
    repair->report.sequence = options.sequence;
    view_end(&view);
    return status;
}

knackdb_status
repair_directory(struct allocator *allocator, const char *path, const char *to, const struct repair_options *options,
                 knackdb_repair_report *ret_report, knackdb_error *error)
{
    struct repair      *repair = allocator_get_zeroed(allocator, sizeof *repair);
    struct patient_disk patient;
    bool                made;
    knackdb_status      status;

    if (repair == NULL)
        return error_no_memory(error, "a repair");
    patient_disk_init(&patient, options->disk);
    repair->allocator = allocator;
    repair->options = options;
    repair->dir.handle = DISK_NONE;
    manifest_init(&repair->manifest, allocator);
    status = directory_open(&patient.face, path, false, 0, &repair->dir, &made, error);
    if (status == KNACKDB_OK)
        status = save_one_moment(repair, error);
    if (status == KNACKDB_OK)
        status = write_directory(repair, to, error);
    if (status == KNACKDB_OK) {
        repair_tell_losses(repair);
        if (ret_report != NULL)
            *ret_report = repair->report;
    }
    begin_again(repair);
    dir_close(&repair->dir);
    allocator_put(allocator, repair, sizeof *repair);
    return status;
}
