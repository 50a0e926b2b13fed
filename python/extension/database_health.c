/* database_health.c - the store's status as Python numbers. What they mean stands in knackdb.h, under "health". */
#include "database.h"

#include "failure.h"

static int
put(PyObject *dict, const char *name, PyObject *value) /* steals value */
{
    int status = value != NULL ? PyDict_SetItemString(dict, name, value) : -1;

    Py_XDECREF(value);
    return status;
}

static int
put_count(PyObject *dict, const char *name, uint64_t count)
{
    return put(dict, name, PyLong_FromUnsignedLongLong(count));
}

static int
put_real(PyObject *dict, const char *name, double real)
{
    return put(dict, name, PyFloat_FromDouble(real));
}

static PyObject *
tables_of(const knackdb_stats *stats)
{
    PyObject *tables = PyDict_New();

    for (uint32_t i = 0; tables != NULL && i < stats->table_count; i++) {
        const knackdb_table_info *info = knackdb_table_describe((int) i);
        PyObject                 *table = PyDict_New();

        if (table == NULL || put_count(table, "rows", stats->tables[i].row_count) < 0 ||
            put_count(table, "versions", stats->tables[i].version_count) < 0 ||
            put_count(table, "memory_bytes", stats->tables[i].memory_bytes) < 0) {
            Py_XDECREF(table);
            Py_CLEAR(tables);
        } else if (put(tables, info->name, table) < 0)
            Py_CLEAR(tables);
    }
    return tables;
}

static PyObject *
operations_of(const knackdb_stats *stats)
{
    PyObject *operations = PyDict_New();

    for (int i = 0; operations != NULL && i < KNACKDB_OPERATION_COUNT; i++) {
        const knackdb_latency *latency = &stats->operations[i];
        PyObject              *one = PyDict_New();

        if (one == NULL || put_count(one, "count", latency->count) < 0 ||
            put_real(one, "p50_us", (double) latency->p50_ns / 1e3) < 0 ||
            put_real(one, "p99_us", (double) latency->p99_ns / 1e3) < 0 ||
            put_real(one, "p999_us", (double) latency->p999_ns / 1e3) < 0 ||
            put_real(one, "max_us", (double) latency->max_ns / 1e3) < 0) {
            Py_XDECREF(one);
            Py_CLEAR(operations);
        } else if (put(operations, knackdb_operation_text((knackdb_operation) i), one) < 0)
            Py_CLEAR(operations);
    }
    return operations;
}

static int
put_memory(PyObject *dict, const knackdb_stats *stats)
{
    bool failed = put_count(dict, "memory_bytes", stats->memory_bytes) < 0 ||
                  put_count(dict, "memory_column_bytes", stats->memory_column_bytes) < 0 ||
                  put_count(dict, "memory_text_bytes", stats->memory_text_bytes) < 0 ||
                  put_count(dict, "memory_index_bytes", stats->memory_index_bytes) < 0 ||
                  put_count(dict, "memory_cache_bytes", stats->memory_cache_bytes) < 0 ||
                  put_count(dict, "memory_other_bytes", stats->memory_other_bytes) < 0;

    return failed ? -1 : 0;
}

static int
put_log_and_snapshot(PyObject *dict, const knackdb_stats *stats)
{
    bool failed = put_count(dict, "sequence", stats->sequence) < 0 ||
                  put_count(dict, "durable_sequence", stats->durable_sequence) < 0 ||
                  put_count(dict, "log_bytes", stats->log_bytes) < 0 ||
                  put_count(dict, "log_unsynced_bytes", stats->log_unsynced_bytes) < 0 ||
                  put_count(dict, "reader_count", stats->reader_count) < 0 ||
                  put_count(dict, "oldest_reader_sequence", stats->oldest_reader_sequence) < 0 ||
                  put_count(dict, "snapshot_count", stats->snapshot_count) < 0 ||
                  put_count(dict, "snapshot_sequence", stats->snapshot_sequence) < 0 ||
                  put_real(dict, "snapshot_at", stats->snapshot_at) < 0 ||
                  put_real(dict, "snapshot_seconds", stats->snapshot_seconds) < 0 ||
                  put_count(dict, "snapshot_bytes", stats->snapshot_bytes) < 0 ||
                  put(dict, "snapshot_status", PyUnicode_FromString(knackdb_status_text(stats->snapshot_status))) < 0 ||
                  put_count(dict, "recovered_commits", stats->recovered_commits) < 0 ||
                  put_count(dict, "torn_bytes", stats->torn_bytes) < 0 ||
                  put_real(dict, "open_seconds", stats->open_seconds) < 0 ||
                  put_real(dict, "opened_at", stats->opened_at) < 0 ||
                  put_count(dict, "refresh_count", stats->refresh_count) < 0 ||
                  put_count(dict, "reload_count", stats->reload_count) < 0 ||
                  put_real(dict, "refreshed_at", stats->refreshed_at) < 0;

    return failed ? -1 : 0;
}

static int
put_caches(PyObject *dict, const database *self, const knackdb_stats *stats)
{
    bool failed = put_count(dict, "cache_hits", stats->cache_hits) < 0 ||
                  put_count(dict, "cache_misses", stats->cache_misses) < 0 ||
                  put_count(dict, "cache_entries", stats->cache_entries) < 0 ||
                  put_count(dict, "answer_hits", self->answers.hits) < 0 ||
                  put_count(dict, "answer_misses", self->answers.misses) < 0 ||
                  put_count(dict, "answer_entries", self->answers.count) < 0 ||
                  put_count(dict, "answer_bytes", self->answers.bytes) < 0 ||
                  put_count(dict, "patterns_stored", self->patterns_stored) < 0 ||
                  put_count(dict, "slow_operation_count", stats->slow_operation_count) < 0;

    return failed ? -1 : 0;
}

PyDoc_STRVAR(stats_doc, "_stats(): the store's status as a dict, or knackdb.Error.");

static PyObject *
database_stats(PyObject *object, PyObject *ignored)
{
    static const char *const states[] = { "ok", "degraded", "failed" };
    database                *self = (database *) object;
    knackdb                 *store = database_store(self);
    knackdb_stats            stats = { .struct_size = sizeof stats };
    knackdb_status           status;
    knackdb_error            error;
    PyObject                *dict;

    (void) ignored;
    if (store == NULL)
        return NULL;
    status = knackdb_get_stats(store, &stats, &error);
    if (status != KNACKDB_OK)
        return failure_raise(status, error.message);
    dict = PyDict_New();
    if (dict == NULL || put(dict, "state", PyUnicode_FromString(states[stats.state])) < 0 ||
        put(dict, "reason", PyUnicode_DecodeUTF8(stats.reason, (Py_ssize_t) strlen(stats.reason), "replace")) < 0 ||
        put_count(dict, "schema_version", stats.schema_version) < 0 || put(dict, "tables", tables_of(&stats)) < 0 ||
        put_memory(dict, &stats) < 0 || put(dict, "operations", operations_of(&stats)) < 0 ||
        put_caches(dict, self, &stats) < 0 || put_log_and_snapshot(dict, &stats) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(slow_doc, "_slow_operations(): the last slow ones, newest first: (operation, at, seconds, what).");

static PyObject *
database_slow(PyObject *object, PyObject *ignored)
{
    knackdb_slow_operation *slow;
    knackdb                *store = database_store((database *) object);
    PyObject               *list = NULL;
    size_t                  count;
    knackdb_status          status;
    knackdb_error           error;

    (void) ignored;
    if (store == NULL)
        return NULL;
    slow = PyMem_New(knackdb_slow_operation, KNACKDB_SLOW_OPERATIONS_KEPT);
    if (slow == NULL)
        return PyErr_NoMemory();
    status = knackdb_slow_operations(store, slow, KNACKDB_SLOW_OPERATIONS_KEPT, &count, &error);
    if (status != KNACKDB_OK)
        (void) failure_raise(status, error.message);
    else
        list = PyList_New((Py_ssize_t) count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *one = Py_BuildValue("(sdds)", knackdb_operation_text(slow[i].operation), slow[i].at,
                                      (double) slow[i].duration_ns / 1e9, slow[i].what);

        if (one == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, one);
    }
    PyMem_Free(slow);
    return list;
}

PyMethodDef database_health_methods[] = {
    { "_stats", database_stats, METH_NOARGS, stats_doc },
    { "_slow_operations", database_slow, METH_NOARGS, slow_doc },
    { NULL, NULL, 0, NULL },
};
