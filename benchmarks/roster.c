/* roster.c - a store is left out where its library was not there when this program was
 * built, or where its server is not there now. Both are said, in one line each. */
#include "roster.h"

#include <stdio.h>

static const struct place {
    const char           *name;
    const struct adapter *adapter; /**< NULL: not built in */
    const char           *why_not;
} places[] = {
    { "knackdb", &adapter_knackdb, NULL },
    { "bare", &adapter_bare, NULL },
#ifdef BENCHMARK_WITH_LMDB
    { "lmdb-nosync", &adapter_lmdb_nosync, NULL },
#else
    { "lmdb-nosync", NULL, "built without liblmdb" },
#endif
#ifdef BENCHMARK_WITH_ROCKSDB
    { "rocksdb", &adapter_rocksdb, NULL },
#else
    { "rocksdb", NULL, "built without librocksdb" },
#endif
#ifdef BENCHMARK_WITH_REDIS
    { "redis", &adapter_redis, NULL },
#else
    { "redis", NULL, "built without libhiredis" },
#endif
    { "sqlite", &adapter_sqlite, NULL },
    { "sqlite-off", &adapter_sqlite_off, NULL },
    { "sqlite-memory", &adapter_sqlite_memory, NULL },
#ifdef BENCHMARK_WITH_LMDB
    { "lmdb", &adapter_lmdb_sync, NULL },
#else
    { "lmdb", NULL, "built without liblmdb" },
#endif
    { "knackdb-sync", &adapter_knackdb_sync, NULL },
};
#define PLACE_COUNT (sizeof places / sizeof places[0])

static const struct adapter *
adapter_at(const struct place *place, const char **ret_why_not)
{
    *ret_why_not = place->why_not;
    if (place->adapter != NULL && place->adapter->missing != NULL)
        *ret_why_not = place->adapter->missing();
    return *ret_why_not == NULL ? place->adapter : NULL;
}

void
roster_all(struct roster *ret_roster)
{
    ret_roster->count = 0;
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        const char           *why_not;
        const struct adapter *adapter = adapter_at(&places[i], &why_not);

        if (adapter != NULL)
            ret_roster->adapters[ret_roster->count++] = adapter;
        else
            fprintf(stderr, "benchmark: %s is left out: %s\n", places[i].name, why_not);
    }
}

const struct adapter *
roster_named(const char *name, size_t length, const char **ret_why_not)
{
    *ret_why_not = "there is no such store";
    for (size_t i = 0; i < PLACE_COUNT; i++)
        if (strlen(places[i].name) == length && strncmp(places[i].name, name, length) == 0)
            return adapter_at(&places[i], ret_why_not);
    return NULL;
}
