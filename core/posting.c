/* posting.c - the writer's side of posting.h. */
#include "core/posting.h"

#include "base/error.h"

#include <string.h>

knackdb_status
posting_reserve(struct posting *posting, struct epochs *epochs, _Atomic uint64_t *bytes, knackdb_error *error)
{
    uint32_t             count = atomic_load_explicit(&posting->count, memory_order_relaxed);
    struct posting_rows *old = atomic_load_explicit(&posting->rows, memory_order_relaxed);
    struct posting_rows *grown;
    uint32_t             capacity;

    if (count == 0 || (old != NULL && count < old->capacity))
        return KNACKDB_OK;
    capacity = old == NULL ? 4 : old->capacity * 2;
    grown = epoch_get(epochs, sizeof *grown + capacity * sizeof grown->rows[0]);
    if (grown == NULL)
        return error_no_memory(error, "a posting list");
    grown->capacity = capacity;
    if (old != NULL)
        memcpy(grown->rows, old->rows, count * sizeof grown->rows[0]);
    else
        grown->rows[0] = posting->first;
    atomic_store(&posting->rows, grown); /* P2 */
    atomic_fetch_add_explicit(bytes, (capacity - (old != NULL ? old->capacity : 0)) * sizeof grown->rows[0],
                              memory_order_relaxed);
    epoch_retire(epochs, old);
    return KNACKDB_OK;
}

void
posting_add(struct posting *posting, uint32_t row)
{
    uint32_t             count = atomic_load_explicit(&posting->count, memory_order_relaxed);
    struct posting_rows *rows = atomic_load_explicit(&posting->rows, memory_order_relaxed);

    if (count == 0)
        posting->first = row;
    if (rows != NULL)
        rows->rows[count] = row;
    atomic_store_explicit(&posting->count, count + 1, memory_order_release); /* P1 */
}

void
posting_clear(struct posting *posting, struct epochs *epochs)
{
    epoch_put_now(epochs, atomic_load(&posting->rows));
    atomic_store(&posting->rows, NULL);
    atomic_store(&posting->count, 0);
}
