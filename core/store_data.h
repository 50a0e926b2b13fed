/* store_data.h - what a store is made of; for the files of core that implement store.h.
 *
 * S1  `moment` is stored (release) by the writer after every row and every end of that
 *     moment is in place; a view loads it (acquire). Nothing else tells a reader what is committed.
 * S2  Everything marked "writer" is touched only under `writer`, the mutex. Lock order:
 *     writer, then nothing of core's; the commit log may take locks of its own below it. */
#ifndef KNACKDB_CORE_STORE_DATA_H
#define KNACKDB_CORE_STORE_DATA_H

#include "core/commit.h"
#include "core/reclaimer.h"
#include "core/result_cache.h"
#include "core/store.h"
#include "core/table_keys.h"

#include <pthread.h>

/* A row whose end the transaction under way has stamped. */
struct ended_row {
    uint32_t   table;
    row_number row;
};

struct store {
    struct allocator    *allocator;
    const struct schema *schema;
    struct epochs        epochs;
    struct table_data    tables[KNACKDB_TABLES_MAX];
    struct result_cache  cache;
    struct reclaimer     reclaimer;
    _Atomic uint64_t     memory_limit; /* 0: none */

    /* Every view loads it: its line changes hands once a commit, and not whenever the lock is taken as well. */
    unsigned char    before_moment[CACHE_LINE_BYTES];
    _Atomic uint64_t moment; /* S1 */
    unsigned char    behind_moment[CACHE_LINE_BYTES];

    pthread_mutex_t      writer;    /* taken by lock_writer() */
    _Atomic bool         is_locked; /* a guess, for those who wait; nothing hangs on it */
    _Atomic uint32_t     waiting;   /* threads that found the lock taken; a hint to the reclaimer (relaxed) */
    struct commit_log   *log;       /* writer */
    struct commit_writer commit;    /* writer; the bytes of the transaction under way */
    struct ended_row    *ended;     /* writer */
    size_t               ended_count, ended_capacity;
    uint64_t             moved_at; /* writer; the moment of the rows moved last (reclaim.h) */
};

/* The lock of S2. Who finds it taken looks again for some microseconds before he sleeps: most who hold it are done by
 * then, and being woken would cost more than what it was taken for. */
void lock_writer(struct store *store);
void unlock_writer(struct store *store);

/* For who does not wait for it, but for a microsecond. */
bool lock_writer_soon(struct store *store);

/* May be another way at once. */
static inline bool
writer_is_locked(struct store *store)
{
    return atomic_load_explicit(&store->is_locked, memory_order_relaxed);
}

/* Whether somebody waits for the lock. Who holds it for work that has time ends that soon. */
static inline bool
writer_is_awaited(struct store *store)
{
    return atomic_load_explicit(&store->waiting, memory_order_relaxed) != 0;
}

/* One turn of a loop that waits for another processor. */
static inline void
pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One commit under way. Lives on the stack between transaction_begin() and _end(). */
struct transaction {
    struct store     *store;
    uint64_t          sequence; /* that it will have */
    uint64_t          moment;   /* of that commit */
    int64_t           time_us;
    bool              is_logged;
    struct table_mark marks[KNACKDB_TABLES_MAX];    /* to forget from, should it fail */
    int64_t           next_ids[KNACKDB_TABLES_MAX]; /* to go back to */
    int64_t           living[KNACKDB_TABLES_MAX];   /* change of the count of living rows */
    uint32_t          touched;                      /* tables, as bits */
};

/* Takes the writers' lock. */
void transaction_begin(struct transaction *transaction, struct store *store, bool is_logged);

/* Logs and publishes where `status` is KNACKDB_OK and something was done, takes everything back
 * otherwise; releases the lock. Returns the status, or the log's. ret_sequence may be NULL; 0 where nothing was
 * done. */
knackdb_status transaction_end(struct transaction *transaction, knackdb_status status, uint64_t *ret_sequence,
                               knackdb_error *error);

/* Steps of a transaction; each also writes what it did into the commit where is_logged. */
knackdb_status transaction_put(struct transaction *transaction, uint32_t table, const knackdb_value *values,
                               knackdb_error *error); /* every column; the id first and given; replaces that id */
knackdb_status transaction_update(struct transaction *transaction, uint32_t table, row_number row,
                                  const uint32_t *columns, const knackdb_value *values, size_t count,
                                  knackdb_error *error);
knackdb_status transaction_delete(struct transaction *transaction, uint32_t table, row_number row,
                                  knackdb_error *error);
knackdb_status transaction_clean_up(struct transaction *transaction, uint32_t table, double before,
                                    uint64_t *ret_deleted, knackdb_error *error);

/* The row alive in this transaction that a key value names; ROW_NONE. */
row_number transaction_find(struct transaction *transaction, uint32_t table, uint32_t key_index,
                            const struct key_search *search);
row_number transaction_find_id(struct transaction *transaction, uint32_t table, int64_t id);

#endif
