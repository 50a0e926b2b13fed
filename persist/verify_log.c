/* verify_log.c - every record of every segment, and every byte between them.
 *
 * Unlike log_reader.c, which stops where the log ends, this goes on behind every place
 * that cannot be read, and so finds all of them. What such a place is cannot be said
 * before the whole log has been heard: it is damage if any record or head, anywhere,
 * testifies that its commit had been on stable storage (log_judging.c, T1 and T2), and the
 * torn end otherwise. So places are noted first and judged last. */
#include "persist/verification_state.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/log_past.h"
#include "persist/manifest_files.h"
#include "persist/packed_file.h"
#include "persist/segment_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_LOOKS   3
#define SECOND_LOOK_NS 300000

/* A place where the log cannot be read. */
struct gap {
    struct log_place place;
    uint64_t         bytes;  /* that mean nothing; 0: commits are missing between two files */
    uint64_t         commit; /* the first one missing */
    uint64_t         next;   /* the first one there again, where it is commits that are missing */
};

struct log_check {
    struct verification   *verification;
    const struct manifest *newest;
    uint64_t              *serials;
    size_t                 serial_count;
    size_t                 serial_capacity;
    struct gap            *gaps;
    size_t                 gap_count;
    size_t                 gap_capacity;
    bool                   no_memory;
    uint64_t               last;     /* sequence of the last commit read; 0: none */
    struct log_place       last_end; /* where it ends */
    uint64_t               testimony;
};

static void
hear_name(void *context, const char *name)
{
    struct log_check *check = context;
    uint64_t         *serials;
    uint64_t          serial;
    size_t            at;

    if (!log_is_segment_name(name, &serial))
        return;
    serials = allocator_make_room(check->verification->allocator, check->serials, check->serial_count + 1,
                                  &check->serial_capacity, sizeof *serials);
    if (serials == NULL) {
        check->no_memory = true;
        return;
    }
    check->serials = serials;
    for (at = 0; at < check->serial_count; at++)
        if (check->serials[at] == serial) /* in both forms */
            return;
    for (at = check->serial_count++; at > 0 && check->serials[at - 1] > serial; at--)
        check->serials[at] = check->serials[at - 1];
    check->serials[at] = serial;
}

/* The first commit that can be missing in this segment. From the snapshot's own on, that is one that the snapshot does
 * not have: such a log owes nothing of what came before it, whatever history says of that. */
static uint64_t
next_commit(const struct log_check *check, uint64_t serial)
{
    if (serial >= check->newest->log_serial && check->last < check->newest->sequence)
        return check->newest->sequence + 1;
    return check->last + 1;
}

static void
note_gap(struct log_check *check, struct log_place place, uint64_t bytes, uint64_t next)
{
    struct gap *gaps = allocator_make_room(check->verification->allocator, check->gaps, check->gap_count + 1,
                                           &check->gap_capacity, sizeof *gaps);

    if (gaps == NULL) {
        check->no_memory = true;
        return;
    }
    check->gaps = gaps;
    check->gaps[check->gap_count++] = (struct gap) { place, bytes, next_commit(check, place.serial), next };
}

static void
testify(struct log_check *check, uint64_t durable)
{
    if (durable > check->testimony)
        check->testimony = durable;
}

/* ---- records ---- */

static knackdb_status
check_payload(struct log_check *check, const struct segment_reader *segment, const struct log_record *record,
              const char *name, uint64_t offset)
{
    struct commit_reader    reader;
    struct commit_operation operation;
    knackdb_error           why = { 0 };
    knackdb_status          status;

    status = commit_reader_init(&reader, &segment->map, record->payload, record->payload_bytes, &why);
    while (status == KNACKDB_OK)
        status = commit_reader_next(&reader, &operation, &why);
    if (status == KNACKDB_NO_MEMORY)
        return status;
    if (status != KNACKDB_NOT_FOUND)
        verify_fault(check->verification, status, name, offset, "commit %" PRIu64 ": %s", record->sequence,
                     why.message);
    return KNACKDB_OK;
}

/* The zeros that fill a record up to the next eighth byte are covered by no checksum. */
static knackdb_status
check_padding(struct log_check *check, const struct segment_reader *segment, uint64_t from, const char *name,
              knackdb_error *error)
{
    unsigned char  padding[8] = { 0 };
    size_t         bytes;
    knackdb_status status = file_read(segment->file, from, padding, (size_t) (segment->offset - from), &bytes, error);

    for (size_t i = 0; i < sizeof padding && status == KNACKDB_OK; i++) {
        if (padding[i] != 0)
            verify_fault(check->verification, KNACKDB_CORRUPT, name, from + i,
                         "a byte between two records is not zero");
    }
    return status;
}

/* Are commits missing before this one? What a snapshot covers need not be there. */
static bool
leaves_gap(const struct log_check *check, uint64_t sequence)
{
    return sequence > check->last + 1 && sequence > check->newest->sequence + 1;
}

/* A writer beside us may have gone on in the segment before, after we had read it, and only then begun this one: reads
 * what has come there since. */
static knackdb_status
catch_up(struct log_check *check, knackdb_error *error)
{
    struct verification  *verification = check->verification;
    struct segment_reader segment;
    struct log_record     record;
    struct file           file = { 0 };
    char                  name[DISK_NAME_BYTES_MAX];
    knackdb_status        status;

    if (check->last_end.is_past) /* nobody writes there */
        return KNACKDB_OK;
    log_place_write_name(name, &check->last_end);
    status = file_open(&verification->dir, name, DISK_READ, 0, &file, error);
    if (status != KNACKDB_OK)
        return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
    segment_reader_init(&segment, verification->allocator, &file, check->newest->store_id, check->last_end.serial);
    status = segment_reader_open(&segment, verification->options->history, verification->options->schema, error);
    segment.offset = check->last_end.offset;
    while (status == KNACKDB_OK) {
        uint64_t offset = segment.offset;

        status = segment_reader_next(&segment, &record, error);
        if (status != KNACKDB_OK || record.kind != LOG_RECORD_COMMIT)
            continue;
        if (record.sequence != check->last + 1)
            break;
        verification->report.record_count++;
        testify(check, record.durable);
        check->last = record.sequence;
        check->last_end = segment_reader_place(&segment, segment.offset);
        status = check_padding(check, &segment, offset + LOG_RECORD_HEADER_BYTES + record.payload_bytes, name, error);
        if (status == KNACKDB_OK)
            status = check_payload(check, &segment, &record, name, offset);
    }
    segment_reader_clear(&segment);
    file_close(&file);
    /* What could not be read here has been told, or will be noted as missing. */
    return status == KNACKDB_IO || status == KNACKDB_NO_MEMORY ? status : KNACKDB_OK;
}

static knackdb_status
check_record(struct log_check *check, const struct segment_reader *segment, const struct log_record *record,
             const char *name, uint64_t offset, knackdb_error *error)
{
    knackdb_status status;

    check->verification->report.record_count++;
    testify(check, record->durable);
    status = check_padding(check, segment, offset + LOG_RECORD_HEADER_BYTES + record->payload_bytes, name, error);
    if (status != KNACKDB_OK || record->kind == LOG_RECORD_SEAL || record->kind >= LOG_RECORD_SKIPPABLE)
        return status;
    if (record->kind != LOG_RECORD_COMMIT) {
        verify_fault(check->verification, KNACKDB_UNSUPPORTED, name, offset,
                     "a record of kind %u, unknown to this version", (unsigned) record->kind);
        return KNACKDB_OK;
    }
    if (check->last != 0 && check->last_end.serial != segment->serial && leaves_gap(check, record->sequence))
        status = catch_up(check, error);
    if (status != KNACKDB_OK)
        return status;
    if (check->last != 0 && record->sequence <= check->last)
        verify_fault(check->verification, KNACKDB_CORRUPT, name, offset, "commit %" PRIu64 " follows commit %" PRIu64,
                     record->sequence, check->last);
    else if (leaves_gap(check, record->sequence) &&
             (check->gap_count == 0 || check->gaps[check->gap_count - 1].commit != next_commit(check, segment->serial)))
        note_gap(check, check->last != 0 ? check->last_end : segment_reader_place(segment, offset), 0,
                 record->sequence);
    check->last = record->sequence;
    check->last_end = segment_reader_place(segment, segment->offset);
    return check_payload(check, segment, record, name, offset);
}

/* ---- segments ---- */

/* No record is at segment->offset. Is one there after all? Beside a writer that may be: at once where a record lies
 * behind (it is written after this one), and otherwise a moment later. */
static bool
look_again(struct segment_reader *segment, bool is_last)
{
    static const struct timespec pause = { .tv_nsec = SECOND_LOOK_NS };
    uint64_t                     offset = segment->offset;
    struct log_record            record;
    bool                         found = segment_reader_next(segment, &record, NULL) == KNACKDB_OK;

    for (int look = 0; is_last && !found && look < SECOND_LOOKS; look++) {
        (void) nanosleep(&pause, NULL);
        found = segment_reader_next(segment, &record, NULL) == KNACKDB_OK;
    }
    segment->offset = offset;
    return found;
}

/* What lies behind a place without a record: nothing, bytes that mean nothing, or, behind those, a record, before
 * which the reader then stands (*ret_goes_on). That is looked for first: to find the end is to read all the rest of the
 * segment, and such places may be many. */
static knackdb_status
pass_gap(struct log_check *check, struct segment_reader *segment, bool *ret_goes_on, knackdb_error *error)
{
    uint64_t       offset = segment->offset;
    uint64_t       end;
    bool           is_last;
    knackdb_status status = segment_reader_seek(segment, offset, SEGMENT_STEP_RECORDS, error);

    *ret_goes_on = status == KNACKDB_OK;
    is_last = status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT;
    end = segment->offset;
    if (is_last)
        status = segment_reader_find_end(segment, offset, &end, error);
    if (status != KNACKDB_OK || end == offset)
        return status;
    segment->offset = offset;
    if (look_again(segment, is_last)) {
        *ret_goes_on = true;
        return KNACKDB_OK;
    }
    segment->offset = end;
    note_gap(check, segment_reader_place(segment, offset), end - offset, 0);
    return KNACKDB_OK;
}

static knackdb_status
check_records(struct log_check *check, struct segment_reader *segment, const char *name, knackdb_error *error)
{
    struct log_record record;
    knackdb_status    status = KNACKDB_OK;
    bool              goes_on = true;

    while (status == KNACKDB_OK && goes_on) {
        uint64_t offset = segment->offset;

        status = segment_reader_next(segment, &record, error);
        if (status == KNACKDB_OK)
            status = check_record(check, segment, &record, name, offset, error);
        else if (status == KNACKDB_NOT_FOUND)
            status = pass_gap(check, segment, &goes_on, error);
    }
    return status;
}

/* A head that never reached the disk, or one that decayed: the records tell, if there are any. */
static knackdb_status
check_headless(struct log_check *check, struct segment_reader *segment, knackdb_error *error)
{
    struct log_record record;
    uint64_t          end = 0;
    knackdb_status    status = segment_reader_find_end(segment, 0, &end, error);

    if (status != KNACKDB_OK || end == 0)
        return status;
    note_gap(check, segment_reader_place(segment, 0), end, 0);
    status = segment_reader_seek(segment, 0, SEGMENT_STEP_RECORDS, error);
    while (status == KNACKDB_OK) {
        status = segment_reader_next(segment, &record, error);
        if (status != KNACKDB_OK)
            break;
        testify(check, record.durable);
        check->last = record.sequence;
    }
    return status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT ? KNACKDB_OK : status;
}

/* What is wrong with a packed file, without the place, which a fault names itself. */
static const char *
without_place(const char *why, const struct dir *dir, const char *file)
{
    char   place[DISK_PATH_BYTES_MAX + DISK_NAME_BYTES_MAX + 20];
    size_t length = (size_t) snprintf(place, sizeof place, "%s/%s: offset 0: ", dir->path, file);

    return length < sizeof place && strncmp(why, place, length) == 0 ? why + length : why;
}

/* Opens a segment in either form; what packs it is checked. OK, and it is not open, where there is nothing to be read:
 * it has gone, or what is wrong with it has been told. */
static knackdb_status
open_segment(struct log_check *check, uint64_t serial, struct file *file, knackdb_error *error)
{
    struct verification *verification = check->verification;
    knackdb_error        why = { 0 };
    uint64_t             fault = 0;
    knackdb_status       status;

    status = log_open_segment(verification->allocator, &verification->dir, check->newest->store_id, serial, file, &why);
    if (status == KNACKDB_NOT_FOUND) /* a snapshot has covered it meanwhile */
        return KNACKDB_OK;
    if (status == KNACKDB_OK && file->packed != NULL)
        status = packed_file_check(file, &fault, &why);
    if (status == KNACKDB_OK)
        return KNACKDB_OK;
    file_close(file);
    if (status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED) {
        verify_fault(verification, status, file->name, fault, "%s",
                     without_place(why.message, &verification->dir, file->name));
        return KNACKDB_OK;
    }
    if (error != NULL)
        *error = why;
    return status;
}

static knackdb_status
check_segment(struct log_check *check, uint64_t serial, knackdb_error *error)
{
    struct verification  *verification = check->verification;
    struct segment_reader segment;
    struct file           file = { 0 };
    knackdb_error         why = { 0 };
    knackdb_status        status = open_segment(check, serial, &file, error);

    if (status != KNACKDB_OK || file.dir == NULL)
        return status;
    segment_reader_init(&segment, verification->allocator, &file, check->newest->store_id, serial);
    status = segment_reader_open(&segment, verification->options->history, verification->options->schema, &why);
    if (status == KNACKDB_OK) {
        testify(check, segment.durable);
        status = check_records(check, &segment, file.name, error);
    } else if (status == KNACKDB_NOT_FOUND || status == KNACKDB_CORRUPT) {
        status = check_headless(check, &segment, error);
    } else if (status == KNACKDB_UNSUPPORTED) {
        verify_fault(verification, status, file.name, 0, "%s", why.message);
        status = KNACKDB_OK;
    } else if (error != NULL) {
        *error = why;
    }
    verification->report.file_count++;
    verification->report.byte_count += segment.file_bytes;
    segment_reader_clear(&segment);
    file_close(&file);
    return status;
}

/* ---- judgement ---- */

/* Up to which commit the log is covered now: a snapshot that ended while we read has had segments removed. Where the
 * newest manifest cannot be read, that has been told, and what is known has to do. */
static uint64_t
find_covered(const struct log_check *check)
{
    struct manifest manifest;
    uint64_t        covered = check->newest->sequence;

    manifest_init(&manifest, check->verification->allocator);
    if (manifest_file_read_newest(&manifest, &check->verification->dir, NULL) == KNACKDB_OK &&
        manifest.sequence > covered)
        covered = manifest.sequence;
    manifest_clear(&manifest);
    return covered;
}

static void
judge(struct log_check *check)
{
    uint64_t covered = check->gap_count > 0 ? find_covered(check) : 0;
    char     name[DISK_NAME_BYTES_MAX];

    for (size_t i = 0; i < check->gap_count; i++) {
        const struct gap *gap = &check->gaps[i];

        log_place_write_name(name, &gap->place);
        if (gap->commit > check->testimony) {
            check->verification->report.torn_bytes += gap->bytes;
            continue;
        }
        if (gap->bytes == 0 && gap->next <= covered + 1)
            continue;
        if (gap->bytes == 0)
            verify_fault(check->verification, KNACKDB_CORRUPT, name, gap->place.offset, "commit %" PRIu64 " is missing",
                         gap->commit);
        else if (gap->place.offset == 0)
            verify_fault(check->verification, KNACKDB_CORRUPT, name, 0, "the head of the segment cannot be read");
        else
            verify_fault(check->verification, KNACKDB_CORRUPT, name, gap->place.offset,
                         "commit %" PRIu64 " is damaged: %" PRIu64 " bytes make no record", gap->commit, gap->bytes);
    }
}

knackdb_status
verify_log(struct verification *verification, const struct manifest *newest, knackdb_error *error)
{
    struct log_check check = { .verification = verification, .newest = newest };
    knackdb_status   status;

    status = dir_list(&verification->dir, hear_name, &check, error);
    for (size_t i = 0; i < check.serial_count && status == KNACKDB_OK; i++)
        status = check_segment(&check, check.serials[i], error);
    if (status == KNACKDB_OK && check.no_memory)
        status = error_no_memory(error, "the places where the log cannot be read");
    if (status == KNACKDB_OK)
        judge(&check);
    allocator_put(verification->allocator, check.serials, check.serial_capacity * sizeof *check.serials);
    allocator_put(verification->allocator, check.gaps, check.gap_capacity * sizeof *check.gaps);
    return status;
}
