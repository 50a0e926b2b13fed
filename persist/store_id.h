/* store_id.h - the number that all files of one store carry, and no files of another. */
#ifndef KNACKDB_PERSIST_STORE_ID_H
#define KNACKDB_PERSIST_STORE_ID_H

#include <stdint.h>

uint64_t store_id_new(void);

#endif
