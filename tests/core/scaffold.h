/* scaffold.h - what tests of the core stand on: an allocator that counts, and epochs or a store on it. Where one comes
 * down, everything must have been given back. */
#ifndef TESTS_CORE_SCAFFOLD_H
#define TESTS_CORE_SCAFFOLD_H

#include "core/epoch.h"
#include "core/store.h"

extern struct allocator allocator;
extern struct epochs    epochs;
extern struct store    *store;

void scaffold_epochs_up(void);
void scaffold_epochs_down(void);

/* With the tables that users have. */
void scaffold_store_up(void);
void scaffold_store_down(void);

/* Memory that never comes as zeros: of bytes that say different things wherever they are taken for something. */
#define SCAFFOLD_DIRTS 2
extern const knackdb_allocator scaffold_dirty_memory[SCAFFOLD_DIRTS];

#endif
