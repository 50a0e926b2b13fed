/* log_reader.c - one run of commits over many files.
 *
 * A segment ends where no record begins. The run then goes on in the next segment that
 * has a record, provided that record is the next commit. Where it cannot go on, the
 * log ends; what that means tells log_judging.c. */
#include "persist/log_reader_state.h"

#include "base/error.h"
#include "persist/file_name.h"
#include "persist/log_past.h"

#include <inttypes.h>
#include <string.h>

/* Segments held open, so that a snapshot taken meanwhile cannot remove them from under us. More
 * than these are opened when their turn comes. */
#define FILES_HELD_MAX 256

/* ---- the list of segments ---- */

static void
hear_name(void *context, const char *name)
{
    struct log_reader          *reader = context;
    struct log_reader_segment **link = &reader->first;
    struct log_reader_segment  *segment;
    uint64_t                    serial;

    if (reader->options.skips_history ? file_name_read(name, &serial) != FILE_LOG : !log_is_segment_name(name, &serial))
        return;
    if (serial < reader->options.first_serial)
        return;
    while (*link != NULL && (*link)->facts.serial < serial)
        link = &(*link)->next;
    if (*link != NULL && (*link)->facts.serial == serial)
        return;
    segment = allocator_get_zeroed(reader->allocator, sizeof *segment);
    if (segment == NULL) {
        reader->no_memory = true;
        return;
    }
    segment->facts.serial = serial;
    memcpy(segment->name, name, strlen(name) + 1);
    segment->next = *link;
    *link = segment;
}

knackdb_status
log_reader_open_segment(struct log_reader *reader, struct log_reader_segment *segment, knackdb_error *error)
{
    knackdb_status status;

    if (segment->file.dir != NULL)
        return KNACKDB_OK;
    status = log_open_segment(reader->allocator, reader->options.dir, reader->options.store_id, segment->facts.serial,
                              &segment->file, error);
    if (status != KNACKDB_OK)
        return status;
    memcpy(segment->name, segment->file.name, sizeof segment->name); /* it may have been packed meanwhile */
    reader->files_held++;
    return status;
}

static void
close_segment(struct log_reader *reader, struct log_reader_segment *segment)
{
    if (segment->file.dir == NULL)
        return;
    file_close(&segment->file);
    reader->files_held--;
}

/* A segment that has not been read yet may have been made ahead by a writer that closed without using it: that removes
 * it, and the next writer makes another of its name. So what the name stands for now takes its place. Where it stands
 * for nothing the file stays: a snapshot has removed it, and what it holds may still be wanted. */
static void
renew_segment(struct log_reader *reader, struct log_reader_segment *segment)
{
    struct file now = { 0 };

    if (segment->file.packed != NULL ||
        file_open(reader->options.dir, segment->name, DISK_READ, 0, &now, NULL) != KNACKDB_OK)
        return;
    file_close(&segment->file);
    segment->file = now;
}

/* Takes in segments that were not there before. Beside a writer a segment may be packed meanwhile: one pass over the
 * directory can come too early for its new name and too late for its old one. It then has the new name before a
 * second pass begins. */
static knackdb_status
list_segments(struct log_reader *reader, knackdb_error *error)
{
    knackdb_status status;

    reader->no_memory = false;
    status = dir_list(reader->options.dir, hear_name, reader, error);
    if (status == KNACKDB_OK && !reader->options.is_locked)
        status = dir_list(reader->options.dir, hear_name, reader, error);
    if (status == KNACKDB_OK && reader->no_memory)
        status = error_no_memory(error, "the list of log segments");
    return status;
}

knackdb_status
log_reader_new(struct allocator *allocator, const struct log_reader_options *options, struct log_reader **ret_reader,
               knackdb_error *error)
{
    struct log_reader *reader = allocator_get_zeroed(allocator, sizeof *reader);
    knackdb_status     status;

    if (reader == NULL)
        return error_no_memory(error, "a log reader");
    reader->allocator = allocator;
    reader->options = *options;
    reader->forgets = options->from_oldest;
    status = list_segments(reader, error);
    for (struct log_reader_segment *segment = reader->first; segment != NULL && status == KNACKDB_OK;
         segment = segment->next) {
        if (reader->files_held == FILES_HELD_MAX)
            break;
        status = log_reader_open_segment(reader, segment, error);
        /* Unused and removed by a writer that closed, or covered by a snapshot: whether commits are missing, the
         * judge tells, and he who asks knows whether a snapshot came in between. */
        if (status == KNACKDB_NOT_FOUND)
            status = KNACKDB_OK;
    }
    if (status != KNACKDB_OK) {
        log_reader_free(reader);
        return status;
    }
    *ret_reader = reader;
    return KNACKDB_OK;
}

void
log_reader_free(struct log_reader *reader)
{
    if (reader == NULL)
        return;
    segment_reader_clear(&reader->reader);
    while (reader->first != NULL) {
        struct log_reader_segment *segment = reader->first;

        reader->first = segment->next;
        close_segment(reader, segment);
        allocator_put(reader->allocator, segment, sizeof *segment);
    }
    allocator_put(reader->allocator, reader, sizeof *reader);
}

/* Who follows may do so for years, and his list would grow with every segment. */
static void
forget_passed(struct log_reader *reader)
{
    if (!reader->forgets)
        return;
    while (reader->first != reader->current) {
        struct log_reader_segment *segment = reader->first;

        reader->first = segment->next;
        close_segment(reader, segment);
        allocator_put(reader->allocator, segment, sizeof *segment);
    }
    reader->options.first_serial = reader->current->facts.serial;
}

const char *
log_reader_file(const struct log_reader *reader)
{
    return reader->current != NULL ? reader->current->file.name : "";
}

void
log_reader_follow(struct log_reader *reader)
{
    reader->forgets = true;
    reader->options.skips_history = false; /* what is made and packed between two looks is in no snapshot it has */
    if (reader->current != NULL)
        forget_passed(reader);
}

const struct file *
log_reader_place(const struct log_reader *reader, uint64_t *ret_offset)
{
    *ret_offset = reader->reader.offset;
    return reader->current != NULL ? &reader->current->file : NULL;
}

const char *
log_reader_later(const struct log_reader *reader, uint64_t *serial)
{
    const struct log_reader_segment *segment = reader->current != NULL ? reader->current->next : reader->first;

    while (segment != NULL && segment->facts.serial <= *serial)
        segment = segment->next;
    if (segment == NULL)
        return NULL;
    *serial = segment->facts.serial;
    return segment->name;
}

void
log_reader_skip_to(struct log_reader *reader, uint64_t sequence)
{
    if (sequence > reader->last)
        reader->last = sequence - 1;
}

uint64_t
log_reader_durable(const struct log_reader *reader)
{
    return reader->durable;
}

void
log_reader_tell_segments(const struct log_reader *reader,
                         void (*hear)(void *context, const struct log_segment_facts *facts), void *context)
{
    for (const struct log_reader_segment *segment = reader->first; segment != NULL; segment = segment->next)
        hear(context, &segment->facts);
}

/* ---- going on ---- */

/* May this commit come next? What the snapshot covers need not be there whole: a power cut may
 * have torn a log that a snapshot had overtaken. */
static bool
continues(const struct log_reader *reader, uint64_t sequence)
{
    if (reader->last != 0 && sequence <= reader->last)
        return false;
    if (reader->last != 0 && sequence == reader->last + 1)
        return true;
    if (reader->options.from_oldest)
        return reader->last == 0;
    return sequence <= reader->options.after_sequence + 1;
}

static knackdb_status
unknown_kind(const struct log_reader *reader, const char *file, uint64_t offset, const struct log_record *record,
             knackdb_error *error)
{
    return error_set(error, KNACKDB_UNSUPPORTED,
                     "%s/%s: offset %" PRIu64 ": a record of kind %u, unknown to this version",
                     reader->options.dir->path, file, offset, (unsigned) record->kind);
}

/* The first commit of a segment. What a newer version, with a kind of its own that may be passed over, or a seal has
 * put before it says nothing about where the log goes on. */
static knackdb_status
first_commit(const struct log_reader *reader, struct segment_reader *candidate, struct log_record *ret_record,
             knackdb_error *error)
{
    uint64_t       offset;
    knackdb_status status;

    do {
        offset = candidate->offset;
        status = segment_reader_next(candidate, ret_record, error);
    } while (status == KNACKDB_OK && (ret_record->kind == LOG_RECORD_SEAL || ret_record->kind >= LOG_RECORD_SKIPPABLE));
    if (status == KNACKDB_OK && ret_record->kind != LOG_RECORD_COMMIT)
        status = unknown_kind(reader, candidate->file->name, offset, ret_record, error);
    return status;
}

/* Opens the next segment behind the current one that has a commit. NOT_FOUND where none has. */
static knackdb_status
peek_segment(struct log_reader *reader, struct segment_reader *candidate, struct log_reader_segment **ret_segment,
             struct log_record *ret_record, knackdb_error *error)
{
    struct log_reader_segment *segment = reader->current != NULL ? reader->current->next : reader->first;
    knackdb_status             status;

    for (; segment != NULL; segment = segment->next) {
        if (segment->file.dir != NULL)
            renew_segment(reader, segment);
        status = log_reader_open_segment(reader, segment, error);
        if (status == KNACKDB_NOT_FOUND)
            continue; /* covered by a snapshot and removed meanwhile; the next record will tell */
        if (status != KNACKDB_OK)
            return status;
        segment_reader_init(candidate, reader->allocator, &segment->file, reader->options.store_id,
                            segment->facts.serial);
        status = segment_reader_open(candidate, reader->options.history, reader->options.schema, error);
        if (status == KNACKDB_OK)
            status = first_commit(reader, candidate, ret_record, error);
        if (status == KNACKDB_OK) {
            *ret_segment = segment;
            return KNACKDB_OK;
        }
        segment_reader_clear(candidate);
        if (reader->files_held > FILES_HELD_MAX)
            close_segment(reader, segment);
        /* Without a whole head or a record there is nothing to go on with; the judge says what that means. */
        if (status != KNACKDB_NOT_FOUND && status != KNACKDB_CORRUPT)
            return status;
    }
    return KNACKDB_NOT_FOUND;
}

knackdb_status
log_reader_next_segment(struct log_reader *reader, knackdb_error *error)
{
    struct segment_reader      candidate = { 0 };
    struct log_record          record = { 0 };
    struct log_reader_segment *segment = NULL;
    knackdb_status             status;

    status = list_segments(reader, error);
    if (status == KNACKDB_OK)
        status = peek_segment(reader, &candidate, &segment, &record, error);
    if (status != KNACKDB_OK)
        return status;
    if (!continues(reader, record.sequence)) {
        segment_reader_clear(&candidate);
        return KNACKDB_NOT_FOUND;
    }
    segment_reader_clear(&reader->reader);
    if (reader->current != NULL)
        close_segment(reader, reader->current);
    reader->current = segment;
    reader->reader = candidate;
    reader->reader.offset = candidate.head_bytes;
    forget_passed(reader);
    if (candidate.durable > reader->durable)
        reader->durable = candidate.durable;
    return KNACKDB_OK;
}

/* What a whole record at the current place means. *ret_given: it is a commit the caller wants. */
static knackdb_status
take_record(struct log_reader *reader, const struct log_record *record, uint64_t offset, bool *ret_given,
            knackdb_error *error)
{
    struct log_segment_facts *facts = &reader->current->facts;

    *ret_given = false;
    reader->is_sealed = record->kind == LOG_RECORD_SEAL;
    if (record->durable > reader->durable)
        reader->durable = record->durable;
    if (record->kind == LOG_RECORD_SEAL || record->kind >= LOG_RECORD_SKIPPABLE)
        return KNACKDB_OK;
    if (record->kind != LOG_RECORD_COMMIT)
        return unknown_kind(reader, reader->current->file.name, offset, record, error);
    if (!continues(reader, record->sequence))
        return error_set(error, KNACKDB_CORRUPT,
                         "%s/%s: offset %" PRIu64 ": commit %" PRIu64 " follows commit %" PRIu64,
                         reader->options.dir->path, reader->current->file.name, offset, record->sequence,
                         reader->last != 0 ? reader->last : reader->options.after_sequence);
    reader->last = record->sequence;
    if (facts->first_sequence == 0)
        facts->first_sequence = record->sequence;
    facts->last_sequence = record->sequence;
    *ret_given = reader->options.from_oldest || record->sequence > reader->options.after_sequence;
    return KNACKDB_OK;
}

knackdb_status
log_reader_next(struct log_reader *reader, struct log_commit *ret_commit, knackdb_error *error)
{
    knackdb_status status;
    bool           given = false;
    bool           moved = false;

    for (;;) {
        status = KNACKDB_NOT_FOUND;
        if (reader->current != NULL) {
            ret_commit->offset = reader->reader.offset;
            status = segment_reader_next(&reader->reader, &ret_commit->record, error);
        }
        if (status == KNACKDB_NOT_FOUND && !moved) {
            /* Look for a next segment; where there is none, once more here: a writer may have filled
             * this one between our two looks. */
            status = log_reader_next_segment(reader, error);
            if (status != KNACKDB_OK && status != KNACKDB_NOT_FOUND)
                return status;
            moved = true;
            continue;
        }
        if (status != KNACKDB_OK)
            return status;
        moved = false;
        status = take_record(reader, &ret_commit->record, ret_commit->offset, &given, error);
        if (status != KNACKDB_OK)
            return status;
        if (given) {
            ret_commit->map = &reader->reader.map;
            ret_commit->file = reader->current->file.name;
            return KNACKDB_OK;
        }
    }
}

/* ---- the end ---- */

knackdb_status
log_reader_is_clean(struct log_reader *reader, bool *ret_clean, knackdb_error *error)
{
    unsigned char  bytes[LOG_RECORD_HEADER_BYTES] = { 0 };
    size_t         read;
    knackdb_status status = KNACKDB_OK;

    if (reader->current != NULL)
        status = file_read(&reader->current->file, reader->reader.offset, bytes, sizeof bytes, &read, error);
    *ret_clean = true;
    for (size_t i = 0; i < sizeof bytes; i++)
        *ret_clean &= bytes[i] == 0;
    return status;
}

knackdb_status
log_reader_find_gap(struct log_reader *reader, uint64_t *ret_sequence, knackdb_error *error)
{
    struct segment_reader      candidate = { 0 };
    struct log_record          record = { 0 };
    struct log_reader_segment *segment = NULL;
    knackdb_status             status;

    *ret_sequence = 0;
    status = peek_segment(reader, &candidate, &segment, &record, error);
    segment_reader_clear(&candidate);
    if (status == KNACKDB_OK && !continues(reader, record.sequence))
        *ret_sequence = record.sequence;
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}
