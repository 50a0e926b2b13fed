/* result_cache.h - answers to queries asked before, bounded in bytes, least recently used out first.
 *
 * An entry holds the rows a query found and the moment it was right at. Rows are only
 * added, each with the moment of its birth, so a stale entry is not
 * thrown away: find.c checks that its rows still live and looks at the rows born since.
 *
 * Once it is full, an answer is kept only if its question was asked before, not long ago: questions that come once
 * neither push out those that come again, nor cost more than a look at a byte.
 *
 * A mutex guards the whole; it is only ever tried, never waited for: a reader that finds
 * it taken runs its query instead. */
#ifndef KNACKDB_CORE_RESULT_CACHE_H
#define KNACKDB_CORE_RESULT_CACHE_H

#include "core/query.h"

#include <pthread.h>

#define RESULT_CACHE_KEY_BYTES_MAX 512
#define RESULT_CACHE_ROWS_MAX      1024
#define RESULT_CACHE_ASKED_BITS    12
#define RESULT_CACHE_BUCKETS       2048 /* about as many entries as a megabyte holds */

/* A query in normal form: equal bytes, equal question. */
struct result_key {
    uint64_t      hash;
    size_t        bytes;
    unsigned char data[RESULT_CACHE_KEY_BYTES_MAX];
};

/* False where the query is of no kind that is cached: without a limit or with a large one, by score, too long. */
bool result_key_init(struct result_key *key, const knackdb_query *checked);

struct cached_result {
    uint64_t moment;   /* it is right at */
    bool     complete; /* every row that matches is in it, not just the first */
};

struct result_entry;

struct result_cache {
    struct allocator    *allocator;
    pthread_mutex_t      mutex;
    _Atomic uint64_t     bytes_max; /* 0: no cache */
    struct result_entry *buckets[RESULT_CACHE_BUCKETS];
    struct result_entry *newest, *oldest;                     /* by last use */
    uint8_t              asked[1 << RESULT_CACHE_ASKED_BITS]; /* by hash, some other bits of it: what was not kept */
    _Atomic uint64_t     bytes, entries, hits, misses;
};

void result_cache_init(struct result_cache *cache, struct allocator *allocator, uint64_t bytes_max);
void result_cache_clear(struct result_cache *cache);

/* Copies an entry into `list` (empty) and `ret_cached`. False where there is none, or no time or memory for it. */
bool result_cache_get(struct result_cache *cache, const struct result_key *key, struct row_list *list,
                      struct cached_result *ret_cached);

/* Keeps an answer, unless a newer one to the same question is there. May do nothing. */
void result_cache_put(struct result_cache *cache, const struct result_key *key, const struct cached_result *cached,
                      const knackdb_row *rows, size_t count);

void result_cache_count(struct result_cache *cache, bool hit);

#endif
