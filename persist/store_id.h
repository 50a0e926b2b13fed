/* store_id.h - the number that all files of one store carry, and no files of another. */
#ifndef KNACKDB_PERSIST_STORE_ID_H
#define KNACKDB_PERSIST_STORE_ID_H

#include <stdint.h>

uint64_t store_id_new(void);

/* Seed of the checksums in the store's file of that number: what another file, store or life has written is taken for
 * nothing of this one's. */
static inline uint64_t
store_id_seed(uint64_t store_id, uint64_t number)
{
    return store_id + number * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
