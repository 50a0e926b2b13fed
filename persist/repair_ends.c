/* repair_ends.c - which rows of the parts have ended, as far as it can be read.
 *
 * An entry tells of one part and has a checksum of its own, so damage costs what one entry tells (in a file of
 * format 1, which has but one checksum, all of them do). Without it, rows that were updated come back once, as the
 * newer version takes the place of the older; rows that were deleted after their part was written come back, and that
 * is told. Of several such files, as there may be where no manifest says which counts, all are believed: rows only end.
 *
 * The files are kept as they were read, and an entry becomes bits when its part is asked for: an entry of forty bytes
 * may tell of a part of 65,536 rows, and what a file claims is not to cost more memory than a few times its bytes. */
#include "persist/repair_state.h"

#include "base/error.h"
#include "persist/coverage.h"
#include "persist/file_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool
repair_are_ends(const struct file *file)
{
    char   first[8];
    size_t read = 0;

    return file_read(file, 0, first, sizeof first, &read, NULL) == KNACKDB_OK && read == sizeof first &&
           memcmp(first, ENDS_MAGIC, sizeof first) == 0;
}

static int
compare(const void *left, const void *right)
{
    const struct ends_entry *a = left;
    const struct ends_entry *b = right;

    if (a->part != b->part)
        return a->part < b->part ? -1 : 1;
    return a->row_count < b->row_count ? -1 : a->row_count > b->row_count;
}

const uint64_t *
repair_find_ends(struct repair *repair, uint64_t part, uint32_t row_count)
{
    struct ends_entry        wanted = { .part = part, .row_count = row_count };
    const struct ends_entry *end = repair->ends + repair->ends_count;
    const struct ends_entry *found = NULL;

    if (row_count != 0 && repair->ended_part == part && repair->ended_rows == row_count)
        return repair->ended;
    if (repair->ends_count > 0)
        found = bsearch(&wanted, repair->ends, repair->ends_count, sizeof wanted, compare);
    if (found == NULL)
        return NULL;
    while (found > repair->ends && compare(found - 1, &wanted) == 0)
        found--;
    memset(repair->ended, 0, bitmap_bytes(row_count));
    for (; found < end && compare(found, &wanted) == 0; found++)
        ends_mark(found, repair->ended);
    repair->ended_part = part;
    repair->ended_rows = row_count;
    return repair->ended;
}

void
repair_settle_ends(struct repair *repair)
{
    if (repair->ends_count > 0)
        qsort(repair->ends, repair->ends_count, sizeof *repair->ends, compare);
    repair->ended_rows = 0;
}

/* The file read last; nobody may have entries of it. */
static void
drop_file(struct repair *repair)
{
    struct ends_file *file = repair->ends_files;

    repair->ends_files = file->next;
    byte_buffer_clear(&file->bytes);
    allocator_put(repair->allocator, file, sizeof *file);
}

void
repair_forget_ends(struct repair *repair)
{
    while (repair->ends_files != NULL)
        drop_file(repair);
    if (repair->ends != NULL)
        allocator_put(repair->allocator, repair->ends, repair->ends_capacity * sizeof *repair->ends);
    repair->ends = NULL;
    repair->ends_count = repair->ends_capacity = 0;
    repair->ended_rows = 0;
}

static knackdb_status
learn_entry(struct repair *repair, const struct ends_entry *entry, knackdb_error *error)
{
    struct ends_entry *ends = allocator_make_room(repair->allocator, repair->ends, repair->ends_count + 1,
                                                  &repair->ends_capacity, sizeof *ends);

    if (ends == NULL)
        return error_no_memory(error, "the ends of rows");
    repair->ends = ends;
    repair->ends[repair->ends_count++] = *entry;
    return KNACKDB_OK;
}

/* A file of ends that is not all there. */
struct ends_damage {
    uint64_t offset;  /* where it is first not what it was */
    uint64_t bytes;   /* that are no entry, nor a sound head */
    uint64_t entries; /* how many of them are lost; 0 where that is not known, or... */
    uint64_t rows;    /* ...ends of rows that are */
    bool     is_none; /* nothing is lost but what frames the entries */
};

/* All that is sound in a file that does not open. */
static knackdb_status
learn_damaged(struct repair *repair, const struct byte_buffer *bytes, uint64_t number, const struct manifest_part *part,
              struct ends_damage *ret_damage, knackdb_error *error)
{
    struct ends_reader reader;
    struct ends_entry  entry;
    size_t             entry_bytes;
    uint64_t           sound = 0;
    uint64_t           row_count;
    bool               has_head = ends_salvage(&reader, bytes->data, bytes->bytes, repair->store_id, number);
    knackdb_status     status = KNACKDB_OK;

    while (status == KNACKDB_OK && ends_seek(&reader, &entry, &entry_bytes)) {
        sound += entry_bytes;
        status = learn_entry(repair, &entry, error);
    }
    row_count = has_head ? reader.row_count : part != NULL ? part->row_count : 0;
    sound += has_head ? ENDS_HEAD_BYTES : 0;
    ret_damage->bytes = bytes->bytes > sound ? bytes->bytes - sound : 0;
    ret_damage->rows = row_count > reader.rows_read ? row_count - reader.rows_read : 0;
    ret_damage->entries = has_head && reader.entry_count > reader.read ? reader.entry_count - reader.read : 0;
    ret_damage->is_none = row_count > 0 && ret_damage->rows == 0;
    return status;
}

/* How many bytes of the file are wanted: where it has grown, or is sparse, its size says nothing, nor does what a
 * manifest says of it. */
static uint64_t
wanted_bytes(const struct repair *repair, const struct manifest_part *part, uint64_t file_bytes)
{
    uint64_t bound = repair->ends_bytes_max;

    if (part != NULL && part->bytes < bound)
        bound = part->bytes;
    return file_bytes < bound ? file_bytes : bound;
}

/* Reads it into memory that the repair keeps. */
static knackdb_status
read_file(struct repair *repair, const struct file *file, uint64_t bytes, struct byte_buffer **ret_bytes,
          knackdb_error *error)
{
    struct ends_file *kept = allocator_get_zeroed(repair->allocator, sizeof *kept);

    if (kept == NULL)
        return error_no_memory(error, "the ends of rows");
    byte_buffer_init(&kept->bytes, repair->allocator);
    kept->next = repair->ends_files;
    repair->ends_files = kept;
    *ret_bytes = &kept->bytes;
    if (!byte_buffer_reserve(&kept->bytes, (size_t) bytes + 1))
        return error_no_memory(error, "the ends of rows");
    return file_read(file, 0, kept->bytes.data, (size_t) bytes, &kept->bytes.bytes, error);
}

/* CORRUPT: *why says why, and *ret_damage what that costs. */
static knackdb_status
learn_file(struct repair *repair, const struct file *file, uint64_t number, const struct manifest_part *part,
           struct ends_damage *ret_damage, knackdb_error *why, knackdb_error *error)
{
    struct byte_buffer *bytes = NULL;
    struct ends_reader  reader;
    struct ends_entry   entry;
    uint64_t            file_bytes = 0;
    uint64_t            wanted = 0;
    size_t              offset = 0;
    size_t              known = repair->ends_count;
    knackdb_status      status = file_size(file, &file_bytes, error);

    if (status == KNACKDB_OK) {
        wanted = wanted_bytes(repair, part, file_bytes);
        status = read_file(repair, file, wanted, &bytes, error);
    }
    if (status == KNACKDB_OK) {
        status = ends_open(&reader, bytes->data, bytes->bytes, repair->store_id, number, &offset, why);
        if (status == KNACKDB_UNSUPPORTED)
            (void) error_set(error, status, "%s/%s: %s", repair->dir.path, file->name, why->message);
    }
    while (status == KNACKDB_OK) {
        status = ends_next(&reader, &entry, &offset, why);
        if (status == KNACKDB_OK)
            status = learn_entry(repair, &entry, error);
    }
    ret_damage->offset = offset;
    if (status == KNACKDB_CORRUPT) {
        knackdb_status learned = learn_damaged(repair, bytes, number, part, ret_damage, error);

        status = learned != KNACKDB_OK ? learned : status;
        ret_damage->bytes += file_bytes - wanted;
    } else if (status == KNACKDB_NOT_FOUND && file_bytes > wanted) { /* all of it, and something behind */
        *ret_damage = (struct ends_damage) { .offset = wanted, .bytes = file_bytes - wanted, .is_none = true };
        status = error_set(why, KNACKDB_CORRUPT, "the file is longer than it was");
    }
    if (bytes != NULL && repair->ends_count == known) /* nothing was learned of it */
        drop_file(repair);
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

static void
tell_damage(struct repair *repair, const struct manifest_part *part, const char *name, const struct ends_damage *damage,
            const char *why)
{
    knackdb_loss loss = {
        .kind = damage->is_none ? KNACKDB_LOSS_FRAME : KNACKDB_LOSS_OPERATION,
        .table = -1,
        .column = -1,
        .offset = damage->offset,
        .bytes = damage->bytes,
        .row_count = damage->rows,
    };
    uint32_t table;

    if (part != NULL) {
        const char *named = repair->manifest.tables[part->table].name;

        if (!schema_resolve_table(repair->options->history, repair->options->schema, repair->manifest.schema_version,
                                  named, strlen(named), &table))
            return; /* dropped since */
        loss.table = (int) table;
    }
    if (damage->is_none)
        repair_note(repair, &loss, name, "what frames the ends of rows; none of them is lost with it");
    else if (damage->entries > 0)
        repair_note(repair, &loss, name,
                    "which rows of %" PRIu64 " part%s had ended is lost, and those that were deleted "
                    "may be back: %.100s",
                    damage->entries, damage->entries == 1 ? "" : "s", why);
    else
        repair_note(repair, &loss, name,
                    "which rows had ended is lost, and those that were deleted may be back: %.150s", why);
}

knackdb_status
repair_learn_ends(struct repair *repair, uint64_t number, const struct manifest_part *part, knackdb_error *error)
{
    struct file        file = { 0 };
    char               name[DISK_NAME_BYTES_MAX];
    knackdb_error      why = { .message = "" };
    struct ends_damage damage = { .rows = part != NULL ? part->row_count : 0 };
    knackdb_status     status;

    file_name_write(name, FILE_PART, number);
    status = file_open(&repair->dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_NOT_FOUND)
        status = error_set(&why, KNACKDB_CORRUPT, "the file is missing");
    else if (status == KNACKDB_OK && (part != NULL || repair_are_ends(&file)))
        status = learn_file(repair, &file, number, part, &damage, &why, error);
    file_close(&file);
    if (status != KNACKDB_CORRUPT)
        return status;
    tell_damage(repair, part, name, &damage, why.message);
    return KNACKDB_OK;
}
