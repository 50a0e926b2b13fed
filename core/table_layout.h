/* table_layout.h - what a table consists of, and where in a chunk the cells of a row are; table.h tells what for. */
#ifndef KNACKDB_CORE_TABLE_LAYOUT_H
#define KNACKDB_CORE_TABLE_LAYOUT_H

#include "core/dictionary.h"
#include "core/id_map.h"
#include "core/reclaim.h"
#include "core/store.h"

#define GROUP_ROW_BITS   7
#define GROUP_ROWS       ((uint32_t) 1 << GROUP_ROW_BITS)
#define GROUP_ROW_MASK   (GROUP_ROWS - 1)
#define CHUNK_ROW_BITS   16
#define CHUNK_ROWS       ((uint32_t) 1 << CHUNK_ROW_BITS)
#define CHUNK_ROW_MASK   (CHUNK_ROWS - 1)
#define GROUPS_PER_CHUNK (CHUNK_ROWS >> GROUP_ROW_BITS)
#define CHUNKS_PER_GROUP 256u
#define CHUNK_GROUPS     255u /* less than 256, so that ROW_NONE is no row and value + 1 fits an index slot */

#define END_NEVER     UINT64_MAX /* alive */
#define BIRTH_NEVER   UINT64_MAX
#define SETTLED_NEVER UINT64_MAX
#define MOMENT_LAST   (UINT64_MAX - 1) /* after every moment there is: sees what is alive */

#define INTEGER_NULL INT64_MIN

#define CHUNK_NONE UINT32_MAX

/* What becomes of a chunk; reclaim.h. */
enum chunk_state {
    CHUNK_KEPT,
    CHUNK_EMPTIED,  /* no row of it lives; views may see some that did */
    CHUNK_DOOMED,   /* nobody sees any; what leads to it is being taken away */
    CHUNK_UNLINKED, /* nothing leads to it; somebody may be there still */
};

struct chunk {
    _Atomic(unsigned char *) arrays;     /* pages: the groups, and what stands apart; NULL: no chunk has this number */
    _Atomic uint32_t         row_count;  /* published (T1); 0 again when UNLINKED (T5) */
    uint32_t                 dead_count; /* rows with an end, or never born; the writer's, as what follows */
    uint32_t                 older;      /* the chunk that was filled before this one; CHUNK_NONE */
    enum chunk_state         state;
    bool                     is_large; /* consists of 2 MiB pages, where there are such */
    uint64_t                 identity; /* from 1, no other chunk of the table ever has it; set before T1 */
    uint64_t                 born;     /* no view of an earlier moment sees a row of it */
    uint64_t                 emptied;  /* nor does one of this moment or a later one, once EMPTIED */
    uint64_t                 epoch;    /* in which it became UNLINKED */
    struct text_arena        texts;    /* of TEXT_OWN columns */
};

/* An array of a group, or of a chunk. */
struct table_array {
    uint32_t offset; /* bytes into it */
    uint32_t width;  /* bytes a row */
};

/* What a column's cell is. Numbers are called what their values are, so that one comparison tells that they fit. */
enum cell_kind {
    CELL_INTEGER = KNACKDB_INTEGER,
    CELL_REAL = KNACKDB_REAL,
    CELL_CODE = KNACKDB_TEXT + 1, /* of its dictionary */
    CELL_TEXT,                    /* text_cell */
    CELL_SPARSE,                  /* the same, behind the groups */
};

#define TABLE_ARRAYS_MAX (KNACKDB_COLUMNS_MAX + 1)
#define TABLE_APART_MAX  (KNACKDB_COLUMNS_MAX + 2 + SCHEMA_KEYS_MAX)
/* A bit for each page of all that may stand apart. */
#define TABLE_PAGE_BYTES_MIN 4096u
#define TABLE_TOUCHED_BYTES  (TABLE_APART_MAX * (CHUNK_ROWS * sizeof(uint64_t) / TABLE_PAGE_BYTES_MIN / 8))

struct table_data {
    const struct table *definition;
    struct epochs      *epochs;

    /* Byte offsets of the arrays within a group, and its whole size; of others within a chunk, behind its groups. */
    size_t   offsets[KNACKDB_COLUMNS_MAX];
    size_t   births_offset;
    size_t   group_bytes;
    size_t   settled_offset, touched_offset, ends_offset, links_offset[SCHEMA_KEYS_MAX], exact_offset;
    size_t   chunk_bytes;
    size_t   large_bytes;                /* of a chunk, from its beginning, that may consist of 2 MiB pages */
    size_t   row_bytes;                  /* touched for each row */
    uint32_t page_bits;                  /* a page holds 1 << page_bits bytes */
    uint8_t  kinds[KNACKDB_COLUMNS_MAX]; /* enum cell_kind; what `definition` says of the column, close together */
    uint32_t coded[KNACKDB_COLUMNS_MAX]; /* the columns of CELL_CODE */
    uint32_t coded_count;
    struct table_array arrays[TABLE_ARRAYS_MAX]; /* of a group: columns, in their order, then births */
    uint32_t           array_count;
    struct table_array chunk_arrays[TABLE_APART_MAX]; /* of a chunk: all that stands apart */
    uint32_t           chunk_array_count;
    bool               is_dirty; /* memory is not zero as it comes: rows that are added clear what is theirs of these */
    uint64_t           sparse;   /* the columns of CELL_SPARSE, as bits */
    uint64_t           rare;     /* of which `given` tells: these, and where lists carry cells what they do not carry */

    _Atomic(struct chunk *) groups[CHUNK_GROUPS]; /* CHUNKS_PER_GROUP each; set once */
    _Atomic uint32_t        chunk_end;            /* no chunk has a number as large */

    struct dictionary *dictionaries;          /* one a column; used where storage says so */
    struct id_map      ids;                   /* of key 0 */
    struct index       keys[SCHEMA_KEYS_MAX]; /* key 0: only ids that the map does not take */

    _Atomic uint64_t given; /* those of `rare` in which some row held something; the writer's (carried.h, C3) */

    unsigned char apart[CACHE_LINE_BYTES]; /* what readers need is in no line with what every store changes */

    uint64_t           chunk_count; /* chunks ever made; the writer's, as what follows */
    uint32_t           filling;     /* the chunk that rows are added to; CHUNK_NONE */
    uint32_t           filled;      /* rows in it */
    struct pages_ahead pages;       /* of its arrays */
    uint32_t           free_hint;   /* no lower number is free */
    uint64_t           rows_added;  /* ever */
    struct reclaim     reclaim;

    _Atomic int64_t  next_id;     /* past the largest ever used; the writer's, others may look (relaxed) */
    _Atomic uint64_t living;      /* rows alive at the newest commit */
    _Atomic uint64_t row_count;   /* rows there are, dead ones too */
    _Atomic uint64_t last_change; /* newest moment that touched the table */
    _Atomic uint64_t apart_bytes; /* of pages that are touched behind the groups */
    unsigned char    apart_too[CACHE_LINE_BYTES];
};

static inline bool
column_is_dictionary(const struct column *column)
{
    return column->type == KNACKDB_TEXT && column->storage == TEXT_DICTIONARY;
}

/* Where everything is, of a table that knows its definition and is zero otherwise. */
void table_layout_plan(struct table_data *table);

#endif
