/* module.c - the extension module `_knackdb`, which the package `knackdb` is built on.
 *
 * One interpreter a process: what names.c keeps is kept once. A second interpreter's import is refused rather than
 * handed objects of the first. */
#include "checks.h"
#include "column.h"
#include "database.h"
#include "frame.h"
#include "job.h"
#include "names.h"
#include "ready.h"
#include "record.h"

#include <knackdb.h>

static PyMethodDef module_functions[] = {
    { "setup", (PyCFunction) (void (*)(void)) names_setup, METH_VARARGS | METH_KEYWORDS,
      "Tells the extension of the package's classes; for the package alone." },
    { "take_defaults", names_take_defaults, METH_VARARGS,
      "Tells the extension of a dataclass's defaults; for the package alone." },
    { "column", column_of_rows, METH_VARARGS, "column(rows, name): a number column of rows as a read-only buffer." },
    { "records", frame_records, METH_VARARGS,
      "records(cls, names, columns): an object of the class for each row of the columns." },
    { "verify", checks_verify, METH_O,
      "verify(path): reads and checks every byte of a directory; what was found, as a dict." },
    { "repair", checks_repair, METH_VARARGS,
      "repair(path, to): writes what can be read of a directory into a new one; what was lost, as a dict." },
    { NULL, NULL, 0, NULL },
};

static int
module_exec(PyObject *module)
{
    static PyInterpreterState *first;

    if (first != NULL && first != PyInterpreterState_Get()) {
        PyErr_SetString(PyExc_ImportError, "knackdb can be imported by one interpreter of a process only");
        return -1;
    }
    if (first != NULL) {
        PyErr_SetString(PyExc_ImportError, "knackdb's extension cannot be loaded a second time");
        return -1;
    }
    if (ready_init(module) < 0 || column_init(module) < 0 || record_init(module) < 0 || job_init(module) < 0 ||
        database_init(module) < 0)
        return -1;
    first = PyInterpreterState_Get();
    if (PyModule_AddIntConstant(module, "ASYNC", KNACKDB_ASYNC) < 0 ||
        PyModule_AddIntConstant(module, "SYNC", KNACKDB_SYNC) < 0 ||
        PyModule_AddIntConstant(module, "MEMORY_ONLY", KNACKDB_MEMORY_ONLY) < 0 ||
        PyModule_AddIntConstant(module, "READ_ONLY", KNACKDB_OPEN_READ_ONLY) < 0 ||
        PyModule_AddIntConstant(module, "NO_CREATE", KNACKDB_OPEN_NO_CREATE) < 0 ||
        PyModule_AddIntConstant(module, "REFUSE_DEGRADED", KNACKDB_OPEN_REFUSE_DEGRADED) < 0 ||
        PyModule_AddIntConstant(module, "NO_MIGRATE", KNACKDB_OPEN_NO_MIGRATE) < 0 ||
        PyModule_AddIntConstant(module, "LOG_AUTO", KNACKDB_LOG_AUTO) < 0 ||
        PyModule_AddIntConstant(module, "LOG_MAP", KNACKDB_LOG_MAP) < 0 ||
        PyModule_AddIntConstant(module, "LOG_WRITE", KNACKDB_LOG_WRITE) < 0 ||
        PyModule_AddIntConstant(module, "SNAPSHOT", KNACKDB_OPEN_SNAPSHOT) < 0 ||
        PyModule_AddIntConstant(module, "FOLLOW", KNACKDB_OPEN_FOLLOW) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", knackdb_version());
}

static PyModuleDef_Slot module_slots[] = {
    { Py_mod_exec, module_exec },
#ifdef Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED
    { Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED },
#endif
    { 0, NULL },
};

static struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_knackdb",
    .m_doc = "The extension that the package knackdb is built on; import that.",
    .m_size = 0,
    .m_methods = module_functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__knackdb(void);

PyMODINIT_FUNC
PyInit__knackdb(void)
{
    return PyModuleDef_Init(&module_definition);
}
