/* log_judging.c - the truth about where a log ends.
 *
 * Where the reader cannot go on, the question is whether the log ends because nothing more was
 * written, because a power cut tore it, or because something that was safe has been damaged.
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
#include "persist/log_reader_state.h"

#include "base/clock.h"
#include "base/error.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* How often, and how long apart, an end that looks bad is looked at again. */
#define SECOND_LOOKS   3
#define SECOND_LOOK_NS 300000

/* An end that was found torn is not judged anew before so long. */
#define JUDGED_ANEW_NS UINT64_C(1000000000)

/* Highest testimony of the whole records of a segment from `from` on. */
static knackdb_status
hear_witnesses(struct segment_reader *reader, uint64_t from, uint64_t *durable, knackdb_error *error)
{
    struct log_record record;
    knackdb_status    status;

    for (;;) {
        status = segment_reader_seek(reader, from, SEGMENT_STEP_RECORDS, error);
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
    uint64_t                         testimony; /* newest commit that any record or head calls durable */
    uint64_t                         torn_bytes;
    const struct log_reader_segment *place;      /* the first segment in which something cannot be read */
    uint64_t                         offset;     /* where in it */
    knackdb_error                    head_error; /* of a head that cannot be read */
};

static knackdb_status
look_behind(struct log_reader *reader, struct log_reader_segment *segment, struct behind *behind, knackdb_error *error)
{
    struct segment_reader looker = { 0 };
    knackdb_error         why = { 0 };
    knackdb_status        status;
    uint64_t              from = 0;
    uint64_t              end = 0;

    status = log_reader_open_segment(reader, segment, error);
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
    const struct log_reader_segment *place = behind->place != NULL ? behind->place : reader->current;
    uint64_t                         offset = behind->place != NULL ? behind->offset : reader->reader.offset;
    uint64_t                         missing = end_of(reader) + 1;

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

    for (struct log_reader_segment *segment = reader->current != NULL ? reader->current : reader->first;
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
    return grown || log_reader_next_segment(reader, NULL) == KNACKDB_OK;
}

/* A killed writer leaves a torn end, and who follows it asks fifty times a second. To judge is to read all that lies
 * behind. */
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
        if (reader->options.is_locked ||
            (status != KNACKDB_CORRUPT && !(status == KNACKDB_OK && ret_end->torn_bytes > 0)))
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
