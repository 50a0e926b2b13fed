/* file_system.h - what a directory lies on. */
#ifndef KNACKDB_PERSIST_FILE_SYSTEM_H
#define KNACKDB_PERSIST_FILE_SYSTEM_H

/* 1 where files of this open directory are known to be safe to write through a shared mapping, 0 where they are not
 * or nothing is known; a negative errno where it cannot be asked. */
int file_system_maps_well(int dir);

#endif
