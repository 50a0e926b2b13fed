/* snapshot_plan.h - which rows of a table are to be written, and which parts of the last snapshot do as they are.
 *
 * Pure: a decision over numbers. */
#ifndef KNACKDB_PERSIST_SNAPSHOT_PLAN_H
#define KNACKDB_PERSIST_SNAPSHOT_PLAN_H

#include "core/store.h"

struct cover;

/* A run of rows in memory: what a part holds, or what none holds yet. In the order of their rows. */
struct plan_item {
    row_number    first;
    row_number    end;         /* past the last */
    uint32_t      row_count;   /* that live */
    uint32_t      ended_count; /* other rows of the part; 0 without one */
    struct cover *cover;       /* NULL: no part holds these rows */
    bool          is_written;  /* they go into a new part, and the old one goes */
};

/* Sets is_written. */
void plan_snapshot(struct plan_item *items, size_t count);

#endif
