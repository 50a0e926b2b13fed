/* verify.c - see verify.h.
 *
 * Every byte is read, which takes as long as the disk does, so the GIL is not held. Faults are collected in plain
 * memory meanwhile, and become Python objects afterwards. */
#include "verify.h"

#include "failure.h"

#include <knackdb.h>

#include <stdio.h>

#define FAULTS_KEPT 100

struct faults {
    size_t count;
    char   said[FAULTS_KEPT][320];
};

static void
hear(void *context, const knackdb_fault *fault)
{
    struct faults *faults = context;

    if (faults->count < FAULTS_KEPT) {
        snprintf(faults->said[faults->count], sizeof faults->said[0], "%s: offset %llu: %s", fault->file,
                 (unsigned long long) fault->offset, fault->reason);
        faults->count++;
    }
}

static PyObject *
list_of(const struct faults *faults)
{
    PyObject *list = PyList_New((Py_ssize_t) faults->count);

    for (size_t i = 0; list != NULL && i < faults->count; i++) {
        PyObject *said = PyUnicode_DecodeUTF8(faults->said[i], (Py_ssize_t) strlen(faults->said[i]), "replace");

        if (said == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t) i, said);
    }
    return list;
}

PyObject *
verify_directory(PyObject *module, PyObject *path)
{
    knackdb_verify_report report = { 0 };
    PyObject             *bytes = NULL, *list;
    struct faults        *faults;
    knackdb_status        status;
    knackdb_error         error;

    (void) module;
    if (!PyUnicode_FSConverter(path, &bytes))
        return NULL;
    faults = PyMem_Calloc(1, sizeof *faults);
    if (faults == NULL) {
        Py_DECREF(bytes);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    status = knackdb_verify(PyBytes_AS_STRING(bytes), hear, faults, &report, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(bytes);
    list = status == KNACKDB_OK || status == KNACKDB_CORRUPT ? list_of(faults)
                                                             : failure_raise(status, error.message);
    PyMem_Free(faults);
    if (list == NULL)
        return NULL;
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:N}", "files", (unsigned long long) report.file_count, "bytes",
                         (unsigned long long) report.byte_count, "records", (unsigned long long) report.record_count,
                         "blocks", (unsigned long long) report.block_count, "torn_bytes",
                         (unsigned long long) report.torn_bytes, "faults", list);
}
