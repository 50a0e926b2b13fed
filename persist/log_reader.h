/* log_reader.h - a directory's log as one run of commits, over all its segments.
 *
 * log_judging.c tells when the log ends, when it is torn and when it is corrupt. */
#ifndef KNACKDB_PERSIST_LOG_READER_H
#define KNACKDB_PERSIST_LOG_READER_H

#include "persist/segment_reader.h"

struct log_reader;

struct log_reader_options {
    const struct dir            *dir;
    const struct schema_history *history;
    const struct schema         *schema;
    uint64_t                     store_id;
    uint64_t                     first_serial;   /* segments before this one do not matter */
    uint64_t                     after_sequence; /* the first commit given is the next one... */
    bool                         from_oldest;    /* ...unless this says: the oldest that is kept */
    bool                         skips_history;  /* no snapshot needs it, nor does who begins at the newest */
    bool                         is_locked;      /* we hold the writer's lock: what looks bad now will look so again */
};

knackdb_status log_reader_new(struct allocator *allocator, const struct log_reader_options *options,
                              struct log_reader **ret_reader, knackdb_error *error);
void           log_reader_free(struct log_reader *reader);

struct log_commit {
    struct log_record        record;
    const struct commit_map *map;
    const char              *file; /* name in the directory */
    uint64_t                 offset;
};

/* The next commit, valid until the next call. NOT_FOUND where there is none (yet): ask
 * log_reader_judge() whether the log ends in order there. */
knackdb_status log_reader_next(struct log_reader *reader, struct log_commit *ret_commit, knackdb_error *error);

/* Where the log ends, after NOT_FOUND. */
struct log_end {
    uint64_t sequence;    /* newest commit */
    uint64_t durable;     /* newest commit that the log itself knows to have been on stable storage */
    uint64_t serial;      /* of the segment that holds the end; 0: there is no log */
    uint64_t offset;      /* in it */
    uint64_t torn_bytes;  /* behind the end, in this segment and later ones; the first of them */
    uint64_t torn_serial; /* are in this one */
    uint64_t torn_offset; /* from here on */
    bool     is_sealed;   /* closed in order */
};

/* Looks at all that lies behind the end. OK where it is clean or torn; CORRUPT,
 * naming file and offset, where something there had been on stable storage. */
knackdb_status log_reader_judge(struct log_reader *reader, struct log_end *ret_end, knackdb_error *error);

/* Name of the segment read last; "" before there is one. */
const char *log_reader_file(const struct log_reader *reader);

/* After NOT_FOUND. Does the file end there, or do zeros follow, as they do in an end that nobody tore? Looks at
 * a few bytes only. */
knackdb_status log_reader_is_clean(struct log_reader *reader, bool *ret_clean, knackdb_error *error);

/* After NOT_FOUND. The first commit of the next segment that has one, where commits are missing before it; otherwise
 * 0. */
knackdb_status log_reader_find_gap(struct log_reader *reader, uint64_t *ret_sequence, knackdb_error *error);

/* From now on the reader follows a writer, perhaps for years: what it has passed is let go of, and not told of any
 * more. */
void log_reader_follow(struct log_reader *reader);

/* Newest commit that anything read so far calls durable. */
uint64_t log_reader_durable(const struct log_reader *reader);

/* Where the next record would begin: in which file (NULL: no segment has been read yet), and at which offset. */
const struct file *log_reader_place(const struct log_reader *reader, uint64_t *ret_offset);

/* Name of the first segment behind the current one whose serial is above *serial, which becomes that serial; NULL:
 * there is none that the reader knows of. Begin with 0. Valid until the next call. */
const char *log_reader_later(const struct log_reader *reader, uint64_t *serial);

/* After NOT_FOUND: commits before this one are not wanted any more. The next one given is this one or a later one that
 * follows it. */
void log_reader_skip_to(struct log_reader *reader, uint64_t sequence);

/* What the reader has seen of each segment, oldest first. */
struct log_segment_facts {
    uint64_t serial;
    uint64_t first_sequence; /* 0: no commit in it */
    uint64_t last_sequence;
};
/* Calls `hear` for each. */
void log_reader_tell_segments(const struct log_reader *reader,
                              void (*hear)(void *context, const struct log_segment_facts *facts), void *context);

#endif
