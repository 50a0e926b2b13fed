/* own_mounts.h - file systems of a test's own, which nobody else sees and which go with it. */
#ifndef TESTS_DURABILITY_OWN_MOUNTS_H
#define TESTS_DURABILITY_OWN_MOUNTS_H

#include <stdbool.h>

/* From now on the mounts of this process are nobody else's: as root, or as what looks like root from inside. False
 * where that is not permitted. Before any thread is started. */
bool own_mounts_begin(void);

#endif
