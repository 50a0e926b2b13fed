/* checks.c - see checks.h.
 *
 * Every byte is read, which takes as long as the disk does, so the GIL is not held. What is heard meanwhile is kept
 * in plain memory and becomes Python objects afterwards. Of a directory that is damaged all over the first thousand
 * findings are kept; the figures count them all. */
#include "checks.h"

#include "failure.h"

#include <knackdb.h>

#include <stdio.h>

#define FINDINGS_KEPT 1000

struct finding {
    knackdb_loss loss; /* its texts are those below; a fault has only a place and a reason */
    char         file[256];
    char         reason[320];
};

struct findings {
    struct finding *all;
    size_t          count, capacity;
};

/* Where memory is short a finding is not kept, and still counted by the report. */
static struct finding *
add(struct findings *findings, const char *file, const char *reason)
{
    struct finding *grown;

    if (findings->count == FINDINGS_KEPT)
        return NULL;
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity == 0 ? 8 : 2 * findings->capacity;

        grown = PyMem_RawRealloc(findings->all, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        findings->all = grown;
        findings->capacity = capacity;
    }
    grown = &findings->all[findings->count++];
    memset(&grown->loss, 0, sizeof grown->loss);
    (void) snprintf(grown->file, sizeof grown->file, "%s", file != NULL ? file : "");
    (void) snprintf(grown->reason, sizeof grown->reason, "%s", reason != NULL ? reason : "");
    return grown;
}

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    struct finding *finding = add(context, fault->file, fault->reason);

    if (finding != NULL)
        finding->loss.offset = fault->offset;
}

static void
hear_loss(void *context, const knackdb_loss *loss)
{
    struct finding *finding = add(context, loss->file, loss->reason);

    if (finding != NULL)
        finding->loss = *loss;
}

static PyObject *
fault_object(const struct finding *finding)
{
    char said[sizeof finding->file + sizeof finding->reason + 40];

    (void) snprintf(said, sizeof said, "%s: offset %llu: %s", finding->file, (unsigned long long) finding->loss.offset,
                    finding->reason);
    return PyUnicode_DecodeUTF8(said, (Py_ssize_t) strlen(said), "replace");
}

static PyObject *
text_object(const char *text)
{
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t) strlen(text), "replace");
}

static const char *
word_for(knackdb_loss_kind kind)
{
    switch (kind) {
    case KNACKDB_LOSS_MANIFEST: return "manifest";
    case KNACKDB_LOSS_ROWS: return "rows";
    case KNACKDB_LOSS_VALUES: return "values";
    case KNACKDB_LOSS_COMMITS: return "commits";
    case KNACKDB_LOSS_OPERATION: return "operation";
    case KNACKDB_LOSS_TORN: return "torn";
    case KNACKDB_LOSS_FRAME: return "frame";
    }
    return "other";
}

static PyObject *
loss_object(const struct finding *finding)
{
    const knackdb_loss       *loss = &finding->loss;
    const knackdb_table_info *table = knackdb_table_describe(loss->table);
    const char               *column = NULL;

    if (table != NULL && loss->column >= 0 && (size_t) loss->column < table->column_count)
        column = table->columns[loss->column].name;
    return Py_BuildValue("NNNKKKKNNKLL", text_object(word_for(loss->kind)), text_object(finding->file),
                         text_object(finding->reason), (unsigned long long) loss->offset,
                         (unsigned long long) loss->bytes, (unsigned long long) loss->first_sequence,
                         (unsigned long long) loss->last_sequence, text_object(table != NULL ? table->name : NULL),
                         text_object(column), (unsigned long long) loss->row_count, (long long) loss->first_id,
                         (long long) loss->last_id);
}

/* Frees the findings in any case. */
static PyObject *
list_of(struct findings *findings, PyObject *(*object_of)(const struct finding *finding))
{
    PyObject *list = PyList_New((Py_ssize_t) findings->count);

    for (size_t i = 0; list != NULL && i < findings->count; i++) {
        PyObject *item = object_of(&findings->all[i]);

        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, item);
    }
    PyMem_RawFree(findings->all);
    return list;
}

PyObject *
checks_verify(PyObject *module, PyObject *path)
{
    knackdb_verify_report report = { 0 };
    struct findings       findings = { 0 };
    PyObject             *bytes = NULL, *list;
    knackdb_status        status;
    knackdb_error         error;

    (void) module;
    if (!PyUnicode_FSConverter(path, &bytes))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = knackdb_verify(PyBytes_AS_STRING(bytes), hear_fault, &findings, &report, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(bytes);
    if (status != KNACKDB_OK && status != KNACKDB_CORRUPT) {
        PyMem_RawFree(findings.all);
        return failure_raise(status, error.message);
    }
    list = list_of(&findings, fault_object);
    if (list == NULL)
        return NULL;
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:N}", "files", (unsigned long long) report.file_count, "bytes",
                         (unsigned long long) report.byte_count, "records", (unsigned long long) report.record_count,
                         "blocks", (unsigned long long) report.block_count, "torn_bytes",
                         (unsigned long long) report.torn_bytes, "fault_count", (unsigned long long) report.fault_count,
                         "faults", list);
}

PyObject *
checks_repair(PyObject *module, PyObject *args)
{
    knackdb_repair_report report = { 0 };
    struct findings       findings = { 0 };
    PyObject             *path = NULL, *to = NULL, *list;
    knackdb_status        status;
    knackdb_error         error;

    (void) module;
    if (!PyArg_ParseTuple(args, "O&O&:repair", PyUnicode_FSConverter, &path, PyUnicode_FSConverter, &to)) {
        Py_XDECREF(path);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = knackdb_repair(PyBytes_AS_STRING(path), PyBytes_AS_STRING(to), hear_loss, &findings, &report, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    Py_DECREF(to);
    if (status != KNACKDB_OK) {
        PyMem_RawFree(findings.all);
        return failure_raise(status, error.message);
    }
    list = list_of(&findings, loss_object);
    if (list == NULL)
        return NULL;
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:N}", "rows_saved",
                         (unsigned long long) report.rows_saved, "sequence", (unsigned long long) report.sequence,
                         "commits_saved", (unsigned long long) report.commits_saved, "loss_count",
                         (unsigned long long) report.loss_count, "rows_lost", (unsigned long long) report.rows_lost,
                         "values_lost", (unsigned long long) report.values_lost, "blocks_lost",
                         (unsigned long long) report.blocks_lost, "commits_lost",
                         (unsigned long long) report.commits_lost, "bytes_lost", (unsigned long long) report.bytes_lost,
                         "losses", list);
}
