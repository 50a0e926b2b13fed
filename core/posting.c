/* posting.c - the writer's side of posting.h; the letters P1 and P2 refer to it. */
#include "core/posting.h"

#include "base/error.h"

#include <string.h>

#define CAPACITY_MIN 4u

static size_t
bytes_of(uint32_t capacity)
{
    return sizeof(struct posting_rows) + capacity * sizeof(uint32_t);
}

static struct posting_rows *
rows_new(struct epochs *epochs, uint32_t capacity)
{
    struct posting_rows *rows = epoch_get(epochs, bytes_of(capacity));

    if (rows != NULL) {
        rows->capacity = capacity;
        atomic_init(&rows->count, 0);
    }
    return rows;
}

static uint32_t
count_of(struct posting_rows *rows)
{
    return atomic_load_explicit(&rows->count, memory_order_relaxed);
}

static struct posting_rows *
rows_copy(struct epochs *epochs, struct posting_rows *old, uint32_t capacity)
{
    struct posting_rows *copy = rows_new(epochs, capacity);

    if (copy != NULL) {
        memcpy(copy->rows, old->rows, count_of(old) * sizeof old->rows[0]);
        atomic_store_explicit(&copy->count, count_of(old), memory_order_relaxed);
    }
    return copy;
}

/* Puts `rows` (NULL: none) where the list's array stands. */
static void
exchange(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, struct posting_rows *rows)
{
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);

    if (rows != NULL)
        atomic_fetch_add_explicit(bytes, bytes_of(rows->capacity), memory_order_relaxed);
    if (old != NULL)
        atomic_fetch_sub_explicit(bytes, bytes_of(old->capacity), memory_order_relaxed);
    atomic_store(&posting->rows, rows); /* P2 */
    epoch_retire(epochs, old);
}

knackdb_status
posting_reserve(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, knackdb_error *error)
{
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    uint32_t             only = atomic_load_explicit(&posting->single, memory_order_relaxed);
    struct posting_rows *grown;

    if (old != NULL ? count_of(old) < old->capacity : only == 0)
        return KNACKDB_OK;
    grown = old != NULL ? rows_copy(epochs, old, old->capacity * 2) : rows_new(epochs, CAPACITY_MIN);
    if (grown == NULL)
        return error_no_memory(error, "a posting list");
    if (old == NULL) {
        grown->rows[0] = only - 1;
        atomic_store_explicit(&grown->count, 1, memory_order_relaxed);
    }
    exchange(posting, epochs, bytes, grown);
    return KNACKDB_OK;
}

knackdb_status
posting_reserve_first(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, uint32_t count,
                      knackdb_error *error)
{
    struct posting_rows *rows;

    if (count <= 1)
        return KNACKDB_OK; /* stands in place */
    /* A little more than asked for: else the first row stored after this would copy the list. */
    rows = rows_new(epochs, count + count / 8 < CAPACITY_MIN ? CAPACITY_MIN : count + count / 8);
    if (rows == NULL)
        return error_no_memory(error, "a posting list");
    exchange(posting, epochs, bytes, rows);
    return KNACKDB_OK;
}

void
posting_add(struct posting *posting, uint32_t row)
{
    struct posting_rows *rows = atomic_load_explicit(&posting->rows, memory_order_relaxed);

    if (rows == NULL) {
        atomic_store_explicit(&posting->single, row + 1, memory_order_release); /* P1 */
        return;
    }
    rows->rows[count_of(rows)] = row;
    atomic_store_explicit(&rows->count, count_of(rows) + 1, memory_order_release); /* P1 */
}

void
posting_drop(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    atomic_store(&posting->single, 0); /* P2 */
    if (atomic_load_explicit(&posting->rows, memory_order_relaxed) != NULL)
        exchange(posting, epochs, bytes, NULL);
}

void
posting_clear(struct posting *posting, struct epochs *epochs)
{
    epoch_put_now(epochs, atomic_load(&posting->rows));
    atomic_store(&posting->rows, NULL);
    atomic_store(&posting->single, 0);
}

/* ---- compacting ---- */

void
posting_compaction_clear(struct posting_compaction *compaction, struct epochs *epochs)
{
    epoch_put_now(epochs, compaction->kept);
    memset(compaction, 0, sizeof *compaction);
}

static bool
keep(struct posting_compaction *compaction, struct epochs *epochs, uint32_t row)
{
    struct posting_rows *kept = compaction->kept;

    if (kept == NULL || count_of(kept) == kept->capacity) {
        struct posting_rows *larger = kept != NULL ? rows_copy(epochs, kept, kept->capacity * 2)
                                                   : rows_new(epochs, CAPACITY_MIN);

        if (larger == NULL)
            return false;
        epoch_put_now(epochs, kept); /* nobody has seen it */
        compaction->kept = kept = larger;
    }
    kept->rows[count_of(kept)] = row;
    atomic_store_explicit(&kept->count, count_of(kept) + 1, memory_order_relaxed);
    return true;
}

static void
finish(struct posting_compaction *compaction, struct epochs *epochs, _Atomic uint64_t *bytes)
{
    struct posting      *posting = compaction->posting;
    struct posting_rows *kept = compaction->kept;

    if (kept != NULL && count_of(kept) > 1) {
        compaction->kept = NULL; /* the list's from here on */
        exchange(posting, epochs, bytes, kept);
    } else {
        atomic_store(&posting->single, kept != NULL ? kept->rows[0] + 1 : 0); /* P2 */
        exchange(posting, epochs, bytes, NULL);
    }
    posting_compaction_clear(compaction, epochs);
}

bool
posting_compact(struct posting_compaction *compaction, struct posting *posting, struct epochs *epochs,
                _Atomic uint64_t *bytes, bool (*is_doomed)(const void *context, uint32_t row), const void *context,
                int64_t *budget)
{
    struct posting_rows *rows = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    uint32_t             only = atomic_load_explicit(&posting->single, memory_order_relaxed);

    if (rows == NULL) {
        --*budget;
        if (only != 0 && is_doomed(context, only - 1))
            atomic_store(&posting->single, 0);
        return true;
    }
    compaction->posting = posting;
    while (compaction->at < count_of(rows)) {
        uint32_t row = rows->rows[compaction->at];

        if (*budget <= 0 || (!is_doomed(context, row) && !keep(compaction, epochs, row)))
            return false;
        compaction->at++;
        --*budget;
    }
    finish(compaction, epochs, bytes);
    return true;
}
