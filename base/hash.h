/* hash.h - checksums on disk and hashes in memory, both XXH3 (docs/FORMAT.md names the variant on disk). */
#ifndef KNACKDB_BASE_HASH_H
#define KNACKDB_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 with a seed. Stored on disk: never change it. */
uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed);

/* Mixes an integer so that every output bit depends on every input bit: the
 * finaliser of SplitMix64 (Steele, Lea and Flood 2014). In memory only. */
static inline uint64_t
hash_integer(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
