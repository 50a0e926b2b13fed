/* repair_log.c - the commits of a log, as far as its records can be read.
 *
 * Like verify_log.c this goes on behind every place that cannot be read, and judges places last, when the whole
 * log has been heard: at its very end, a place that nothing calls durable is a torn write and no loss.
 * Unlike it, each commit is applied as it comes, whatever is missing before it. What the snapshot
 * holds is passed over. Without a manifest nobody knows what the snapshot holds. Then all commits
 * are applied, and that is right, too: they tell what came out, so those that the snapshot holds lead, one
 * after the other, to the very rows it has. */
#include "persist/repair_state.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/packed_file.h"
#include "persist/segment_reader.h"

#include <inttypes.h>
#include <string.h>

/* A place where the log cannot be read, or where commits are missing. */
struct gap {
    struct log_place place;
    uint64_t         bytes;
    uint64_t         after; /* the commit before it */
    uint64_t         next;  /* the commit behind it; 0: none */
    bool             is_head;
};

struct log_repair {
    struct repair    *repair;
    uint64_t         *serials; /* rising */
    size_t            serial_count;
    size_t            serial_capacity;
    struct gap       *gaps;
    size_t            gap_count;
    size_t            gap_capacity;
    size_t            open_gaps; /* from this one on no commit has come behind them */
    bool              no_memory;
    uint64_t          covered;  /* commits up to this one are in the snapshot */
    uint64_t          last;     /* the newest commit read, or covered */
    struct log_place  last_end; /* where it ends; serial 0: none was read */
    uint64_t          testimony;
    struct commit_map spare;  /* for a segment whose head is lost */
    const char       *name;   /* of the segment being read, */
    uint64_t          offset; /* and of the commit being applied */
    uint64_t          sequence;
};

/* History is a log as any other where it is known which commits are missing. Without a manifest it is not, and it would
 * be put over newer rows with no need. */
static bool
is_wanted(const struct repair *repair, const char *name, uint64_t *ret_serial)
{
    enum file_kind kind = file_name_read(name, ret_serial);

    if (repair->from_nothing)
        return kind == FILE_LOG || kind == FILE_PAST;
    if (!repair->has_manifest)
        return kind == FILE_LOG;
    return (kind == FILE_LOG || kind == FILE_PAST) && *ret_serial >= repair->manifest.log_serial;
}

static void
hear_name(void *context, const char *name)
{
    struct log_repair *log = context;
    uint64_t          *serials;
    uint64_t           serial;
    size_t             at;

    if (!is_wanted(log->repair, name, &serial))
        return;
    serials = allocator_make_room(log->repair->allocator, log->serials, log->serial_count + 1, &log->serial_capacity,
                                  sizeof *serials);
    if (serials == NULL) {
        log->no_memory = true;
        return;
    }
    log->serials = serials;
    for (at = log->serial_count; at > 0 && log->serials[at - 1] > serial; at--)
        continue;
    if (at > 0 && log->serials[at - 1] == serial)
        return; /* there in both forms */
    memmove(&log->serials[at + 1], &log->serials[at], (log->serial_count++ - at) * sizeof serial);
    log->serials[at] = serial;
}

static void
note_gap(struct log_repair *log, const struct gap *gap)
{
    struct gap *gaps =
        allocator_make_room(log->repair->allocator, log->gaps, log->gap_count + 1, &log->gap_capacity, sizeof *gaps);

    if (gaps == NULL) {
        log->no_memory = true;
        return;
    }
    log->gaps = gaps;
    log->gaps[log->gap_count++] = *gap;
}

static void
testify(struct log_repair *log, uint64_t durable)
{
    if (durable > log->testimony)
        log->testimony = durable;
}

/* ---- commits ---- */

static void
hear_mend_loss(void *context, const struct mend_loss *mend)
{
    struct log_repair *log = context;
    knackdb_loss       loss = {
              .kind = KNACKDB_LOSS_OPERATION,
              .offset = log->offset,
              .first_sequence = log->sequence,
              .last_sequence = log->sequence,
              .table = mend->id != 0 ? (int) mend->table : -1,
              .column = -1,
              .row_count = mend->id != 0,
              .first_id = mend->id,
              .last_id = mend->id,
    };

    /* Older commits over newer rows, as without a manifest, meet rows that have gone since. With the whole log
     * at hand nothing of that is a loss. */
    if (!log->repair->has_manifest && !log->repair->from_nothing && log->gap_count == 0)
        return;
    repair_note(log->repair, &loss, log->name, "commit %" PRIu64 ": %s", log->sequence, mend->reason);
}

static knackdb_status
take_commit(struct log_repair *log, const struct segment_reader *segment, const struct log_record *record,
            uint64_t offset, knackdb_error *error)
{
    struct repair       *repair = log->repair;
    struct mend_listener listener = { hear_mend_loss, log };
    knackdb_status       status;

    if (record->sequence <= log->last) { /* the snapshot has it; what cannot be read before it is no loss either */
        for (; log->open_gaps < log->gap_count; log->open_gaps++)
            log->gaps[log->open_gaps].next = record->sequence;
        log->last_end = segment_reader_place(segment, segment->offset);
        return KNACKDB_OK;
    }
    if (record->sequence > log->last + 1 && log->open_gaps == log->gap_count &&
        (log->last_end.serial != 0 || repair->has_manifest || repair->from_nothing))
        note_gap(log, &(struct gap) {
                          .place = log->last_end.serial != 0 ? log->last_end : segment_reader_place(segment, offset),
                          .after = log->last,
                      });
    for (; log->open_gaps < log->gap_count; log->open_gaps++)
        log->gaps[log->open_gaps].next = record->sequence;
    log->last = record->sequence;
    log->last_end = segment_reader_place(segment, segment->offset);
    log->offset = offset;
    log->sequence = record->sequence;
    status = store_mend_commit(repair->store, &segment->map, record->payload, record->payload_bytes, &listener, error);
    if (status == KNACKDB_OK) {
        repair->report.commits_saved++;
        repair->sequence = record->sequence;
        repair->time_us = record->time_us;
    }
    return status;
}

static knackdb_status
take_record(struct log_repair *log, const struct segment_reader *segment, const struct log_record *record,
            uint64_t offset, knackdb_error *error)
{
    testify(log, record->durable);
    if (record->kind == LOG_RECORD_COMMIT)
        return take_commit(log, segment, record, offset, error);
    if (record->kind == LOG_RECORD_SEAL || record->kind >= LOG_RECORD_SKIPPABLE)
        return KNACKDB_OK;
    return error_set(error, KNACKDB_UNSUPPORTED,
                     "%s/%s: offset %" PRIu64 ": a record of kind %u, unknown to this version", log->repair->dir.path,
                     log->name, offset, (unsigned) record->kind);
}

/* ---- segments ---- */

/* No record is at segment->offset. Stands before the next one behind it, where there is one (*ret_goes_on). That is
 * looked for first: to find the end is to read all the rest of the segment, and such places may be many. */
static knackdb_status
pass_gap(struct log_repair *log, struct segment_reader *segment, bool is_head, bool *ret_goes_on, knackdb_error *error)
{
    struct gap gap = {
        .place = segment_reader_place(segment, segment->offset),
        .after = log->last,
        .is_head = is_head,
    };
    uint64_t       end;
    knackdb_status status = segment_reader_seek(segment, gap.place.offset, SEGMENT_STEP_BYTES, error);

    *ret_goes_on = status == KNACKDB_OK;
    end = segment->offset;
    if (status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT)
        status = segment_reader_find_end(segment, gap.place.offset, &end, error);
    if (status != KNACKDB_OK || end == gap.place.offset)
        return status;
    gap.bytes = end - gap.place.offset;
    note_gap(log, &gap);
    return KNACKDB_OK;
}

static knackdb_status
take_records(struct log_repair *log, struct segment_reader *segment, bool has_head, knackdb_error *error)
{
    struct log_record record;
    knackdb_status    status = KNACKDB_OK;
    bool              goes_on = true;

    if (!has_head)
        status = pass_gap(log, segment, true, &goes_on, error);
    while (status == KNACKDB_OK && goes_on) {
        uint64_t offset = segment->offset;

        status = segment_reader_next(segment, &record, error);
        if (status == KNACKDB_OK)
            status = take_record(log, segment, &record, offset, error);
        else if (status == KNACKDB_NOT_FOUND)
            status = pass_gap(log, segment, false, &goes_on, error);
    }
    return status;
}

/* Opens it in the form of history where that is there and sound to the last byte, which the other form then need not
 * be. NOT_FOUND where there is neither. */
static knackdb_status
open_form(const struct repair *repair, uint64_t serial, struct file *file, char name[DISK_NAME_BYTES_MAX],
          knackdb_error *error)
{
    uint64_t       fault;
    knackdb_status status;

    file_name_write(name, FILE_PAST, serial);
    status = packed_file_open(repair->allocator, &repair->dir, name, repair->store_id, serial, file, error);
    if (status == KNACKDB_OK) {
        status = packed_file_check(file, &fault, error);
        if (status != KNACKDB_OK)
            file_close(file);
    }
    if (status != KNACKDB_NOT_FOUND && status != KNACKDB_CORRUPT)
        return status;
    file_name_write(name, FILE_LOG, serial);
    return file_open(&repair->dir, name, DISK_READ, 0, file, error);
}

/* Opens a segment. *ret_head: its head is sound. NOT_FOUND where there is no such file any more. */
static knackdb_status
open_segment(struct log_repair *log, uint64_t serial, struct file *file, char name[DISK_NAME_BYTES_MAX],
             struct segment_reader *segment, bool *ret_head, knackdb_error *error)
{
    const struct repair_options *options = log->repair->options;
    knackdb_status               status;

    status = open_form(log->repair, serial, file, name, error);
    if (status != KNACKDB_OK)
        return status;
    segment_reader_init(segment, log->repair->allocator, file, log->repair->store_id, serial);
    status = segment_reader_open(segment, options->history, options->schema, error);
    *ret_head = status == KNACKDB_OK;
    if (status == KNACKDB_CORRUPT || status == KNACKDB_NOT_FOUND) {
        segment->offset = 0;
        segment->map = log->spare;
        status = KNACKDB_OK;
    }
    return status;
}

static knackdb_status
repair_segment(struct log_repair *log, uint64_t serial, knackdb_error *error)
{
    struct segment_reader segment = { 0 };
    struct file           file = { 0 };
    char                  name[DISK_NAME_BYTES_MAX];
    bool                  has_head;
    knackdb_status        status;

    status = open_segment(log, serial, &file, name, &segment, &has_head, error);
    if (status == KNACKDB_OK) {
        log->name = name;
        if (has_head) {
            log->spare = segment.map;
            testify(log, segment.durable);
        }
        status = take_records(log, &segment, has_head, error);
    } else if (status == KNACKDB_NOT_FOUND) {
        status = KNACKDB_OK; /* a writer beside us has removed it; whether that matters shows in the manifests */
    }
    segment_reader_clear(&segment);
    file_close(&file);
    return status;
}

/* What a lost head will most likely have said: what another says, or else the schema's version that the store is of. */
static knackdb_status
find_spare(struct log_repair *log, knackdb_error *error)
{
    const struct repair         *repair = log->repair;
    const struct repair_options *options = repair->options;
    uint32_t           version = repair->has_manifest ? repair->manifest.schema_version : options->schema->version;
    struct schema     *schema = allocator_get(repair->allocator, sizeof *schema);
    struct byte_buffer description;
    bool               found = false;
    knackdb_status     status = KNACKDB_OK;

    if (schema == NULL)
        return error_no_memory(error, "the log's tables");
    byte_buffer_init(&description, repair->allocator);
    for (size_t i = 0; i < log->serial_count && !found && status == KNACKDB_OK; i++) {
        struct segment_reader segment = { 0 };
        struct file           file = { 0 };
        char                  name[DISK_NAME_BYTES_MAX];

        status = open_segment(log, log->serials[i], &file, name, &segment, &found, error);
        if (status == KNACKDB_OK && found)
            log->spare = segment.map;
        if (status == KNACKDB_NOT_FOUND)
            status = KNACKDB_OK;
        segment_reader_clear(&segment);
        file_close(&file);
    }
    if (status == KNACKDB_OK && !found)
        status = schema_build(options->history, version, schema, error);
    if (status == KNACKDB_OK && !found) {
        description_write(&description, schema);
        status = description.failed ? error_no_memory(error, "the log's tables")
                                    : description_map(description.data, description.bytes, options->history,
                                                      options->schema, version, &log->spare, error);
    }
    byte_buffer_clear(&description);
    allocator_put(repair->allocator, schema, sizeof *schema);
    return status;
}

/* ---- judgement ---- */

static void
tell_gap(struct log_repair *log, const struct gap *gap, bool is_told)
{
    knackdb_loss loss = { .offset = gap->place.offset, .bytes = gap->bytes, .table = -1, .column = -1 };
    uint64_t     first = (gap->after > log->covered ? gap->after : log->covered) + 1;
    const char  *what = gap->is_head ? "the head of the segment" : "bytes that make no record";
    char         name[DISK_NAME_BYTES_MAX];

    log_place_write_name(name, &gap->place);
    if (gap->next == 0 && first > log->testimony) {
        loss.kind = KNACKDB_LOSS_TORN;
        loss.first_sequence = first;
        repair_note(log->repair, &loss, name, "the log's torn end, before commit %" PRIu64, first);
        return;
    }
    if (is_told || (gap->next != 0 && first >= gap->next)) {
        loss.kind = KNACKDB_LOSS_FRAME;
        repair_note(log->repair, &loss, name, "%s; no commit is lost with them", what);
        return;
    }
    loss.kind = KNACKDB_LOSS_COMMITS;
    loss.first_sequence = first;
    loss.last_sequence = gap->next != 0 ? gap->next - 1 : log->testimony;
    if (loss.first_sequence == loss.last_sequence)
        repair_note(log->repair, &loss, name, "commit %" PRIu64 " is %s", first,
                    gap->bytes != 0 ? "damaged" : "missing");
    else
        repair_note(log->repair, &loss, name, "commits %" PRIu64 " to %" PRIu64 " are %s", first, loss.last_sequence,
                    gap->bytes != 0 ? "damaged" : "missing");
}

static void
judge(struct log_repair *log)
{
    uint64_t last = log->last > log->covered ? log->last : log->covered;

    if (log->testimony > last && log->open_gaps == log->gap_count && log->last_end.serial != 0)
        note_gap(log, &(struct gap) { .place = log->last_end, .after = last });
    for (size_t i = 0; i < log->gap_count; i++)
        tell_gap(log, &log->gaps[i],
                 i > 0 && log->gaps[i].after == log->gaps[i - 1].after && log->gaps[i].next == log->gaps[i - 1].next &&
                     log->gaps[i].next != 0);
}

knackdb_status
repair_log(struct repair *repair, knackdb_error *error)
{
    struct log_repair *log = allocator_get_zeroed(repair->allocator, sizeof *log);
    knackdb_status     status;

    if (log == NULL)
        return error_no_memory(error, "the log");
    log->repair = repair;
    log->covered = log->last = repair->has_manifest ? repair->manifest.sequence : 0;
    status = dir_list(&repair->dir, hear_name, log, error);
    if (status == KNACKDB_OK)
        status = find_spare(log, error);
    for (size_t i = 0; i < log->serial_count && status == KNACKDB_OK; i++)
        status = repair_segment(log, log->serials[i], error);
    if (status == KNACKDB_OK && log->no_memory)
        status = error_no_memory(error, "the places where the log cannot be read");
    if (status == KNACKDB_OK)
        judge(log);
    if (status == KNACKDB_OK && log->testimony > repair->sequence && !repair->has_manifest)
        repair->sequence = log->testimony; /* a number that had been given is not given again */
    allocator_put(repair->allocator, log->serials, log->serial_capacity * sizeof *log->serials);
    allocator_put(repair->allocator, log->gaps, log->gap_capacity * sizeof *log->gaps);
    allocator_put(repair->allocator, log, sizeof *log);
    return status;
}
