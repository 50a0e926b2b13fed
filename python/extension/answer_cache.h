/* answer_cache.h - the last answers to questions that may come again, as long as the store has not changed. */
#ifndef PYTHON_ANSWER_CACHE_H
#define PYTHON_ANSWER_CACHE_H

#include "answer.h"
#include "filter.h"

#define ANSWER_CACHE_BUCKETS 256

struct cached_answer;

struct answer_cache {
    struct cached_answer *buckets[ANSWER_CACHE_BUCKETS];
    struct cached_answer *newest, *oldest; /* by use */
    size_t                count, bytes, bytes_max;
    uint64_t              hits, misses;
};

void answer_cache_init(struct answer_cache *cache, size_t bytes_max);
void answer_cache_clear(struct answer_cache *cache);

/* The answer to a filter that was right at this commit, shared with the caller; NULL where there is none. */
struct answer *answer_cache_find(struct answer_cache *cache, const struct filter *filter, uint64_t sequence);

/* Keeps an answer; an empty one is NULL. Where memory is short it does not, and says nothing. */
void answer_cache_keep(struct answer_cache *cache, const struct filter *filter, uint64_t sequence,
                       struct answer *answer);

/* An answer without rows, shared; so that NULL can stand for "not known". */
struct answer *answer_empty(void);

#endif
