/* job.c - see job.h.
 *
 * With durability "sync" a store returns when the disk has it, and the event loop must not stand still meanwhile. The
 * object is read at once, on the caller's thread, as ever: what it says later does not matter. What remains is C over
 * bytes of our own, and that runs in a thread without the GIL. Callers that wait at the same time share one fsync.
 *
 * A job holds its database, so that is there until the thread is done, even where the caller was cancelled. */
#include "job.h"

#include "failure.h"

struct job {
    PyObject_HEAD
    database    *owner;
    bool         is_done;
    struct write write;
};

static PyTypeObject *job_type;

struct job *
job_new(database *self, enum write_kind kind)
{
    struct job *job = PyObject_New(struct job, job_type);

    if (job != NULL) {
        Py_INCREF(self);
        job->owner = self;
        job->is_done = false;
        write_init(&job->write, kind);
    }
    return job;
}

struct write *
job_write(struct job *job)
{
    return &job->write;
}

static void
job_dealloc(PyObject *object)
{
    struct job   *job = (struct job *) object;
    PyTypeObject *type = Py_TYPE(object);

    if (!job->is_done) /* cancelled, or refused by a closed executor, before it ran */
        write_take_ids_back(&job->write);
    write_clear(&job->write);
    Py_DECREF(job->owner);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* job() -> True, or False where there is no such row; raises knackdb.Error. */
static PyObject *
job_call(PyObject *object, PyObject *args, PyObject *keywords)
{
    struct job    *job = (struct job *) object;
    knackdb       *store = job->is_done ? NULL : database_store(job->owner);
    knackdb_status status;
    knackdb_error  error;

    (void) args, (void) keywords;
    if (job->is_done)
        return failure_raise(KNACKDB_INVALID, "a job is done once");
    if (store == NULL) {
        write_take_ids_back(&job->write);
        return NULL;
    }
    job->is_done = true;
    DATABASE_RELEASE_GIL(job->owner)
    status = write_run(&job->write, store, &error);
    DATABASE_TAKE_GIL(job->owner)
    if (status == KNACKDB_NOT_FOUND) {
        Py_XDECREF(database_found_none(job->owner, error.message));
        Py_RETURN_FALSE;
    }
    if (status != KNACKDB_OK) {
        write_take_ids_back(&job->write);
        return failure_raise(status, error.message);
    }
    write_count(&job->write, job->owner);
    Py_RETURN_TRUE;
}

PyObject *
job_await(struct job *job)
{
    PyObject *awaitable = PyObject_CallMethod((PyObject *) job->owner, "_wait_for", "O", job);

    Py_DECREF(job);
    return awaitable;
}

int
job_init(PyObject *module)
{
    PyType_Slot slots[] = {
        { Py_tp_dealloc, job_dealloc },
        { Py_tp_call, job_call },
        { 0, NULL },
    };
    PyType_Spec spec = {
        .name = "_knackdb.Job",
        .basicsize = sizeof(struct job),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = slots,
    };

    (void) module;
    job_type = (PyTypeObject *) PyType_FromSpec(&spec);
    if (job_type == NULL)
        return -1;
    job_type->tp_new = NULL; /* the extension alone makes them */
    return 0;
}
