/* sweep.h - removes the files of a directory that nothing needs any more. */
#ifndef KNACKDB_PERSIST_SWEEP_H
#define KNACKDB_PERSIST_SWEEP_H

#include "persist/log_past.h"
#include "persist/manifest.h"

/* Keeps the newest manifest and, behind it, as many as make `snapshots_kept`; removes older ones, parts that no kept
 * one names, log segments before the first that any of them needs (to `past`), and unfinished files. The writer's, and
 * only while no snapshot is being written. *ret_needed: the log after this commit is still needed, also where something
 * could not be removed; 0: all of it. When a kept manifest cannot be read nothing is removed, and the error says so. */
knackdb_status sweep(const struct log_past *past, const struct manifest *newest, uint32_t snapshots_kept,
                     uint64_t *ret_needed, knackdb_error *error);

#endif
