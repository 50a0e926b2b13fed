/* handle.h - what stands behind a `knackdb` and a `knackdb_read`; for the files of api alone. */
#ifndef KNACKDB_API_HANDLE_H
#define KNACKDB_API_HANDLE_H

#include "api/operations.h"
#include "base/allocator.h"
#include "core/query.h"
#include "core/store.h"
#include "persist/keeper.h"

#include <sys/types.h>

struct knackdb {
    struct allocator   allocator; /* of everything but this struct itself */
    struct store      *store;
    struct keeper     *keeper; /* NULL: memory only */
    bool               is_read_only;
    knackdb_durability durability;
    uint32_t           file_mode; /* of a copy of what is in memory only; 0: the default */
    struct operations  operations;
    double             opened_at;
    double             open_seconds;

    /* A page that the kernel clears in a forked child, so that asking whether this is one costs a load. */
    _Atomic uint32_t *parent_mark; /* NULL: there is none; `opener` is asked instead */
    pid_t             opener;
};

#define PARENT_MARK 1u

/* What to do about stored bytes that failed a check. */
#define DAMAGE_ADVICE "; knackdb verify names each fault, knackdb repair saves what can be read"

/* KNACKDB_FORKED in a forked child. */
knackdb_status handle_check(const knackdb *db, knackdb_error *error);
/* The same, and KNACKDB_READ_ONLY. */
knackdb_status handle_check_writable(const knackdb *db, knackdb_error *error);

/* Waits until a commit is as safe as the store's durability promises. Sequence 0: nothing to wait for. */
knackdb_status handle_wait(knackdb *db, uint64_t sequence, knackdb_error *error);

#define READ_OWNED_INLINE 5

/* Memory that a read view gave out and frees when it ends. */
struct read_owned {
    void  *memory;
    size_t bytes;
};

struct read_owned_block {
    struct read_owned_block *next;
    size_t                   count;
    struct read_owned        items[30];
};

#define READ_ASKED_FIRST 16u  /* rows that are asked for before the first is read */
#define READ_ROOM_ROWS   16u  /* of an answer that lies in the view's slot */
#define READ_NOTE_BYTES  320u /* enough for where these stand in a list that carries cells */

/* The rows found last, and how far they were read, one after the other, and asked for. */
struct read_answer {
    const knackdb_row     *rows;
    size_t                 count;
    uint32_t               at, asked; /* of row numbers there are no more */
    int                    table;
    const struct carried  *carried; /* NULL: none; and so for the next */
    const struct led_rows *led;
    uint32_t               grouped; /* of the first so many rows it is known where their groups are */
    const unsigned char   *groups[READ_ASKED_FIRST];
};

/* Which columns of a table's rows are read, as bits: of the answer under way, and of the one before. It stays in the
 * slot, which a thread mostly claims again, so that the cells of an answer are asked for as soon as it is found. */
struct read_habit {
    uint64_t now, before;
    int      table;
};

/* The row of which a value was read last: its other values mostly come next. */
struct read_row {
    struct row_place place; /* its group is NULL: none */
    knackdb_row      row;
    int              table;
};

/* Lies in its view's slot (view_owner_memory), so that beginning one allocates nothing. */
struct knackdb_read {
    struct view              view;
    knackdb                 *db;
    size_t                   owned_count;
    struct read_owned        owned[READ_OWNED_INLINE];
    struct read_owned_block *more_owned;
    struct read_answer       answer;
    struct read_row          row;
    struct read_habit        habit;
    bool                     is_room_taken;
    /* Of the first answer that is as short as that; and for what is noted of its rows, or of more. */
    knackdb_row              room[READ_ROOM_ROWS];
    _Alignas(8) unsigned char note_room[READ_NOTE_BYTES];
};

/* Takes note of what was found, and asks for the cells that will be read first, as far as that is known. */
void read_answer_begin(knackdb_read *read, int table, const struct row_list *list);

/* The row as the struct of its table, its texts borrowed; one that this view did not give is nothing but NULL. Rows of
 * the answer are best read from its first to its last. */
void read_struct(knackdb_read *read, int table, knackdb_row row, void *ret_row);

/* Hands memory of the store's allocator over to the view. Frees it at once, and says NO_MEMORY, where it cannot be
 * kept. */
knackdb_status read_own(knackdb_read *read, void *memory, size_t bytes, knackdb_error *error);

#endif
