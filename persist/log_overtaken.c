/* log_overtaken.c - see log_overtaken.h.
 *
 * Two things make the numbers of commits jump from one segment to the next, and neither is a fault.
 *
 * A writer whose disk had failed kept some commits in memory alone, until a snapshot and a new log took
 * them over (log_mending.c). They are in no log, ever.
 *
 * A reader beside a writer holds open the segments that were there when it began. Those
 * made later it opens when it comes to them, and by then a snapshot may have removed them.
 *
 * What a reader meets then looks like lost segments. The difference is the manifest: it covers
 * every commit that is missing. And where the reader's own segment ends in anything but
 * nothing, that is another matter, and no snapshot's doing. */
#include "persist/log_overtaken.h"

#include "persist/manifest_files.h"

knackdb_status
log_is_overtaken(struct log_reader *reader, struct allocator *allocator, const struct dir *dir, uint64_t *ret_next,
                 knackdb_error *error)
{
    struct manifest manifest;
    uint64_t        next = 0;
    bool            is_clean = false;
    knackdb_status  status;

    *ret_next = 0;
    status = log_reader_is_clean(reader, &is_clean, error);
    if (status == KNACKDB_OK && is_clean)
        status = log_reader_find_gap(reader, &next, error);
    if (status != KNACKDB_OK || !is_clean || next == 0)
        return status;
    manifest_init(&manifest, allocator);
    status = manifest_file_read_newest(&manifest, dir, error);
    if (status == KNACKDB_OK && manifest.sequence >= next - 1)
        *ret_next = next;
    manifest_clear(&manifest);
    return status;
}
