/* checksum.h - is what was stored what it was? The one place where a checksum read from a file is compared.
 *
 * A fuzzer would spend its life guessing checksums, so the fuzz targets (tests/fuzz/) link a copy of this layer that is
 * compiled with KNACKDB_CHECKSUMS_IGNORED and takes every checksum for right: the decoders behind it must trust
 * nothing all the same. The function then has another name, by which tests/layers/ sees that no such copy is
 * in the library. */
#ifndef KNACKDB_PERSIST_CHECKSUM_H
#define KNACKDB_PERSIST_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef KNACKDB_CHECKSUMS_IGNORED
__attribute__((noinline, used)) static bool
checksum_is_ignored(uint64_t stored, uint64_t computed)
{
    (void) stored;
    (void) computed;
    return true;
}
#define checksum_matches checksum_is_ignored
#else
static inline bool
checksum_matches(uint64_t stored, uint64_t computed)
{
    return stored == computed;
}
#endif

#endif
