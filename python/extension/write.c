/* write.c - see write.h. */
#include "write.h"

#include "object_row.h"
#include "pattern_id.h"
#include "record.h"

#include <stdio.h>

void
write_init(struct write *write, enum write_kind kind)
{
    arena_init(&write->arena);
    write->kind = kind;
    write->count = 0;
    write->patterns = NULL;
    write->metrics = NULL;
    write->named = NULL;
}

void
write_clear(struct write *write)
{
    arena_clear(&write->arena);
    Py_CLEAR(write->named);
}

/* SplitMix64 (Steele, Lea, Flood 2014), from a random start: 64 bits, so that no two meet in a store's life. */
static uint64_t
next_random(database *self)
{
    uint64_t z = self->id_state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int
give_id(struct write *write, database *self, PyObject *object, knackdb_text *ret_id)
{
    char      id[32];
    PyObject *string;
    int       status;

    snprintf(id, sizeof id, "pattern_%016llx", (unsigned long long) next_random(self));
    string = PyUnicode_FromString(id);
    if (string == NULL)
        return -1;
    if (write->named == NULL)
        write->named = PyList_New(0);
    status = write->named == NULL ? -1 : PyObject_SetAttr(object, pattern_layout.names[PATTERN_ID], string);
    if (status == 0)
        status = PyList_Append(write->named, object);
    if (status == 0)
        status = arena_text(&write->arena, string, ret_id);
    Py_DECREF(string);
    return status;
}

void
write_take_ids_back(struct write *write)
{
    PyObject *type, *exception, *traceback;

    if (write->named == NULL)
        return;
    PyErr_Fetch(&type, &exception, &traceback);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(write->named); i++)
        if (PyObject_SetAttr(PyList_GET_ITEM(write->named, i), pattern_layout.names[PATTERN_ID], Py_None) < 0)
            PyErr_Clear();
    PyErr_Restore(type, exception, traceback);
}

int
write_take_patterns(struct write *write, database *self, PyObject *const *objects, Py_ssize_t count)
{
    write->patterns = count == 1 ? &write->one_pattern
                                 : arena_items(&write->arena, (size_t) count, sizeof *write->patterns);
    if (write->patterns == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        knackdb_pattern *row = &write->patterns[i];

        if (object_row_pattern(&write->arena, objects[i], row) < 0)
            return -1;
        if (row->external_id.data == NULL && give_id(write, self, objects[i], &row->external_id) < 0)
            return -1;
        /* The object may have closed the store while it answered. */
        if (pattern_id_number(row->external_id) != 0 && self->store != NULL && !self->is_closing) {
            row->id = pattern_id_of_row(self->store, row->external_id);
            if (row->id != 0)
                row->external_id.data = NULL;
        }
    }
    write->count = (size_t) count;
    return 0;
}

int
write_take_metrics(struct write *write, PyObject *const *objects, Py_ssize_t count)
{
    write->metrics = count == 1 ? &write->one_metric
                                : arena_items(&write->arena, (size_t) count, sizeof *write->metrics);
    if (write->metrics == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++)
        if (object_row_metric(&write->arena, objects[i], &write->metrics[i]) < 0)
            return -1;
    write->count = (size_t) count;
    return 0;
}

static knackdb_status
delete_pattern(knackdb *store, knackdb_text external_id, knackdb_error *error)
{
    knackdb_read  *read;
    knackdb_row    row;
    int64_t        id = 0;
    knackdb_status status = knackdb_read_begin(store, &read, error);

    if (status != KNACKDB_OK)
        return status;
    status = knackdb_read_by_external_id(read, external_id, &row);
    if (status == KNACKDB_OK)
        id = knackdb_read_value(read, KNACKDB_EXECUTION_PATTERNS, row, KNACKDB_PATTERN_ID).as.integer;
    else if (status == KNACKDB_NOT_FOUND && error != NULL)
        snprintf(error->message, sizeof error->message, "execution_patterns: no row with id \"%.*s\"",
                 external_id.length < 80 ? (int) external_id.length : 80, external_id.data);
    knackdb_read_end(read);
    return status == KNACKDB_OK ? knackdb_delete(store, KNACKDB_EXECUTION_PATTERNS, id, error) : status;
}

static knackdb_status
run_by_number(const struct write *write, knackdb *store, int64_t id, knackdb_error *error)
{
    if (write->kind == WRITE_WEIGHT)
        return knackdb_pattern_set_weight(store, id, write->weight, error);
    if (write->kind == WRITE_USE)
        return knackdb_pattern_use(store, id, error);
    return knackdb_delete(store, KNACKDB_EXECUTION_PATTERNS, id, error);
}

static knackdb_status
run_by_id(const struct write *write, knackdb *store, knackdb_error *error)
{
    knackdb_status status;
    int64_t        number;

    if (write->kind == WRITE_WEIGHT)
        status = knackdb_pattern_set_weight_external(store, write->id, write->weight, error);
    else if (write->kind == WRITE_USE)
        status = knackdb_pattern_use_external(store, write->id, error);
    else
        status = delete_pattern(store, write->id, error);
    if (status != KNACKDB_NOT_FOUND)
        return status;
    number = pattern_id_of_row(store, write->id);
    return number != 0 ? run_by_number(write, store, number, error) : status;
}

knackdb_status
write_run(const struct write *write, knackdb *store, knackdb_error *error)
{
    switch (write->kind) {
    case WRITE_PATTERNS:
        return write->count == 1 ? knackdb_pattern_store(store, write->patterns, NULL, error)
                                 : knackdb_patterns_store(store, write->patterns, write->count, 0, NULL, error);
    case WRITE_METRICS:
        return write->count == 1 ? knackdb_metric_store(store, write->metrics, NULL, error)
                                 : knackdb_metrics_store(store, write->metrics, write->count, 0, NULL, error);
    case WRITE_PREFERENCE: return knackdb_preference_store(store, &write->preference, NULL, error);
    case WRITE_WEIGHT:
    case WRITE_USE:
    case WRITE_DELETE: break;
    }
    return run_by_id(write, store, error);
}

void
write_count(const struct write *write, database *self)
{
    if (write->kind == WRITE_PATTERNS)
        self->patterns_stored += write->count;
    if (write->kind == WRITE_PATTERNS || write->kind == WRITE_METRICS)
        self->rows += write->count;
}
