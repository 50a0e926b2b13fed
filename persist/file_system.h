/* file_system.h - what a directory lies on. */
#ifndef KNACKDB_PERSIST_FILE_SYSTEM_H
#define KNACKDB_PERSIST_FILE_SYSTEM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* 1 where files of this open directory are known to be safe to write through a shared mapping, 0 where they are not
 * or nothing is known; a negative errno where it cannot be asked. */
int file_system_maps_well(int dir);

/* The same of the overlay of this device, as the lines of mountinfo (proc(5)) tell of its upper directory; 1 where they
 * do not, or it cannot be asked. *ret_again: it lies on an overlay itself, of *ret_device. */
int file_system_overlay_maps_well(FILE *mounts, dev_t device, bool *ret_again, dev_t *ret_device);

#endif
