/* repair_parts.c - the rows of one part, as far as its blocks can be read.
 *
 * Blocks are self-contained: each has its place (first row, rows, column) and a checksum seeded with
 * store and part. So the head is wanted only for what the columns are called. Where it cannot be read, the table comes
 * from the manifest, or from what of the head still makes sense, and its columns from the schema version that has as
 * many of them as the blocks do.
 *
 *     row       0         8192      16384
 *     id        [ok]      [lost]    [ok]       rows 8192 to 16383 are lost, whatever else is there
 *     name      [ok]      [ok]      [lost]     NULL in rows 16384 to ... */
#include "persist/repair_state.h"

#include "base/error.h"
#include "persist/coverage.h"
#include "persist/file_name.h"
#include "persist/part_scan.h"
#include "persist/store_id.h"

#include <inttypes.h>
#include <string.h>

struct part_repair {
    struct repair       *repair;
    uint64_t             number;
    const char          *name;
    struct part_scan     scan;
    struct byte_buffer   head_data;
    uint64_t             head_bytes; /* where the blocks begin */
    uint64_t             told_up_to; /* bytes before this have been told of as lost */
    bool                 knows_rows; /* scan.row_count is the part's */
    int32_t              table;      /* in the store's schema; -1: dropped since */
    int16_t              targets[KNACKDB_COLUMNS_MAX];
    struct block_decoder columns[KNACKDB_COLUMNS_MAX];
    struct schema        version; /* that stands in for a head that is lost */
};

/* ---- losses ---- */

/* Bytes between two offsets that nobody has been told of yet. */
static uint64_t
untold(struct part_repair *part, uint64_t from, uint64_t to)
{
    uint64_t bytes;

    if (from < part->told_up_to)
        from = part->told_up_to;
    bytes = to > from ? to - from : 0;
    if (to > part->told_up_to)
        part->told_up_to = to;
    return bytes;
}

static knackdb_loss
loss_of(const struct part_repair *part, knackdb_loss_kind kind, uint64_t offset, uint64_t bytes)
{
    return (knackdb_loss) { .kind = kind, .offset = offset, .bytes = bytes, .table = part->table, .column = -1 };
}

/* How many of these rows live: those that had ended are no loss. */
static uint64_t
count_living(const struct part_repair *part, uint64_t first_row, uint64_t row_count)
{
    const uint64_t *ended = repair_find_ends(part->repair, part->number, part->scan.row_count);
    uint64_t        living = 0;

    for (uint64_t row = first_row; row < first_row + row_count; row++)
        living += !bitmap_has(ended, (uint32_t) row);
    return living;
}

static void
lose_rows(struct part_repair *part, uint32_t first_row, uint32_t row_count, uint64_t from, uint64_t to)
{
    knackdb_loss loss = loss_of(part, KNACKDB_LOSS_ROWS, from, untold(part, from, to));

    loss.row_count = count_living(part, first_row, row_count);
    repair_note(part->repair, &loss, part->name, "every column of rows %" PRIu32 " to %" PRIu32 " of the part is lost",
                first_row, first_row + row_count - 1);
}

/* What the header of a damaged block says of its ids, where it says what is to be expected of it. */
static void
ask_header(struct part_repair *part, const struct block_header *sibling, uint64_t offset, knackdb_loss *loss)
{
    unsigned char       bytes[BLOCK_HEADER_BYTES];
    struct block_header header;
    size_t              read;

    if (file_read(part->scan.file, offset, bytes, sizeof bytes, &read, NULL) != KNACKDB_OK || read != sizeof bytes ||
        block_header_read(bytes, KNACKDB_INTEGER, &header, NULL) != KNACKDB_OK || header.column != 0 ||
        header.first_row != sibling->first_row || header.row_count != sibling->row_count ||
        (int64_t) header.minimum <= 0 || (int64_t) header.maximum < (int64_t) header.minimum)
        return;
    loss->first_id = (int64_t) header.minimum;
    loss->last_id = (int64_t) header.maximum;
}

/* A block of a band is not there. `band`: one that is; `ids`: the id column's, or NULL. */
static void
lose_block(struct part_repair *part, uint32_t column, const struct block_header *band, const struct block_header *ids,
           uint64_t from, uint64_t to, const char *why)
{
    knackdb_loss loss =
        loss_of(part, column == 0 ? KNACKDB_LOSS_ROWS : KNACKDB_LOSS_VALUES, from, untold(part, from, to));

    loss.column = part->targets[column];
    loss.row_count = count_living(part, band->first_row, band->row_count);
    if (ids != NULL) {
        loss.first_id = (int64_t) ids->minimum;
        loss.last_id = (int64_t) ids->maximum;
    } else {
        ask_header(part, band, from, &loss);
    }
    repair_note(part->repair, &loss, part->name, "%.*s of rows %" PRIu32 " to %" PRIu32 " of the part: %s",
                (int) part->scan.table.columns[column].bytes, part->scan.table.columns[column].text, band->first_row,
                band->first_row + band->row_count - 1, why);
}

static void
hear_mend_loss(void *context, const struct mend_loss *mend)
{
    struct part_repair *part = context;
    knackdb_loss        loss = loss_of(part, KNACKDB_LOSS_OPERATION, 0, 0);

    loss.first_id = loss.last_id = mend->id;
    loss.row_count = 1;
    repair_note(part->repair, &loss, part->name, "%s", mend->reason);
}

/* ---- rows ---- */

/* Opens the blocks of a band that are wanted and there. at[column]: index in scan.blocks, or -1. */
static knackdb_status
open_band(struct part_repair *part, int64_t *at, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    for (uint32_t column = 0; column < part->scan.table.column_count && status == KNACKDB_OK; column++) {
        const struct found_block *block;
        const unsigned char      *stored;

        if (at[column] < 0 || part->targets[column] < 0)
            continue;
        block = &part->scan.blocks[at[column]];
        status = part_scan_fetch(&part->scan, block, &stored, error);
        if (status == KNACKDB_OK)
            status = block_open(&part->columns[column], (knackdb_type) part->scan.table.types[column], &block->header,
                                stored, error);
        if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) { /* sound bytes that make no sense */
            at[column] = -1;
            status = KNACKDB_OK;
        }
    }
    return status;
}

static knackdb_status
save_band(struct part_repair *part, const int64_t *at, const struct block_header *band, knackdb_error *error)
{
    const uint64_t      *ended = repair_find_ends(part->repair, part->number, part->scan.row_count);
    uint32_t             row_count = band->row_count;
    uint32_t             kept = 0;
    uint32_t             column_count = part->repair->options->schema->tables[part->table].column_count;
    size_t               bytes = (size_t) row_count * column_count * sizeof(knackdb_value);
    knackdb_value       *values = allocator_get_zeroed(part->repair->allocator, bytes); /* NULL is type 0 */
    struct mend_listener listener = { hear_mend_loss, part };
    knackdb_status       status;

    if (values == NULL)
        return error_no_memory(error, "rows of a damaged part");
    for (uint32_t column = 0; column < part->scan.table.column_count; column++) {
        if (at[column] < 0 || part->targets[column] < 0)
            continue;
        for (uint32_t row = 0; row < row_count; row++)
            values[(size_t) row * column_count + (size_t) part->targets[column]] = block_next(&part->columns[column]);
    }
    for (uint32_t row = 0; row < row_count; row++) {
        if (bitmap_has(ended, band->first_row + row))
            continue;
        memmove(values + (size_t) kept * column_count, values + (size_t) row * column_count,
                column_count * sizeof *values);
        kept++;
    }
    status = store_mend_rows(part->repair->store, (uint32_t) part->table, values, kept, &listener, error);
    allocator_put(part->repair->allocator, values, bytes);
    return status;
}

/* One band: blocks[first] to blocks[end - 1]. `place`: where the block before it ends; `next`: where the one behind it
 * begins. */
static knackdb_status
repair_band(struct part_repair *part, size_t first, size_t end, uint64_t place, uint64_t next, knackdb_error *error)
{
    struct part_scan          *scan = &part->scan;
    const struct block_header  band = scan->blocks[first].header;
    const struct block_header *ids = NULL;
    int64_t                    at[KNACKDB_COLUMNS_MAX];
    int64_t                    found[KNACKDB_COLUMNS_MAX];
    knackdb_status             status;

    for (uint32_t column = 0; column < KNACKDB_COLUMNS_MAX; column++)
        at[column] = -1;
    for (size_t i = first; i < end; i++)
        at[scan->blocks[i].header.column] = (int64_t) i;
    memcpy(found, at, sizeof found);
    status = open_band(part, at, error);
    if (status != KNACKDB_OK)
        return status;
    if (at[0] >= 0)
        ids = &scan->blocks[at[0]].header;
    for (uint32_t column = 0; column < scan->table.column_count; column++) {
        uint64_t behind = next;

        for (uint32_t later = column + 1; later < scan->table.column_count && behind == next; later++)
            if (found[later] >= 0)
                behind = scan->blocks[found[later]].offset;
        if (found[column] >= 0)
            place = found_block_end(&scan->blocks[found[column]]);
        if (at[column] >= 0 || part->targets[column] < 0)
            continue;
        if (ids == NULL && column != 0) /* the rows are lost, and that has been told */
            continue;
        if (found[column] >= 0)
            lose_block(part, column, &band, ids, scan->blocks[found[column]].offset, place, "the block makes no sense");
        else
            lose_block(part, column, &band, ids, place, behind, "the block cannot be read");
    }
    return ids != NULL ? save_band(part, at, &band, error) : KNACKDB_OK;
}

/* Bytes between blocks that no missing block accounts for, and the part's end. */
static void
tell_rest(struct part_repair *part, uint64_t place)
{
    unsigned char end[PART_END_BYTES];
    uint32_t      block_count;
    uint64_t      checksum;
    size_t        read = 0;
    uint64_t      bytes;
    knackdb_loss  loss;

    if (place + PART_END_BYTES == part->scan.file_bytes &&
        file_read(part->scan.file, place, end, sizeof end, &read, NULL) == KNACKDB_OK && read == sizeof end &&
        part_end_read(end, &block_count, &checksum))
        return;
    bytes = untold(part, place, part->scan.file_bytes);
    if (bytes == 0)
        return;
    loss = loss_of(part, KNACKDB_LOSS_FRAME, place, bytes);
    repair_note(part->repair, &loss, part->name, "the end of the part; no row is lost with it");
}

static knackdb_status
repair_bands(struct part_repair *part, knackdb_error *error)
{
    struct part_scan *scan = &part->scan;
    uint64_t          limit = scan->file_bytes > PART_END_BYTES ? scan->file_bytes - PART_END_BYTES : 0;
    uint64_t          place = part->head_bytes;
    uint32_t          row = 0;
    size_t            first = 0;
    knackdb_status    status = KNACKDB_OK;

    while (first < scan->block_count && status == KNACKDB_OK) {
        const struct block_header *header = &scan->blocks[first].header;
        uint32_t                   behind = header->first_row + header->row_count;
        uint64_t                   last_end = 0;
        size_t                     end = first;

        if (header->first_row < row) { /* overlaps what has been saved */
            first++;
            continue;
        }
        if (header->first_row > row)
            lose_rows(part, row, header->first_row - row, place, scan->blocks[first].offset);
        while (end < scan->block_count && scan->blocks[end].header.first_row == header->first_row &&
               scan->blocks[end].header.row_count == header->row_count)
            last_end = found_block_end(&scan->blocks[end++]);
        status =
            repair_band(part, first, end, place, end < scan->block_count ? scan->blocks[end].offset : limit, error);
        place = last_end;
        row = behind;
        first = end;
    }
    if (status == KNACKDB_OK && part->knows_rows && row < scan->row_count)
        lose_rows(part, row, scan->row_count - row, place, limit);
    if (status == KNACKDB_OK)
        tell_rest(part, place);
    return status;
}

/* ---- the head ---- */

/* Columns of the table as a version of the schema has it. False where that version has no such table. */
static bool
take_version(struct part_repair *part, const char *table, size_t table_bytes, uint32_t version)
{
    const struct table *definition;
    int                 index;

    if (schema_build(part->repair->options->history, version, &part->version, NULL) != KNACKDB_OK)
        return false;
    index = schema_table_by_name(&part->version, table, table_bytes);
    if (index < 0)
        return false;
    definition = &part->version.tables[index];
    part->scan.table.name = (struct described_name) { definition->name, (uint8_t) strlen(definition->name) };
    part->scan.table.column_count = definition->column_count;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const char *name = definition->columns[i].name;

        part->scan.table.columns[i] = (struct described_name) { name, (uint8_t) strlen(name) };
        part->scan.table.types[i] = (uint8_t) definition->columns[i].type;
    }
    return true;
}

static uint32_t
widest(const struct part_scan *scan)
{
    uint32_t columns = 0;

    for (size_t i = 0; i < scan->block_count; i++)
        if (scan->blocks[i].header.column >= columns)
            columns = scan->blocks[i].header.column + 1u;
    return columns;
}

/* The version whose table has as many columns as there are blocks in a band, or else the newest. */
static knackdb_status
guess_columns(struct part_repair *part, const char *table, size_t table_bytes, uint32_t newest, bool *ret_guessed,
              uint32_t *ret_version, knackdb_error *error)
{
    uint32_t       version;
    uint32_t       columns;
    knackdb_status status;

    *ret_guessed = take_version(part, table, table_bytes, newest);
    *ret_version = newest;
    if (!*ret_guessed)
        return KNACKDB_OK;
    status = part_scan_run(&part->scan, 0, error);
    if (status != KNACKDB_OK)
        return status;
    columns = widest(&part->scan);
    for (version = newest; version > 1 && columns > 0 && part->scan.table.column_count != columns;) {
        if (take_version(part, table, table_bytes, version - 1))
            version--;
        else
            break;
    }
    if (part->scan.table.column_count != columns && version != newest) {
        (void) take_version(part, table, table_bytes, newest);
        version = newest;
    }
    *ret_version = version;
    return part_scan_run(&part->scan, 0, error);
}

/* What a head that does not match its checksum may still be right about: the table's name. */
static bool
name_in_head(const struct part_repair *part, const char **ret_name, size_t *ret_bytes)
{
    const unsigned char *head = part->head_data.data;

    if (part->head_data.bytes < PART_HEAD_FIXED_BYTES + 64)
        return false;
    *ret_bytes = head[PART_HEAD_FIXED_BYTES];
    *ret_name = (const char *) head + PART_HEAD_FIXED_BYTES + 1;
    return *ret_bytes > 0 && *ret_bytes < 64;
}

static knackdb_status
repair_headless(struct part_repair *part, const struct manifest_part *named, const knackdb_error *why,
                uint32_t *ret_version, bool *ret_found, knackdb_error *error)
{
    struct repair *repair = part->repair;
    const char    *table = NULL;
    size_t         table_bytes = 0;
    uint32_t       newest = repair->has_manifest ? repair->manifest.schema_version : repair->options->schema->version;
    bool           guessed = false;
    knackdb_loss   loss;
    knackdb_status status = KNACKDB_OK;

    part->scan.seed = store_id_seed(repair->store_id, part->number);
    if (named != NULL) {
        table = repair->manifest.tables[named->table].name;
        table_bytes = strlen(table);
    }
    if (table != NULL || name_in_head(part, &table, &table_bytes))
        status = guess_columns(part, table, table_bytes, newest, &guessed, ret_version, error);
    *ret_found = guessed && part->scan.block_count > 0;
    if (status != KNACKDB_OK || !*ret_found)
        return status;
    part->head_bytes = part->scan.blocks[0].offset;
    loss = loss_of(part, KNACKDB_LOSS_FRAME, 0, untold(part, 0, part->head_bytes));
    repair_note(repair, &loss, part->name, "the head of the part (%s); its blocks were found without it", why->message);
    return KNACKDB_OK;
}

/* Finds the blocks. *ret_found: there are some, and it is known which columns they are of. */
static knackdb_status
find_blocks(struct part_repair *part, const struct manifest_part *named, bool *ret_found, knackdb_error *error)
{
    struct repair   *repair = part->repair;
    struct part_head head;
    knackdb_error    why = { .message = "" };
    uint32_t         version;
    knackdb_status   status;

    if (!byte_buffer_reserve(&part->head_data, PART_HEAD_BYTES_MAX))
        return error_no_memory(error, "the head of a part");
    status = file_read(part->scan.file, 0, part->head_data.data, PART_HEAD_BYTES_MAX, &part->head_data.bytes, error);
    if (status != KNACKDB_OK)
        return status;
    part->scan.row_count = PART_ROWS_MAX;
    if (named != NULL && named->row_count <= PART_ROWS_MAX) {
        part->scan.row_count = (uint32_t) named->row_count;
        part->knows_rows = true;
    }
    status = part_head_read(part->head_data.data, part->head_data.bytes, &head, &why);
    if (status == KNACKDB_UNSUPPORTED)
        return error_set(error, status, "%s/%s: %s", repair->dir.path, part->name, why.message);
    if (status == KNACKDB_OK && (head.store_id != repair->store_id || head.number != part->number))
        status = error_set(&why, KNACKDB_CORRUPT, "it is the head of another part");
    if (status == KNACKDB_OK) {
        part->scan.table = head.table;
        part->scan.row_count = head.row_count;
        part->scan.seed = store_id_seed(head.store_id, head.number);
        part->knows_rows = true;
        part->head_bytes = head.head_bytes;
        version = head.schema_version;
        *ret_found = true;
        status = part_scan_run(&part->scan, head.head_bytes, error);
    } else {
        status = repair_headless(part, named, &why, &version, ret_found, error);
    }
    if (status != KNACKDB_OK || !*ret_found)
        return status;
    status = description_map_table(&part->scan.table, repair->options->history, repair->options->schema, version,
                                   &part->table, part->targets, &why);
    if (status != KNACKDB_OK && status != KNACKDB_NO_MEMORY) {
        *ret_found = false;
        return KNACKDB_OK;
    }
    return status;
}

/* ---- all of it ---- */

static void
lose_part(struct part_repair *part, const struct manifest_part *named, uint64_t bytes, const char *why)
{
    struct repair *repair = part->repair;
    knackdb_loss   loss = { .kind = KNACKDB_LOSS_ROWS, .bytes = bytes, .table = -1, .column = -1 };
    uint32_t       table;

    if (named != NULL) {
        const char *name = repair->manifest.tables[named->table].name;

        if (!schema_resolve_table(repair->options->history, repair->options->schema, repair->manifest.schema_version,
                                  name, strlen(name), &table))
            return; /* dropped since: nobody misses it */
        loss.table = (int) table;
        part->scan.row_count = named->row_count <= PART_ROWS_MAX ? (uint32_t) named->row_count : 0;
        loss.row_count = count_living(part, 0, part->scan.row_count);
    }
    repair_note(repair, &loss, part->name, "%s", why);
}

static knackdb_status
repair_open_part(struct part_repair *part, const struct manifest_part *named, struct file *file, knackdb_error *error)
{
    bool           found = false;
    knackdb_status status = part_scan_init(&part->scan, part->repair->allocator, file, error);

    if (status == KNACKDB_OK)
        status = find_blocks(part, named, &found, error);
    if (status == KNACKDB_OK && !found)
        lose_part(part, named, part->scan.file_bytes, "nothing of the part can be read");
    else if (status == KNACKDB_OK && part->table >= 0)
        status = repair_bands(part, error);
    part_scan_clear(&part->scan);
    return status;
}

knackdb_status
repair_part(struct repair *repair, uint64_t number, const struct manifest_part *named, knackdb_error *error)
{
    struct part_repair *part = allocator_get_zeroed(repair->allocator, sizeof *part);
    struct file         file = { 0 };
    char                name[DISK_NAME_BYTES_MAX];
    knackdb_status      status;

    if (part == NULL)
        return error_no_memory(error, "a part of a snapshot");
    file_name_write(name, FILE_PART, number);
    part->repair = repair;
    part->number = number;
    part->name = name;
    part->table = -1;
    byte_buffer_init(&part->head_data, repair->allocator);
    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
        block_decoder_init(&part->columns[i], repair->allocator);
    status = file_open(&repair->dir, name, DISK_READ, 0, &file, error);
    if (status == KNACKDB_OK && named == NULL && repair_are_ends(&file)) {
        /* It has been heard already. */
    } else if (status == KNACKDB_OK) {
        status = repair_open_part(part, named, &file, error);
    } else if (status == KNACKDB_NOT_FOUND) {
        lose_part(part, named, 0, "the file is missing");
        status = KNACKDB_OK;
    }
    file_close(&file);
    for (uint32_t i = 0; i < KNACKDB_COLUMNS_MAX; i++)
        block_decoder_clear(&part->columns[i]);
    byte_buffer_clear(&part->head_data);
    allocator_put(repair->allocator, part, sizeof *part);
    return status;
}
