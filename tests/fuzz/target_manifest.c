/* target_manifest.c - a file that says it is a manifest. One that is accepted, written again, is accepted again and
 * says the same. */
#include "persist/manifest.h"
#include "target.h"

#include <string.h>

static void
write_again(struct allocator *allocator, const struct manifest *manifest)
{
    struct byte_buffer once;
    struct byte_buffer twice;
    struct manifest    read;
    size_t             offset;

    byte_buffer_init(&once, allocator);
    byte_buffer_init(&twice, allocator);
    manifest_init(&read, allocator);
    manifest_write(manifest, &once);
    CLAIM(!once.failed);
    CLAIM(manifest_read(&read, once.data, once.bytes, &offset, NULL) == KNACKDB_OK);
    manifest_write(&read, &twice);
    CLAIM(once.bytes == twice.bytes && memcmp(once.data, twice.data, once.bytes) == 0);
    manifest_clear(&read);
    byte_buffer_clear(&once);
    byte_buffer_clear(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allocator allocator;
    struct manifest  manifest;
    size_t           offset = 0;
    knackdb_status   status;

    allocator_init(&allocator, NULL);
    manifest_init(&manifest, &allocator);
    status = manifest_read(&manifest, data, size, &offset, NULL);
    CLAIM(status == KNACKDB_OK || status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED);
    CLAIM(offset <= size);
    CLAIM(atomic_load(&allocator.bytes) <= 4 * size); /* counts are bounded by the bytes that are there */
    if (status == KNACKDB_OK)
        write_again(&allocator, &manifest);
    manifest_clear(&manifest);
    CLAIM(atomic_load(&allocator.bytes) == 0);
    return 0;
}
