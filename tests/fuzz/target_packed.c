/* target_packed.c - a file that says it is a packed segment of the log's history. What it tells of is read from front
 * to back and at odd places: never more than the head says, and the same each time. */
#include "memory_file.h"
#include "persist/packed_file.h"
#include "base/bytes.h"
#include "target.h"

#include <string.h>

#define PIECE_BYTES ((size_t) 5000)
#define PIECES_MAX  64

static void
read_pieces(const struct file *file, uint64_t bytes)
{
    static unsigned char once[PIECE_BYTES];
    static unsigned char twice[PIECE_BYTES];

    for (uint64_t piece = 0; piece < PIECES_MAX && piece * PIECE_BYTES <= bytes; piece++) {
        size_t         read = 0;
        size_t         again = 0;
        knackdb_status status = file_read(file, piece * PIECE_BYTES, once, sizeof once, &read, NULL);

        CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT);
        CLAIM(read <= bytes - piece * PIECE_BYTES);
        CLAIM(file_read(file, piece * PIECE_BYTES, twice, sizeof twice, &again, NULL) == status);
        CLAIM(status != KNACKDB_OK || (again == read && memcmp(once, twice, read) == 0));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory_file memory;
    struct allocator          allocator;
    uint64_t                  store_id = size >= 48 ? bytes_get_u64(data + 32) : 0;
    uint64_t                  number = size >= 48 ? bytes_get_u64(data + 40) : 0;
    uint64_t                  bytes = 0;
    uint64_t                  fault = 0;
    knackdb_status            status;

    memory_file_init(&memory, "packed", data, size);
    allocator_init(&allocator, NULL);
    status = packed_file_take(&allocator, &memory.file, store_id, number, NULL);
    CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED);
    CLAIM(atomic_load(&allocator.bytes) <= 4 * size + 4096); /* counts are bounded by the bytes that are there */
    if (status == KNACKDB_OK) {
        CLAIM(file_size(&memory.file, &bytes, NULL) == KNACKDB_OK);
        status = packed_file_check(&memory.file, &fault, NULL);
        CLAIM((status == KNACKDB_OK || status == KNACKDB_CORRUPT) && fault <= size);
        read_pieces(&memory.file, bytes);
        packed_free(memory.file.packed);
        memory.file.packed = NULL;
    }
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
