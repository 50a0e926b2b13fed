/* snapshot_load.c - see snapshot_load.h.
 *
 * First what has ended; then it is known how many rows come, and so where those of each part are to stand: in a run, in
 * the order in which the manifest names the parts, which is that of the rows in the memory they were written from.
 * Then the parts are loaded, by several threads where they are large, and the coverage notes where they stand. */
#include "persist/snapshot_load.h"

#include "base/error.h"
#include "core/load_run.h"
#include "persist/ends_file.h"
#include "persist/file_name.h"
#include "persist/load_team.h"
#include "persist/part_format.h"
#include "persist/part_load.h"

#include <string.h>

knackdb_status
snapshot_open_part(const struct dir *dir, const struct manifest_part *part, struct file *file, knackdb_error *error)
{
    char name[DISK_NAME_BYTES_MAX];

    file_name_write(name, FILE_PART, part->number);
    return file_open(dir, name, DISK_READ, 0, file, error);
}

/* A part that was not held open is not there. Was it removed with its manifest, by a writer beside us? The store has
 * been filled in part by now, so that beginning again is the caller's. `error` names the file already. */
static knackdb_status
say_missing(const struct snapshot_load *load, knackdb_error *error)
{
    struct file    file = { 0 };
    char           name[DISK_NAME_BYTES_MAX];
    knackdb_status status;

    file_name_write(name, FILE_MANIFEST, load->manifest->generation);
    status = file_open(load->dir, name, DISK_READ, 0, &file, NULL);
    file_close(&file);
    if (status == KNACKDB_NOT_FOUND)
        return error_set(error, KNACKDB_BUSY, "%s: a newer snapshot took the place of the one that was being read",
                         load->dir->path);
    return KNACKDB_CORRUPT;
}

/* The part's file, which is one of those held open, or *later. */
static knackdb_status
find_file(const struct snapshot_load *load, size_t index, struct file *later, struct file **ret_file,
          knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    *ret_file = index < load->file_count ? &load->files[index] : later;
    if (*ret_file == later)
        status = snapshot_open_part(load->dir, &load->manifest->parts[index], later, error);
    return status == KNACKDB_NOT_FOUND ? say_missing(load, error) : status;
}

/* ---- ends ---- */

/* `ended`: for each part of the manifest, the bits of its rows that have ended, or NULL. */
static knackdb_status
take_ends(const struct snapshot_load *load, const struct file *file, const struct manifest_part *part, uint64_t **ended,
          knackdb_error *error)
{
    struct byte_buffer bytes;
    struct ends_reader reader;
    struct ends_entry  entry;
    knackdb_error      why = { 0 };
    size_t             index = 0;
    size_t             fault;
    knackdb_status     status;

    byte_buffer_init(&bytes, load->allocator);
    status = ends_file_read(file, part, load->manifest, &bytes, &reader, &fault, &why);
    while (status == KNACKDB_OK) {
        status = ends_file_next(&reader, load->manifest, part->table, &entry, &index, &fault, &why);
        if (status != KNACKDB_OK)
            break;
        if (ended[index] == NULL)
            ended[index] = allocator_get_zeroed(load->allocator, bitmap_bytes(entry.row_count));
        if (ended[index] == NULL)
            status = error_no_memory(&why, "the ends of rows");
        else
            ends_mark(&entry, ended[index]);
        index++;
    }
    byte_buffer_clear(&bytes);
    if (status == KNACKDB_NOT_FOUND)
        return KNACKDB_OK;
    if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED)
        return error_set(error, status, "%s/%s: offset %zu: %s", file->dir->path, file->name, fault, why.message);
    if (error != NULL)
        *error = why;
    return status;
}

static knackdb_status
load_ends(const struct snapshot_load *load, uint64_t **ended, knackdb_error *error)
{
    const struct manifest *manifest = load->manifest;
    knackdb_status         status = KNACKDB_OK;

    for (size_t i = 0; i < manifest->part_count && status == KNACKDB_OK; i++) {
        struct file  later = { 0 };
        struct file *file;

        if (manifest->parts[i].kind != PART_ENDS)
            continue;
        status = find_file(load, i, &later, &file, error);
        if (status == KNACKDB_OK)
            status = take_ends(load, file, &manifest->parts[i], ended, error);
        file_close(file);
    }
    return status;
}

/* ---- rows ---- */

static uint32_t
count_bits(const uint64_t *bitmap, uint64_t bits)
{
    uint32_t count = 0;

    for (uint64_t i = 0; bitmap != NULL && i < (bits + 63) / 64; i++)
        count += (uint32_t) __builtin_popcountll(bitmap[i]);
    return count;
}

/* The table of the store that a table of the manifest is. */
static bool
resolve_table(const struct snapshot_load *load, uint32_t index, uint32_t *ret_table)
{
    const char *name = load->manifest->tables[index].name;

    return schema_resolve_table(load->history, store_schema(load->store), load->manifest->schema_version, name,
                                strlen(name), ret_table);
}

struct part_job {
    size_t            index; /* of the part in the manifest */
    struct part_place place;
};

/* What has to be loaded, in which order, and where it goes. */
struct plan {
    const struct snapshot_load *load;
    struct part_job            *jobs;
    size_t                      job_count;
    uint64_t                    bytes;                    /* of their files */
    uint64_t                    rows[KNACKDB_TABLES_MAX]; /* that each table is going to have */
};

static void
plan_part(const struct snapshot_load *load, size_t index, const uint64_t *ended, struct plan *plan)
{
    const struct manifest_part *part = &load->manifest->parts[index];
    struct part_job            *job = &plan->jobs[plan->job_count++];
    uint32_t                    table;

    *job = (struct part_job) { .index = index, .place = { .table = -1, .ended = ended } };
    plan->bytes += part->bytes;
    if (!resolve_table(load, part->table, &table))
        return;
    job->place.table = (int32_t) table;
    job->place.first = plan->rows[table];
    /* A count that is no part's is refused when the part is opened. */
    if (part->row_count <= PART_ROWS_MAX)
        plan->rows[table] += part->row_count - count_bits(ended, part->row_count);
}

static knackdb_status
make_plan(const struct snapshot_load *load, uint64_t *const *ended, struct plan *plan, knackdb_error *error)
{
    const struct manifest *manifest = load->manifest;

    memset(plan, 0, sizeof *plan);
    plan->load = load;
    plan->jobs = allocator_get(load->allocator, manifest->part_count * sizeof *plan->jobs);
    if (plan->jobs == NULL)
        return error_no_memory(error, "the parts of a snapshot");
    for (size_t i = 0; i < manifest->part_count; i++) {
        if (manifest->parts[i].kind == PART_ROWS)
            plan_part(load, i, ended[i], plan);
    }
    for (size_t i = 0; i < plan->job_count; i++) {
        if (plan->jobs[i].place.table >= 0)
            plan->jobs[i].place.rows_in_all = plan->rows[plan->jobs[i].place.table];
    }
    return KNACKDB_OK;
}

static void *
new_loader(void *context)
{
    const struct snapshot_load *load = ((const struct plan *) context)->load;

    return part_loader_new(load->allocator, load->history, load->manifest->store_id, load->store);
}

static void
free_loader(void *loader)
{
    part_loader_free(loader);
}

static knackdb_status
load_part(void *context, void *loader, size_t number, knackdb_error *error)
{
    const struct plan          *plan = context;
    const struct snapshot_load *load = plan->load;
    const struct part_job      *job = &plan->jobs[number];
    struct file                 later = { 0 };
    struct file                *file;
    knackdb_status              status = find_file(load, job->index, &later, &file, error);

    if (status == KNACKDB_OK)
        status = part_load(loader, file, &load->manifest->parts[job->index], &job->place, error);
    file_close(file);
    return status;
}

/* The columns that have posting lists, over all tables, numbered. False past the last. */
static bool
find_posted(const struct schema *schema, size_t number, uint32_t *ret_table, uint32_t *ret_column)
{
    for (uint32_t t = 0; t < schema->table_count; t++) {
        for (uint32_t c = 0; c < schema->tables[t].column_count; c++) {
            if (!schema->tables[t].columns[c].is_posted || number-- != 0)
                continue;
            *ret_table = t;
            *ret_column = c;
            return true;
        }
    }
    return false;
}

static knackdb_status
build_postings(void *context, void *tool, size_t number, knackdb_error *error)
{
    struct store *store = ((const struct plan *) context)->load->store;
    uint32_t      table = 0;
    uint32_t      column = 0;

    (void) tool;
    (void) find_posted(store_schema(store), number, &table, &column);
    return store_load_postings(store, table, column, error);
}

static knackdb_status
load_parts(struct plan *plan, knackdb_error *error)
{
    struct store    *store = plan->load->store;
    struct load_team parts = { .job_count = plan->job_count,
                               .bytes = plan->bytes,
                               .context = plan,
                               .tool_new = new_loader,
                               .tool_free = free_loader,
                               .run = load_part };
    struct load_team postings = { .bytes = plan->bytes, .context = plan, .run = build_postings };
    uint32_t         table;
    uint32_t         column;
    knackdb_status   status = load_team_run(&parts, error);

    while (find_posted(store_schema(store), postings.job_count, &table, &column))
        postings.job_count++;
    if (status == KNACKDB_OK)
        status = load_team_run(&postings, error);
    if (status == KNACKDB_OK)
        store_load_end(store);
    return status;
}

/* Notes where the rows of a part came to stand. The cover takes the bits of those that did not come. */
static knackdb_status
add_cover(const struct snapshot_load *load, const struct part_job *job, uint64_t **ended, knackdb_error *error)
{
    struct manifest_part own = load->manifest->parts[job->index];
    uint32_t             table = (uint32_t) job->place.table;
    uint32_t             ended_count = count_bits(*ended, own.row_count);
    struct cover        *cover;
    knackdb_status       status;

    if (own.row_count == ended_count)
        return KNACKDB_OK;
    own.table = (uint8_t) table;
    cover = cover_new(load->allocator, &own, (row_number) job->place.first, (uint32_t) own.row_count - ended_count);
    if (cover == NULL)
        return error_no_memory(error, "what a snapshot holds");
    cover->ended = *ended;
    *ended = NULL;
    cover->ended_count = ended_count;
    status = coverage_add(load->coverage, table, cover, error);
    cover_put(load->allocator, cover);
    return status;
}

static knackdb_status
load_rows(const struct snapshot_load *load, uint64_t **ended, knackdb_error *error)
{
    struct plan    plan;
    knackdb_status status = make_plan(load, ended, &plan, error);

    if (status == KNACKDB_OK)
        status = load_parts(&plan, error);
    for (size_t i = 0; i < plan.job_count && status == KNACKDB_OK && load->coverage != NULL; i++) {
        if (plan.jobs[i].place.table >= 0)
            status = add_cover(load, &plan.jobs[i], &ended[plan.jobs[i].index], error);
    }
    if (plan.jobs != NULL)
        allocator_put(load->allocator, plan.jobs, load->manifest->part_count * sizeof *plan.jobs);
    return status;
}

/* ---- all of it ---- */

/* All rows are there, and a view sees them. */
static knackdb_status
note_identities(const struct snapshot_load *load, knackdb_error *error)
{
    struct view    view;
    knackdb_status status = view_begin(load->store, &view, error);

    if (status != KNACKDB_OK)
        return status;
    for (uint32_t table = 0; table < KNACKDB_TABLES_MAX; table++) {
        for (size_t i = 0; i < load->coverage->tables[table].count; i++) {
            struct cover *cover = load->coverage->tables[table].covers[i];

            cover->identities[0] = view_chunk_identity(&view, table, cover->first);
            cover->identities[1] = view_chunk_identity(&view, table, cover->first + cover->span - 1);
        }
    }
    view_end(&view);
    return KNACKDB_OK;
}

static void
note_ends(const struct snapshot_load *load)
{
    for (size_t i = 0; i < load->manifest->part_count; i++) {
        struct manifest_part part = load->manifest->parts[i];
        uint32_t             table;

        if (part.kind != PART_ENDS || !resolve_table(load, part.table, &table))
            continue;
        part.table = (uint8_t) table;
        load->coverage->tables[table].ends = part;
    }
}

knackdb_status
snapshot_load_run(const struct snapshot_load *load, knackdb_error *error)
{
    const struct manifest *manifest = load->manifest;
    uint64_t             **ended = NULL;
    uint32_t               table;
    knackdb_status         status = KNACKDB_OK;

    if (manifest->part_count > 0) {
        ended = allocator_get_zeroed(load->allocator, manifest->part_count * sizeof *ended);
        if (ended == NULL)
            return error_no_memory(error, "the parts of a snapshot");
        status = load_ends(load, ended, error);
        if (status == KNACKDB_OK)
            status = load_rows(load, ended, error);
    }
    for (size_t i = 0; i < manifest->part_count; i++) {
        if (ended[i] != NULL)
            allocator_put(load->allocator, ended[i], bitmap_bytes(manifest->parts[i].row_count));
    }
    if (ended != NULL)
        allocator_put(load->allocator, ended, manifest->part_count * sizeof *ended);
    if (status != KNACKDB_OK)
        return status;
    if (load->coverage != NULL)
        note_ends(load);
    for (uint32_t i = 0; i < manifest->table_count; i++) {
        if (resolve_table(load, i, &table))
            store_load_next_id(load->store, table, manifest->tables[i].next_id);
    }
    status = store_load_sequence(load->store, manifest->sequence, error);
    return status == KNACKDB_OK && load->coverage != NULL ? note_identities(load, error) : status;
}
