/* ends_seal.h - makes the checksums of a changed part of ends right again, so that what stands behind them is met. */
#ifndef TESTS_PERSIST_ENDS_SEAL_H
#define TESTS_PERSIST_ENDS_SEAL_H

#include "base/bytes.h"
#include "base/hash.h"
#include "persist/ends_format.h"
#include "persist/part_format.h"
#include "persist/store_id.h"

/* As long as a reader would take each entry to be, by what is said in front of it. */
static inline void
ends_seal(unsigned char *data, size_t bytes, uint64_t store_id, uint64_t number)
{
    size_t at = ENDS_HEAD_BYTES;

    bytes_put_u64(data + ENDS_HEAD_BYTES - 8, hash_bytes(data, ENDS_HEAD_BYTES - 8, 0));
    while (at + ENDS_ENTRY_HEAD_BYTES + 8 <= bytes) {
        uint32_t row_count = bytes_get_u32(data + at + 8);
        uint32_t ended_count = bytes_get_u32(data + at + 12);
        size_t   data_bytes = bytes_get_u32(data + at + 16) == 0 ? (size_t) ended_count * 2
                                                                 : (size_t) (row_count + 7) / 8;

        if (data_bytes > bytes - 8 - at - ENDS_ENTRY_HEAD_BYTES)
            break;
        bytes_put_u64(data + at + 24, hash_bytes(data + at, 24,
                                                 hash_bytes(data + at + ENDS_ENTRY_HEAD_BYTES, data_bytes,
                                                            store_id_seed(store_id, number))));
        at += (ENDS_ENTRY_HEAD_BYTES + data_bytes + 7) & ~(size_t) 7;
    }
    bytes_put_u64(data + bytes - 8, hash_bytes(data, bytes - 8, 0));
}

#endif
