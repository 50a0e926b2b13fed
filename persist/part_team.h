/* part_team.h - the parts of a snapshot, loaded by as many threads as it pays to have.
 *
 * Parts depend on each other in nothing but where their rows go, and that is known before the first is read: how
 * many rows each has and how many of them have ended. So who is free takes the next part. What is reported is
 * what the first part that fails says, whoever loaded it: parts are taken in order, so when one has failed all before
 * it have been taken, and are waited for. A thread that cannot be had is done without. */
#ifndef KNACKDB_PERSIST_PART_TEAM_H
#define KNACKDB_PERSIST_PART_TEAM_H

#include "persist/part_load.h"

struct part_job {
    size_t            index; /* of the part in the manifest */
    struct part_place place;
};

struct part_team {
    struct allocator            *allocator;
    const struct schema_history *history;
    uint64_t                     store_id;
    struct store                *store;
    const struct part_job       *jobs;
    size_t                       job_count;
    uint64_t                     bytes; /* of all files: little is read faster alone */
    /* Does one of them; any thread. */
    knackdb_status (*run)(void *context, struct part_loader *loader, const struct part_job *job, knackdb_error *error);
    void *context;
};

knackdb_status part_team_run(const struct part_team *team, knackdb_error *error);

#endif
