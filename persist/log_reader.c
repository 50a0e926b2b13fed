/* log_reader.c - one run of commits over many files, and the truth about its end.
 *
 * A segment ends where no record begins. The run then goes on in the next segment that
 * has a record, provided that record is the next commit. Where it cannot go on, the
 * log ends; and the question is whether it ends because nothing more was written, because
 * a power cut tore it, or because something that was safe has been damaged.
 *
 * Pages of a mapped log reach the disk in any order, so after a power cut whole
 * records may lie behind a hole, in the same segment and in later ones. They are not
 * proof of damage. What is: every record and every head carries the newest commit that
 * was known to be on stable storage when it was written. So
 *
 *   T1  a bad record is torn if nothing readable behind it says that this commit had
 *       been on stable storage; the log ends before it, and what lies behind is cut.
 *   T2  if something does say so, the bad record is corruption.
 *   T3  a segment that ends early is no fault where the next one begins with the very
 *       next commit: that is what a new life after a cut looks like.
 *
 * In `sync` mode nothing acknowledged is ever cut by T1 without being seen by T2,
 * except damage to the last commits, behind which nothing was written that could
 * testify. A clean close writes such a witness: the seal.
 *
 * Beside a live writer the end moves. A record seen half copied is read again, and a
 * gap is looked at again before it is believed: the writer fills a segment before it
 * begins the next one, but we may have looked at them the other way round. */
#include "persist/log_reader.h"

#include "base/clock.h"
#include "base/error.h"
#include "persist/log_past.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Segments held open, so that a snapshot taken meanwhile cannot remove them from under us. More
 * than these are opened when their turn comes. */
#define FILES_HELD_MAX 256

/* How often, and how long apart, an end that looks bad is looked at again. */
#define SECOND_LOOKS   3
#define SECOND_LOOK_NS 300000

/* An end that was found torn is not judged anew before so long. */
#define JUDGED_ANEW_NS UINT64_C(1000000000)

struct segment {
    struct segment          *next;
    struct log_segment_facts facts;
    struct file              file; /* dir == NULL: not open */
    char                     name[DISK_NAME_BYTES_MAX];
};

struct log_reader {
    struct allocator         *allocator;
    struct log_reader_options options;
    struct segment           *first; /* by rising serial */
    size_t                    files_held;
    bool                      no_memory;
    struct segment           *current; /* NULL: none yet */
    struct segment_reader     reader;  /* of the current one */
    uint64_t                  last;    /* sequence of the commit read last, given or passed over; 0: none */
    uint64_t                  durable; /* highest testimony read so far */
    bool                      is_sealed; /* the last record read is a seal */
    struct log_end            judged;    /* a torn end... */
    uint64_t                  judged_ns; /* ...as it was found at this time; 0: none was */
    bool                      forgets;   /* nobody asks for facts of segments that have been passed */
};

/* ---- the list of segments ---- */

static void
hear_name(void *context, const char *name)
{
    struct log_reader *reader = context;
    struct segment   **link = &reader->first;
    struct segment    *segment;
    uint64_t           serial;

    if (!log_is_segment_name(name, &serial) || serial < reader->options.first_serial)
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

static knackdb_status
open_segment(struct log_reader *reader, struct segment *segment, knackdb_error *error)
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
close_segment(struct log_reader *reader, struct segment *segment)
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
renew_segment(struct log_reader *reader, struct segment *segment)
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
    for (struct segment *segment = reader->first; segment != NULL && status == KNACKDB_OK; segment = segment->next) {
        if (reader->files_held == FILES_HELD_MAX)
            break;
        status = open_segment(reader, segment, error);
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
        struct segment *segment = reader->first;

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
        struct segment *segment = reader->first;

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
    const struct segment *segment = reader->current != NULL ? reader->current->next : reader->first;

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
    for (const struct segment *segment = reader->first; segment != NULL; segment = segment->next)
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
    return error_set(error, KNACKDB_UNSUPPORTED, "%s/%s: offset %" PRIu64 ": a record of kind %u, unknown to this version",
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
    } while (status == KNACKDB_OK &&
             (ret_record->kind == LOG_RECORD_SEAL || ret_record->kind >= LOG_RECORD_SKIPPABLE));
    if (status == KNACKDB_OK && ret_record->kind != LOG_RECORD_COMMIT)
        status = unknown_kind(reader, candidate->file->name, offset, ret_record, error);
    return status;
}

/* Opens the next segment behind the current one that has a commit. NOT_FOUND where none has. */
static knackdb_status
peek_segment(struct log_reader *reader, struct segment_reader *candidate, struct segment **ret_segment,
             struct log_record *ret_record, knackdb_error *error)
{
    struct segment *segment = reader->current != NULL ? reader->current->next : reader->first;
    knackdb_status  status;

    for (; segment != NULL; segment = segment->next) {
        if (segment->file.dir != NULL)
            renew_segment(reader, segment);
        status = open_segment(reader, segment, error);
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

/* The current segment has ended. Makes the next one with a commit current, if that commit
 * continues the log; NOT_FOUND otherwise. */
static knackdb_status
next_segment(struct log_reader *reader, knackdb_error *error)
{
    struct segment_reader candidate = { 0 };
    struct log_record     record = { 0 };
    struct segment       *segment = NULL;
    knackdb_status        status;

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
        return error_set(error, KNACKDB_CORRUPT, "%s/%s: offset %" PRIu64 ": commit %" PRIu64 " follows commit %" PRIu64,
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
            status = next_segment(reader, error);
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
    struct segment_reader candidate = { 0 };
    struct log_record     record = { 0 };
    struct segment       *segment = NULL;
    knackdb_status        status;

    *ret_sequence = 0;
    status = peek_segment(reader, &candidate, &segment, &record, error);
    segment_reader_clear(&candidate);
    if (status == KNACKDB_OK && !continues(reader, record.sequence))
        *ret_sequence = record.sequence;
    return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
}

/* Highest testimony of the whole records of a segment from `from` on. */
static knackdb_status
hear_witnesses(struct segment_reader *reader, uint64_t from, uint64_t *durable, knackdb_error *error)
{
    struct log_record record;
    knackdb_status    status;

    for (;;) {
        status = segment_reader_seek(reader, from, error);
        while (status == KNACKDB_OK) {
            status = segment_reader_next(reader, &record, error);
            if (status == KNACKDB_OK && record.durable > *durable)
                *durable = record.durable;
        }
        if (status != KNACKDB_NOT_FOUND || reader->offset <= from)
            return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
        from = reader->offset;
    }
}

/* All that lies behind the end, gathered segment by segment. */
struct behind {
    uint64_t              testimony; /* newest commit that any record or head calls durable */
    uint64_t              torn_bytes;
    const struct segment *place;     /* the first segment in which something cannot be read */
    uint64_t              offset;    /* where in it */
    knackdb_error         head_error; /* of a head that cannot be read */
};

static knackdb_status
look_behind(struct log_reader *reader, struct segment *segment, struct behind *behind, knackdb_error *error)
{
    struct segment_reader looker = { 0 };
    knackdb_error         why = { 0 };
    knackdb_status        status;
    uint64_t              from = 0;
    uint64_t              end = 0;

    status = open_segment(reader, segment, error);
    if (status != KNACKDB_OK)
        return status == KNACKDB_NOT_FOUND ? KNACKDB_OK : status;
    segment_reader_init(&looker, reader->allocator, &segment->file, reader->options.store_id, segment->facts.serial);
    if (segment == reader->current) {
        from = reader->reader.offset;
        looker.durable = reader->reader.durable;
        looker.last_sequence = reader->reader.last_sequence;
    } else {
        status = segment_reader_open(&looker, reader->options.history, reader->options.schema, &why);
        if (status == KNACKDB_OK) {
            from = looker.head_bytes;
            if (looker.durable > behind->testimony)
                behind->testimony = looker.durable;
        } else if (status != KNACKDB_CORRUPT && status != KNACKDB_NOT_FOUND) {
            if (error != NULL)
                *error = why;
            goto out;
        }
    }
    status = segment_reader_find_end(&looker, from, &end, error);
    if (status == KNACKDB_OK && end > from) {
        if (behind->place == NULL) {
            behind->place = segment;
            behind->offset = from;
            behind->head_error = why;
        }
        behind->torn_bytes += end - from;
        status = hear_witnesses(&looker, from, &behind->testimony, error);
    }

out:
    segment_reader_clear(&looker);
    return status;
}

static uint64_t
end_of(const struct log_reader *reader)
{
    return reader->last > reader->options.after_sequence ? reader->last : reader->options.after_sequence;
}

/* T2: something says that the commit after the end had been on stable storage. Where is it now? */
static knackdb_status
tell_damage(const struct log_reader *reader, const struct behind *behind, knackdb_error *error)
{
    const struct segment *place = behind->place != NULL ? behind->place : reader->current;
    uint64_t              offset = behind->place != NULL ? behind->offset : reader->reader.offset;
    uint64_t              missing = end_of(reader) + 1;

    if (behind->place != NULL && behind->head_error.message[0] != '\0') {
        if (error != NULL)
            *error = behind->head_error;
        return KNACKDB_CORRUPT;
    }
    if (place == NULL)
        return error_set(error, KNACKDB_CORRUPT, "%s: commit %" PRIu64 " is missing from the log",
                         reader->options.dir->path, missing);
    return error_set(error, KNACKDB_CORRUPT,
                     "%s/%s: offset %" PRIu64 ": commit %" PRIu64 " is damaged or missing; commits up to %" PRIu64
                     " had been on stable storage",
                     reader->options.dir->path, place->file.name, offset, missing, behind->testimony);
}

static knackdb_status
judge_once(struct log_reader *reader, struct log_end *ret_end, knackdb_error *error)
{
    struct behind  behind = { .testimony = reader->durable };
    uint64_t       after = end_of(reader);
    knackdb_status status = KNACKDB_OK;

    for (struct segment *segment = reader->current != NULL ? reader->current : reader->first;
         segment != NULL && status == KNACKDB_OK; segment = segment->next)
        status = look_behind(reader, segment, &behind, error);
    if (status != KNACKDB_OK)
        return status;
    memset(ret_end, 0, sizeof *ret_end);
    ret_end->sequence = after;
    ret_end->durable = behind.testimony < after ? behind.testimony : after;
    ret_end->serial = reader->current != NULL ? reader->current->facts.serial : 0;
    ret_end->offset = reader->current != NULL ? reader->reader.offset : 0;
    ret_end->torn_bytes = behind.torn_bytes;
    ret_end->torn_serial = behind.place != NULL ? behind.place->facts.serial : 0;
    ret_end->torn_offset = behind.offset;
    ret_end->is_sealed = reader->is_sealed;
    if (behind.testimony <= after || (reader->last == 0 && reader->options.from_oldest))
        return KNACKDB_OK;
    return tell_damage(reader, &behind, error);
}

/* True where the log goes on after all; the next commit has not been taken yet. */
static bool
has_grown(struct log_reader *reader)
{
    uint64_t          offset = reader->reader.offset;
    struct log_record record;
    bool              grown = false;

    if (reader->current != NULL)
        grown = segment_reader_next(&reader->reader, &record, NULL) == KNACKDB_OK;
    reader->reader.offset = offset;
    return grown || next_segment(reader, NULL) == KNACKDB_OK;
}

/* A killed writer leaves a torn end, and who follows it asks fifty times a second. To judge is to read all that lies behind. */
static bool
was_judged_lately(const struct log_reader *reader)
{
    const struct log_end *judged = &reader->judged;

    return reader->judged_ns != 0 && judged->sequence == end_of(reader) && reader->current != NULL &&
           judged->serial == reader->current->facts.serial && judged->offset == reader->reader.offset &&
           clock_monotonic_ns() - reader->judged_ns < JUDGED_ANEW_NS;
}

knackdb_status
log_reader_judge(struct log_reader *reader, struct log_end *ret_end, knackdb_error *error)
{
    static const struct timespec pause = { .tv_nsec = SECOND_LOOK_NS };
    knackdb_status               status = KNACKDB_OK;

    if (was_judged_lately(reader)) {
        *ret_end = reader->judged;
        return KNACKDB_OK;
    }
    for (int look = 0; look < SECOND_LOOKS; look++) {
        status = judge_once(reader, ret_end, error);
        if (reader->options.is_locked || (status != KNACKDB_CORRUPT && !(status == KNACKDB_OK && ret_end->torn_bytes > 0)))
            return status;
        if (has_grown(reader)) {
            /* A live writer: what lay behind the end were its next commits. */
            ret_end->torn_bytes = 0;
            return KNACKDB_OK;
        }
        (void) nanosleep(&pause, NULL);
    }
    if (status == KNACKDB_OK) {
        reader->judged = *ret_end;
        reader->judged_ns = clock_monotonic_ns();
    }
    return status;
}
