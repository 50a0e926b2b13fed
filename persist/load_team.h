/* load_team.h - independent jobs of loading a snapshot, done by as many threads as it pays to have.
 *
 * Who is free takes the next job. What is reported is what the first job that fails says, whoever did it: jobs
 * are taken in order, so when one has failed all before it have been taken, and are waited for. A thread that cannot be
 * had is done without, and so is one that gets no memory to work with, unless it is the caller's. */
#ifndef KNACKDB_PERSIST_LOAD_TEAM_H
#define KNACKDB_PERSIST_LOAD_TEAM_H

#include <knackdb.h>

struct load_team {
    size_t   job_count;
    uint64_t bytes; /* that there are to read in all: with little of them one is faster alone */
    void    *context;
    /* What a thread works with, NULL without memory; and its end. Both NULL: nothing. */
    void *(*tool_new)(void *context);
    void (*tool_free)(void *tool);
    knackdb_status (*run)(void *context, void *tool, size_t job, knackdb_error *error);
};

knackdb_status load_team_run(const struct load_team *team, knackdb_error *error);

#endif
