/* result_cache.c - see result_cache.h. */
#include "core/result_cache.h"

#include "base/hash.h"

struct result_entry {
    struct result_entry *next_in_bucket;
    struct result_entry *newer, *older;
    struct cached_result cached;
    uint64_t             hash;
    size_t               bytes; /* of the whole entry */
    size_t               key_bytes;
    size_t               row_count;
    knackdb_row          rows[]; /* then the key */
};

static unsigned char *
entry_key(struct result_entry *entry)
{
    return (unsigned char *) (entry->rows + entry->row_count);
}

/* ---- keys ---- */

static bool
key_add(struct result_key *key, const void *data, size_t bytes)
{
    if (bytes > sizeof key->data - key->bytes)
        return false;
    if (bytes != 0)
        memcpy(key->data + key->bytes, data, bytes);
    key->bytes += bytes;
    return true;
}

static bool
key_add_value(struct result_key *key, const knackdb_value *value)
{
    unsigned char type = (unsigned char) value->type;

    if (!key_add(key, &type, sizeof type))
        return false;
    switch (value->type) {
    case KNACKDB_INTEGER: return key_add(key, &value->as.integer, sizeof value->as.integer);
    case KNACKDB_REAL: return key_add(key, &value->as.real, sizeof value->as.real);
    case KNACKDB_TEXT:
        return key_add(key, &value->as.text.length, sizeof value->as.text.length) &&
               key_add(key, value->as.text.data, value->as.text.length);
    default: return true;
    }
}

static bool
key_add_condition(struct result_key *key, const knackdb_condition *condition)
{
    unsigned char head[2] = { (unsigned char) condition->column, (unsigned char) condition->op };

    if (!key_add(key, head, sizeof head))
        return false;
    if (condition->op == KNACKDB_ONE_OF) {
        if (!key_add(key, &condition->value_count, sizeof condition->value_count))
            return false;
        for (size_t i = 0; i < condition->value_count; i++)
            if (!key_add_value(key, &condition->values[i]))
                return false;
        return true;
    }
    if (condition->op == KNACKDB_IS_NULL || condition->op == KNACKDB_IS_NOT_NULL)
        return true;
    return key_add_value(key, &condition->value);
}

bool
result_key_init(struct result_key *key, const knackdb_query *checked)
{
    uint64_t head[4] = { (uint64_t) checked->table, checked->limit, checked->offset, checked->order_count };

    if (checked->limit == 0 || checked->limit > RESULT_CACHE_ROWS_MAX || checked->offset > RESULT_CACHE_ROWS_MAX)
        return false;
    key->bytes = 0;
    (void) key_add(key, head, sizeof head);
    for (size_t i = 0; i < checked->order_count; i++) {
        int32_t order[2] = { checked->order[i].column, checked->order[i].descending };

        if (order[0] == KNACKDB_ORDER_BY_SCORE)
            return false; /* changes with the clock */
        (void) key_add(key, order, sizeof order);
    }
    for (size_t i = 0; i < checked->condition_count; i++)
        if (!key_add_condition(key, &checked->conditions[i]))
            return false;
    key->hash = hash_bytes(key->data, key->bytes, 0);
    return true;
}

/* ---- entries; all under the mutex ---- */

void
result_cache_init(struct result_cache *cache, struct allocator *allocator, uint64_t bytes_max)
{
    memset(cache, 0, sizeof *cache);
    cache->allocator = allocator;
    atomic_init(&cache->bytes_max, bytes_max);
    (void) pthread_mutex_init(&cache->mutex, NULL);
}

static struct result_entry **
bucket_place(struct result_cache *cache, const struct result_key *key)
{
    struct result_entry **place = &cache->buckets[key->hash % RESULT_CACHE_BUCKETS];

    while (*place != NULL && ((*place)->hash != key->hash || (*place)->key_bytes != key->bytes ||
                              memcmp(entry_key(*place), key->data, key->bytes) != 0))
        place = &(*place)->next_in_bucket;
    return place;
}

static void
unlink_from_uses(struct result_cache *cache, struct result_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void
link_as_newest(struct result_cache *cache, struct result_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void
drop(struct result_cache *cache, struct result_entry *entry)
{
    struct result_entry **place = &cache->buckets[entry->hash % RESULT_CACHE_BUCKETS];

    while (*place != entry)
        place = &(*place)->next_in_bucket;
    *place = entry->next_in_bucket;
    unlink_from_uses(cache, entry);
    atomic_fetch_sub_explicit(&cache->bytes, entry->bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
    allocator_put(cache->allocator, entry, entry->bytes);
}

void
result_cache_clear(struct result_cache *cache)
{
    while (cache->oldest != NULL)
        drop(cache, cache->oldest);
    (void) pthread_mutex_destroy(&cache->mutex);
}

bool
result_cache_get(struct result_cache *cache, const struct result_key *key, struct row_list *list,
                 struct cached_result *ret_cached)
{
    struct result_entry *entry;
    bool                 found = false;

    if (atomic_load_explicit(&cache->bytes_max, memory_order_relaxed) == 0 || pthread_mutex_trylock(&cache->mutex) != 0)
        return false;
    entry = *bucket_place(cache, key);
    if (entry != NULL) {
        found = row_list_reserve(list, entry->row_count, NULL) == KNACKDB_OK;
        if (found && entry->row_count != 0)
            memcpy(list->rows, entry->rows, entry->row_count * sizeof entry->rows[0]);
        list->count = entry->row_count;
        *ret_cached = entry->cached;
        if (entry->newer != NULL) {
            unlink_from_uses(cache, entry);
            link_as_newest(cache, entry);
        }
    }
    (void) pthread_mutex_unlock(&cache->mutex);
    if (!found)
        list->count = 0;
    return found;
}

/* Whether the question was asked before; it is from now on. */
static bool
was_asked(struct result_cache *cache, const struct result_key *key)
{
    uint8_t *asked = &cache->asked[key->hash >> (64 - RESULT_CACHE_ASKED_BITS)];
    uint8_t  mark = (uint8_t) (key->hash >> 32) | 1; /* 0: none */
    bool     was = *asked == mark;

    *asked = mark;
    return was;
}

static bool
is_full(const struct result_cache *cache, size_t bytes, uint64_t bytes_max)
{
    return atomic_load_explicit(&((struct result_cache *) (uintptr_t) cache)->bytes, memory_order_relaxed) + bytes >
           bytes_max;
}

void
result_cache_put(struct result_cache *cache, const struct result_key *key, const struct cached_result *cached,
                 const knackdb_row *rows, size_t count)
{
    uint64_t              bytes_max = atomic_load_explicit(&cache->bytes_max, memory_order_relaxed);
    size_t                bytes = sizeof(struct result_entry) + count * sizeof *rows + key->bytes;
    struct result_entry **place, *entry;

    if (bytes > bytes_max || pthread_mutex_trylock(&cache->mutex) != 0)
        return;
    place = bucket_place(cache, key);
    if (*place != NULL && (*place)->row_count == count && (*place)->cached.moment < cached->moment) {
        (*place)->cached = *cached; /* brought up to date, as most are */
        if (count != 0)
            memcpy((*place)->rows, rows, count * sizeof *rows);
    } else if (*place == NULL ? !is_full(cache, bytes, bytes_max) || was_asked(cache, key)
                              : (*place)->cached.moment < cached->moment) {
        if (*place != NULL)
            drop(cache, *place);
        while (cache->oldest != NULL && is_full(cache, bytes, bytes_max))
            drop(cache, cache->oldest);
        entry = allocator_get(cache->allocator, bytes);
        if (entry != NULL) {
            entry->cached = *cached;
            entry->hash = key->hash;
            entry->bytes = bytes;
            entry->key_bytes = key->bytes;
            entry->row_count = count;
            if (count != 0)
                memcpy(entry->rows, rows, count * sizeof *rows);
            memcpy(entry_key(entry), key->data, key->bytes);
            place = &cache->buckets[key->hash % RESULT_CACHE_BUCKETS];
            entry->next_in_bucket = *place;
            *place = entry;
            link_as_newest(cache, entry);
            atomic_fetch_add_explicit(&cache->bytes, bytes, memory_order_relaxed);
            atomic_fetch_add_explicit(&cache->entries, 1, memory_order_relaxed);
        }
    }
    (void) pthread_mutex_unlock(&cache->mutex);
}

void
result_cache_count(struct result_cache *cache, bool hit)
{
    atomic_fetch_add_explicit(hit ? &cache->hits : &cache->misses, 1, memory_order_relaxed);
}
