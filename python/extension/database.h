/* database.h - what LearningDatabase is made of. */
#ifndef PYTHON_DATABASE_H
#define PYTHON_DATABASE_H

#include "answer_cache.h"
#include "messages.h"

#include <Python.h>

#include <stdbool.h>
#include <sys/types.h>

/* The GIL guards every field but those of `messages`. */
typedef struct database {
    PyObject_HEAD
    knackdb            *store;      /* NULL before _open() and after _close() */
    bool                is_closing; /* no call may begin */
    bool                is_strict;
    bool                waits_for_disk; /* every store does: it is done in a thread */
    unsigned            users;          /* calls that are in the store without the GIL */
    pid_t               opened_by;      /* or is being opened or closed by; 0 where it is closed */
    PyObject           *last_error;     /* str or NULL */
    struct answer_cache answers;
    struct messages     messages;
    uint64_t            rows;            /* about, and never too few: says whether a search may take long */
    uint64_t            patterns_stored; /* by this object */
    double              last_used;       /* newest time given to a preference */
    uint64_t            id_state;        /* of the ids it makes */
} database;

int database_init(PyObject *module);

/* The store, for a call that begins now; NULL with an exception where it is not open. */
knackdb *database_store(database *self);

/* Around C that may take more than a few microseconds: the store stays open until every such call is back. */
#define DATABASE_RELEASE_GIL_WHERE(self, may_take_long) \
    {                                                   \
        PyThreadState *released_ = NULL;                \
        if (may_take_long) {                            \
            (self)->users++;                            \
            released_ = PyEval_SaveThread();            \
        }
#define DATABASE_RELEASE_GIL(self) DATABASE_RELEASE_GIL_WHERE(self, true)
#define DATABASE_TAKE_GIL(self)          \
    if (released_ != NULL) {             \
        PyEval_RestoreThread(released_); \
        (self)->users--;                 \
    }                                    \
    }

/* A call failed and the exception is set. Notes and logs the reason; then, where the database is strict, an awaitable
 * that raises it, else one of `instead` (stolen; NULL where there was no memory for it). KeyboardInterrupt and its
 * kind pass through as NULL. */
PyObject *database_failed(database *self, PyObject *instead);

/* The same for calls that say False. */
PyObject *database_failed_bool(database *self);

/* There is no such row: an answer, not a fault. Notes it and answers False, also where the database is strict. */
PyObject *database_found_none(database *self, const char *message);

/* Notes the reason of the exception that is set, logs it, and makes it a knackdb.Error; it stays set. */
void database_note_failure(database *self);

/* Methods, by what they do; database.c joins them. */
extern PyMethodDef database_life_methods[];
extern PyMethodDef database_store_methods[];
extern PyMethodDef database_read_methods[];
extern PyMethodDef database_aggregate_methods[];
extern PyMethodDef database_health_methods[];

#define SEARCH_IS_QUICK_ROWS 4096 /* fewer rows than this are searched in microseconds, whatever is asked */

#endif
