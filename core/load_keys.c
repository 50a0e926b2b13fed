/* load_keys.c - the keys of a run of rows, put into their indexes; see load_run.h.
 *
 * Ids come mostly one after the other, and then a word of id_map.h takes up to 4,096 of them at once. The other keys'
 * hashes are made before the lock is taken, so that what happens under it is searching an index that was asked for
 * ahead. Nothing may be there yet: a key that is belongs to another stored row. */
#include "core/load_run_state.h"

#include "base/error.h"

#define AHEAD 16u /* searches asked for before they are made */

static knackdb_status
refuse_key(const struct load_run *run, uint32_t key_index, uint32_t i, knackdb_error *error)
{
    const struct table *definition = run->data->definition;

    return error_set(error, KNACKDB_CORRUPT, "%s: stored row %lld has the %s of another", definition->name,
                     (long long) run->ids[i], definition->columns[definition->keys[key_index].columns[0]].name);
}

/* ---- ids ---- */

static knackdb_status
add_id(struct load_run *run, uint32_t i, knackdb_error *error)
{
    struct table_data *data = run->data;
    struct epochs     *epochs = &run->store->epochs;
    knackdb_value      id = knackdb_value_integer(run->ids[i]);
    row_number         row = run->first + i;
    struct key_search  search;
    knackdb_status     status;

    (void) key_search_init(&search, data, 0, &id);
    if (table_key_head(data, 0, &search) != ROW_NONE)
        return refuse_key(run, 0, i, error);
    if (id_map_takes(run->ids[i], data->rows_added)) {
        if (!id_map_reserve(&data->ids, epochs, run->ids[i], row))
            return error_no_memory(error, "an index of ids");
        id_map_set(&data->ids, run->ids[i], row);
        return KNACKDB_OK;
    }
    status = index_reserve(&data->keys[0], epochs, 1, error);
    if (status == KNACKDB_OK)
        index_insert(&data->keys[0], search.hash, row);
    return status;
}

/* How many rows from i on have ids that follow each other in one segment of the map. Compared without a sign, so that
 * nothing follows INT64_MAX. */
static uint32_t
count_following(const struct load_run *run, uint32_t i)
{
    uint32_t count = 1;

    while (i + count < run->kept && (uint64_t) run->ids[i + count] == (uint64_t) run->ids[i] + count &&
           ((uint64_t) run->ids[i + count] & (ID_MAP_SEGMENT_IDS - 1)) != 0)
        count++;
    return count;
}

/* The caller holds the writers' lock. */
static knackdb_status
add_ids(struct load_run *run, knackdb_error *error)
{
    struct table_data *data = run->data;
    int64_t            largest = 0;
    uint32_t           count;

    for (uint32_t i = 0; i < run->kept; i += count) {
        bool           is_run;
        knackdb_status status = KNACKDB_OK;

        count = count_following(run, i);
        if (run->ids[i + count - 1] > largest)
            largest = run->ids[i + count - 1];
        /* Where the index has ids, one of these may be among them. */
        is_run = data->keys[0].count == 0 && id_map_takes(run->ids[i + count - 1], data->rows_added) &&
                 id_map_add_run(&data->ids, &run->store->epochs, run->ids[i], run->first + i, count);
        for (uint32_t k = 0; !is_run && k < count && status == KNACKDB_OK; k++)
            status = add_id(run, i + k, error);
        if (status != KNACKDB_OK)
            return status;
    }
    if (largest > 0)
        table_use_id(data, largest);
    return KNACKDB_OK;
}

/* ---- other keys ---- */

/* Can any row of the run hold it? */
static bool
is_given(const struct load_run *run, const struct key *key)
{
    for (uint32_t i = 0; i < key->column_count; i++)
        if ((run->given >> key->columns[i] & 1) == 0)
            return false;
    return true;
}

/* The rows that hold the key, and its hashes, into `sources` and `hashes`. */
static uint32_t
find_holders(struct load_run *run, uint32_t key_index)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < run->kept; i++) {
        struct key_search search;

        if (!key_search_init_stored(&search, run->data, key_index, run->first + i))
            continue;
        run->sources[count] = i;
        run->hashes[count++] = search.hash;
    }
    return count;
}

/* The caller holds the writers' lock. */
static knackdb_status
add_hashed(struct load_run *run, uint32_t key_index, uint32_t count, knackdb_error *error)
{
    struct index  *index = &run->data->keys[key_index];
    knackdb_status status = index_reserve(index, &run->store->epochs, count, error);

    for (uint32_t n = 0; n < count && status == KNACKDB_OK; n++) {
        row_number         row = run->first + run->sources[n];
        struct index_probe probe;
        uint32_t           other;

        if (n + AHEAD < count)
            index_prefetch(index, run->hashes[n + AHEAD]);
        index_probe_init(&probe, index, run->hashes[n]);
        while (index_probe_next(&probe, &other))
            if (table_rows_share_key(run->data, key_index, row, other))
                return refuse_key(run, key_index, run->sources[n], error);
        index_insert(index, run->hashes[n], row);
    }
    return status;
}

knackdb_status
load_keys_add(struct load_run *run, knackdb_error *error)
{
    const struct table *definition = run->data->definition;
    knackdb_status      status;

    lock_writer(run->store);
    status = add_ids(run, error);
    unlock_writer(run->store);
    for (uint32_t k = 1; k < definition->key_count && status == KNACKDB_OK; k++) {
        uint32_t count = is_given(run, &definition->keys[k]) ? find_holders(run, k) : 0;

        if (count == 0)
            continue;
        lock_writer(run->store);
        status = add_hashed(run, k, count, error);
        unlock_writer(run->store);
    }
    return status;
}
