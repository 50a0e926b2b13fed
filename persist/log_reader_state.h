/* log_reader_state.h - what log_reader.c (going on) and log_judging.c (the end) share; for them alone. */
#ifndef KNACKDB_PERSIST_LOG_READER_STATE_H
#define KNACKDB_PERSIST_LOG_READER_STATE_H

#include "persist/log_reader.h"

struct log_reader_segment {
    struct log_reader_segment *next;
    struct log_segment_facts   facts;
    struct file                file; /* dir == NULL: not open */
    char                       name[DISK_NAME_BYTES_MAX];
};

struct log_reader {
    struct allocator          *allocator;
    struct log_reader_options  options;
    struct log_reader_segment *first; /* by rising serial */
    size_t                     files_held;
    bool                       no_memory;
    struct log_reader_segment *current;   /* NULL: none yet */
    struct segment_reader      reader;    /* of the current one */
    uint64_t                   last;      /* sequence of the commit read last, given or passed over; 0: none */
    uint64_t                   durable;   /* highest testimony read so far */
    bool                       is_sealed; /* the last record read is a seal */
    struct log_end             judged;    /* a torn end... */
    uint64_t                   judged_ns; /* ...as it was found at this time; 0: none was */
    bool                       forgets;   /* nobody asks for facts of segments that have been passed */
};

/* Opens the file unless it is open; NOT_FOUND where it is gone. */
knackdb_status log_reader_open_segment(struct log_reader *reader, struct log_reader_segment *segment,
                                       knackdb_error *error);

/* The current segment has ended. Makes the next one with a commit current, if that commit
 * continues the log; NOT_FOUND otherwise. */
knackdb_status log_reader_next_segment(struct log_reader *reader, knackdb_error *error);

#endif
