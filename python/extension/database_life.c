/* database_life.c - opening, closing, and what waits for the disk. These calls block, without the GIL: the package
 * runs them in a thread of the event loop's executor. */
#include "database.h"

#include "failure.h"
#include "ready.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static void
seed_ids(database *self)
{
    if (getentropy(&self->id_state, sizeof self->id_state) != 0)
        self->id_state = (uint64_t) (knackdb_now() * 1e6) ^ (uint64_t) getpid() << 40 ^ (uint64_t) (uintptr_t) self;
}

/* How many rows there are, and which preference was used last: what later calls go by. */
static knackdb_status
look_around(knackdb *store, database *self, knackdb_error *error)
{
    knackdb_stats       stats = { .struct_size = sizeof stats };
    knackdb_query       newest = { .table = KNACKDB_USER_PREFERENCES, .limit = 1, .order_count = 1 };
    knackdb_preference *preference = NULL;
    size_t              count = 0;
    knackdb_status      status = knackdb_get_stats(store, &stats, error);

    newest.order[0] = (knackdb_order) { KNACKDB_PREFERENCE_LAST_USED, true };
    if (status == KNACKDB_OK)
        status = knackdb_preferences_find(store, &newest, &preference, &count, error);
    if (status != KNACKDB_OK)
        return status;
    self->rows = stats.tables[KNACKDB_EXECUTION_PATTERNS].row_count +
                 stats.tables[KNACKDB_PERFORMANCE_METRICS].row_count;
    self->last_used =
        count > 0 && (preference->nulls & KNACKDB_BIT(KNACKDB_PREFERENCE_LAST_USED)) == 0 ? preference->last_used : 0;
    knackdb_free(preference);
    return KNACKDB_OK;
}

static void
pause_briefly(void)
{
    struct timespec pause = { 0, 100 * 1000 };

    Py_BEGIN_ALLOW_THREADS(void)
    nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
}

/* Until no other thread opens or closes it. In the child of a fork there is none. */
static void
wait_for_others(database *self)
{
    while (self->is_closing && self->opened_by == getpid())
        pause_briefly();
}

PyDoc_STRVAR(open_doc, "_open(path, options): opens the store; blocks. True, or knackdb.Error.");

/* -1 with an exception; *ret_path is bytes, the caller's. */
static int
read_options(PyObject *args, PyObject *keywords, PyObject **ret_path, knackdb_options *options)
{
    static char path_name[] = "path", durability_name[] = "durability", flags_name[] = "flags";
    static char flush_name[] = "flush_interval_ms", log_bytes_name[] = "snapshot_log_bytes";
    static char interval_name[] = "snapshot_interval_s", kept_name[] = "snapshots_kept";
    static char memory_name[] = "memory_bytes_max", cache_name[] = "cache_bytes_max", slow_name[] = "slow_operation_us";
    static char mode_name[] = "file_mode", sequence_name[] = "as_of_sequence", time_name[] = "as_of_time";
    static char history_name[] = "log_history_bytes", io_name[] = "log_io", segment_name[] = "log_segment_bytes_max";
    static char *names[] = {
        path_name,   durability_name, flags_name, flush_name, log_bytes_name, interval_name, kept_name,
        memory_name, cache_name,      slow_name,  mode_name,  sequence_name,  time_name,     history_name,
        io_name,     segment_name,    NULL
    };
    int                durability = 0, log_io = 0;
    unsigned long long log_bytes = 0, memory_bytes = 0, cache_bytes = 0, history_bytes = 0, segment_bytes = 0;
    long long          sequence = 0;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O&|iIIKIIKKIILdKiK:_open", names, PyUnicode_FSConverter, ret_path,
                                     &durability, &options->flags, &options->flush_interval_ms, &log_bytes,
                                     &options->snapshot_interval_s, &options->snapshots_kept, &memory_bytes,
                                     &cache_bytes, &options->slow_operation_us, &options->file_mode, &sequence,
                                     &options->as_of_time, &history_bytes, &log_io, &segment_bytes))
        return -1;
    options->durability = (knackdb_durability) durability;
    options->snapshot_log_bytes = log_bytes;
    options->memory_bytes_max = memory_bytes;
    options->cache_bytes_max = cache_bytes;
    options->as_of_sequence = sequence;
    options->log_history_bytes = history_bytes;
    options->log_io = (knackdb_log_io) log_io;
    options->log_segment_bytes_max = segment_bytes;
    return 0;
}

static knackdb_status
open_store(database *self, const char *path, const knackdb_options *options, knackdb_error *error)
{
    knackdb       *store = NULL;
    knackdb_status status;

    self->is_closing = true; /* neither open nor closed: nobody else may begin */
    self->opened_by = getpid();
    Py_BEGIN_ALLOW_THREADS
    status = knackdb_open(path, options, &store, error);
    if (status == KNACKDB_OK) {
        status = look_around(store, self, error);
        if (status != KNACKDB_OK)
            (void) knackdb_close(store, NULL);
    }
    Py_END_ALLOW_THREADS
    self->is_closing = false;
    if (status != KNACKDB_OK) {
        self->opened_by = 0;
        return status;
    }
    self->waits_for_disk = options->durability == KNACKDB_SYNC && strcmp(path, ":memory:") != 0;
    self->patterns_stored = 0;
    seed_ids(self);
    self->store = store;
    return KNACKDB_OK;
}

static PyObject *
database_open(PyObject *object, PyObject *args, PyObject *keywords)
{
    database       *self = (database *) object;
    knackdb_options options = knackdb_options_default();
    knackdb_error   error;
    knackdb_status  status = KNACKDB_OK;
    PyObject       *path = NULL;

    if (read_options(args, keywords, &path, &options) < 0)
        return NULL;
    options.log_message = messages_receive;
    options.log_context = &self->messages;
    wait_for_others(self);
    if (self->store == NULL) /* else it is open already, as asked */
        status = open_store(self, PyBytes_AS_STRING(path), &options, &error);
    Py_DECREF(path);
    messages_pass_on(&self->messages);
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(close_doc, "_close(): waits for the calls under way, syncs and closes; blocks. True, or knackdb.Error.");

static PyObject *
database_close(PyObject *object, PyObject *ignored)
{
    database      *self = (database *) object;
    knackdb       *store;
    knackdb_status status;
    knackdb_error  error;

    (void) ignored;
    wait_for_others(self);
    if (self->store == NULL)
        Py_RETURN_TRUE;
    self->is_closing = true;
    while (self->users > 0 && self->opened_by == getpid())
        pause_briefly();
    store = self->store;
    self->store = NULL;
    answer_cache_clear(&self->answers);
    Py_BEGIN_ALLOW_THREADS
    status = knackdb_close(store, &error);
    Py_END_ALLOW_THREADS
    self->is_closing = false;
    self->opened_by = 0;
    messages_pass_on(&self->messages);
    if (status != KNACKDB_OK && status != KNACKDB_FORKED)
        return failure_raise(status, error.message);
    Py_RETURN_TRUE;
}

static PyObject *
without_gil(database *self, knackdb_status (*call)(knackdb *, knackdb_error *))
{
    knackdb       *store = database_store(self);
    knackdb_status status;
    knackdb_error  error;

    if (store == NULL)
        return NULL;
    DATABASE_RELEASE_GIL(self)
    status = call(store, &error);
    DATABASE_TAKE_GIL(self)
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(sync_doc, "_sync(): blocks until all that was stored is on stable storage. True, or knackdb.Error.");

static PyObject *
database_sync(PyObject *self, PyObject *ignored)
{
    (void) ignored;
    return without_gil((database *) self, knackdb_sync);
}

PyDoc_STRVAR(snapshot_doc, "_snapshot(): blocks until a snapshot is on stable storage. True, or knackdb.Error.");

static PyObject *
database_snapshot(PyObject *self, PyObject *ignored)
{
    (void) ignored;
    return without_gil((database *) self, knackdb_snapshot);
}

PyDoc_STRVAR(refresh_doc, "_refresh(): applies what the writer that is followed has stored; blocks. The newest\n"
                          "commit, or knackdb.Error.");

static PyObject *
database_refresh(PyObject *object, PyObject *ignored)
{
    database      *self = (database *) object;
    knackdb       *store = database_store(self);
    knackdb_stats  stats = { .struct_size = sizeof stats };
    uint64_t       sequence = 0;
    knackdb_status status;
    knackdb_error  error;

    (void) ignored;
    if (store == NULL)
        return NULL;
    DATABASE_RELEASE_GIL(self)
    status = knackdb_refresh(store, &sequence, &error);
    if (status == KNACKDB_OK)
        status = knackdb_get_stats(store, &stats, &error);
    DATABASE_TAKE_GIL(self)
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    self->rows = stats.tables[KNACKDB_EXECUTION_PATTERNS].row_count +
                 stats.tables[KNACKDB_PERFORMANCE_METRICS].row_count;
    return PyLong_FromUnsignedLongLong(sequence);
}

PyDoc_STRVAR(backup_doc, "_backup(path): blocks until a checked copy is on stable storage. True, or knackdb.Error.");

static PyObject *
database_backup(PyObject *object, PyObject *given)
{
    database      *self = (database *) object;
    knackdb       *store;
    PyObject      *path = NULL;
    knackdb_status status;
    knackdb_error  error;

    if (!PyUnicode_FSConverter(given, &path))
        return NULL;
    store = database_store(self); /* now, not before: a path may be Python code, which may have closed it */
    if (store == NULL) {
        Py_DECREF(path);
        return NULL;
    }
    DATABASE_RELEASE_GIL(self)
    status = knackdb_backup(store, PyBytes_AS_STRING(path), &error);
    DATABASE_TAKE_GIL(self)
    Py_DECREF(path);
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(clean_up_doc, "_clean_up(seconds): deletes old patterns and metrics; blocks. How many, or knackdb.Error.");

static PyObject *
database_clean_up(PyObject *object, PyObject *seconds)
{
    database      *self = (database *) object;
    double         age = PyFloat_AsDouble(seconds);
    knackdb       *store = age == -1.0 && PyErr_Occurred() ? NULL : database_store(self); /* as in database_backup() */
    uint64_t       deleted = 0;
    knackdb_status status;
    knackdb_error  error;

    if (store == NULL)
        return NULL;
    DATABASE_RELEASE_GIL(self)
    status = knackdb_clean_up(store, age, &deleted, &error);
    DATABASE_TAKE_GIL(self)
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    return PyLong_FromUnsignedLongLong(deleted);
}

PyDoc_STRVAR(failed_doc, "_failed(exception): notes and logs why a call failed; raises it where strict.");

/* For the calls that are written in Python: so that all fail alike. */
static PyObject *
database_failed_in_python(PyObject *object, PyObject *exception)
{
    database *self = (database *) object;

    if (!PyExceptionInstance_Check(exception)) {
        PyErr_SetString(PyExc_TypeError, "_failed() takes an exception");
        return NULL;
    }
    PyErr_SetObject((PyObject *) Py_TYPE(exception), exception);
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return NULL;
    database_note_failure(self);
    if (self->is_strict)
        return NULL;
    PyErr_Clear();
    Py_RETURN_FALSE;
}

PyMethodDef database_life_methods[] = {
    { "_open", (PyCFunction) (void (*)(void)) database_open, METH_VARARGS | METH_KEYWORDS, open_doc },
    { "_close", database_close, METH_NOARGS, close_doc },
    { "_sync", database_sync, METH_NOARGS, sync_doc },
    { "_snapshot", database_snapshot, METH_NOARGS, snapshot_doc },
    { "_refresh", database_refresh, METH_NOARGS, refresh_doc },
    { "_backup", database_backup, METH_O, backup_doc },
    { "_clean_up", database_clean_up, METH_O, clean_up_doc },
    { "_failed", database_failed_in_python, METH_O, failed_doc },
    { NULL, NULL, 0, NULL },
};
