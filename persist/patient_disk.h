/* patient_disk.h - reads a disk around its bad sectors: for repair.
 *
 * Where a read fails, what can be read around the place is read, and the place itself comes back as bytes that nothing
 * of ours consists of. So a bad sector is damage like any other, which checksums find. */
#ifndef KNACKDB_PERSIST_PATIENT_DISK_H
#define KNACKDB_PERSIST_PATIENT_DISK_H

#include "persist/disk.h"

/* A disk to read by; nothing can be written through it. */
struct patient_disk {
    struct disk        face;
    const struct disk *inner;
};

void patient_disk_init(struct patient_disk *disk, const struct disk *inner);

#endif
