/* answer_cache.c - see answer_cache.h.
 *
 * The store caches row numbers; copying the rows out again is what a repeated question would still cost. So the copy
 * is kept, too, with the number of the commit it was made at. A question comes again while nothing was stored in
 * between: the copy is right, and new row objects are made of it. Any commit makes every copy stale; it is then
 * replaced when its question comes. Bounded by bytes; the one unused longest goes first. Guarded by the GIL. */
#include "answer_cache.h"

#define ENTRIES_MAX  512
#define ANSWER_SHARE 4 /* an answer larger than a quarter of the cache is not worth the others */

struct cached_answer {
    struct cached_answer *next_in_bucket, *newer, *older;
    struct answer        *answer;
    uint64_t              sequence;
    uint64_t              hash;
    size_t                key_words;
    uint64_t              key[];
};

static struct answer empty_answer = { 1, NULL, 0, sizeof(struct answer), true }; /* its own reference never goes */

struct answer *
answer_empty(void)
{
    return answer_share(&empty_answer);
}

void
answer_cache_init(struct answer_cache *cache, size_t bytes_max)
{
    memset(cache, 0, sizeof *cache);
    cache->bytes_max = bytes_max;
}

static uint64_t
hash_of(const struct filter *filter)
{
    uint64_t hash = filter->key_words;

    for (size_t i = 0; i < filter->key_words; i++) {
        hash = (hash ^ filter->key[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash ^ hash >> 32;
}

static size_t
entry_bytes(const struct cached_answer *entry)
{
    return sizeof *entry + entry->key_words * sizeof entry->key[0] + entry->answer->bytes;
}

static struct cached_answer **
place_of(struct answer_cache *cache, const struct filter *filter, uint64_t hash)
{
    struct cached_answer **place = &cache->buckets[hash % ANSWER_CACHE_BUCKETS];

    while (*place != NULL && ((*place)->hash != hash || (*place)->key_words != filter->key_words ||
                              memcmp((*place)->key, filter->key, filter->key_words * sizeof filter->key[0]) != 0))
        place = &(*place)->next_in_bucket;
    return place;
}

static void
unlink_use(struct answer_cache *cache, struct cached_answer *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void
link_newest(struct answer_cache *cache, struct cached_answer *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void
drop(struct answer_cache *cache, struct cached_answer *entry)
{
    struct cached_answer **place = &cache->buckets[entry->hash % ANSWER_CACHE_BUCKETS];

    while (*place != entry)
        place = &(*place)->next_in_bucket;
    *place = entry->next_in_bucket;
    unlink_use(cache, entry);
    cache->bytes -= entry_bytes(entry);
    cache->count--;
    answer_release(entry->answer);
    PyMem_Free(entry);
}

void
answer_cache_clear(struct answer_cache *cache)
{
    while (cache->oldest != NULL)
        drop(cache, cache->oldest);
}

struct answer *
answer_cache_find(struct answer_cache *cache, const struct filter *filter, uint64_t sequence)
{
    struct cached_answer *entry;

    entry = filter->key_words != 0 ? *place_of(cache, filter, hash_of(filter)) : NULL;
    if (entry == NULL || entry->sequence != sequence) {
        cache->misses++;
        return NULL;
    }
    cache->hits++;
    if (entry != cache->newest) {
        unlink_use(cache, entry);
        link_newest(cache, entry);
    }
    return answer_share(entry->answer);
}

void
answer_cache_keep(struct answer_cache *cache, const struct filter *filter, uint64_t sequence, struct answer *answer)
{
    size_t                 key_bytes = filter->key_words * sizeof filter->key[0];
    uint64_t               hash = hash_of(filter);
    struct cached_answer **place;
    struct cached_answer  *entry;

    if (filter->key_words == 0 || answer->bytes > cache->bytes_max / ANSWER_SHARE)
        return;
    place = place_of(cache, filter, hash);
    if (*place != NULL)
        drop(cache, *place);
    entry = PyMem_Malloc(sizeof *entry + key_bytes);
    if (entry == NULL)
        return;
    entry->answer = answer_share(answer);
    entry->sequence = sequence;
    entry->hash = hash;
    entry->key_words = filter->key_words;
    memcpy(entry->key, filter->key, key_bytes);
    entry->next_in_bucket = cache->buckets[hash % ANSWER_CACHE_BUCKETS];
    cache->buckets[hash % ANSWER_CACHE_BUCKETS] = entry;
    link_newest(cache, entry);
    cache->count++;
    cache->bytes += entry_bytes(entry);
    while (cache->bytes > cache->bytes_max || cache->count > ENTRIES_MAX)
        drop(cache, cache->oldest);
}
