/* write.h - a change to the store, made ready with the GIL and carried out with or without it. */
#ifndef PYTHON_WRITE_H
#define PYTHON_WRITE_H

#include "arena.h"
#include "database.h"

enum write_kind { WRITE_PATTERNS, WRITE_METRICS, WRITE_PREFERENCE, WRITE_WEIGHT, WRITE_USE, WRITE_DELETE };

/* Never moved: its rows point into its arena. */
struct write {
    struct arena       arena;
    enum write_kind    kind;
    size_t             count;
    knackdb_pattern   *patterns;
    knackdb_metric    *metrics;
    knackdb_preference preference;
    knackdb_text       id; /* of the pattern that WEIGHT, USE and DELETE are about */
    double             weight;
    PyObject          *named;       /* list of the objects that were given an id, or NULL */
    knackdb_pattern    one_pattern; /* room for the common case */
    knackdb_metric     one_metric;
};

void write_init(struct write *write, enum write_kind kind);
void write_clear(struct write *write);

/* Make a write ready; -1 with an exception. */
int write_take_patterns(struct write *write, database *self, PyObject *const *objects, Py_ssize_t count);
int write_take_metrics(struct write *write, PyObject *const *objects, Py_ssize_t count);

/* Carries it out. Pure C: no GIL is needed, and none is taken. */
knackdb_status write_run(const struct write *write, knackdb *store, knackdb_error *error);

/* Counts what was stored, after a write that succeeded. */
void write_count(const struct write *write, database *self);

/* Takes back the ids that were given to objects, after a write that failed. */
void write_take_ids_back(struct write *write);

#endif
