/* job.h - a write that waits for the disk: a callable that a thread of the executor carries out. */
#ifndef PYTHON_JOB_H
#define PYTHON_JOB_H

#include "write.h"

struct job;

int job_init(PyObject *module);

/* A job for a database; make its write ready, then hand it to job_await(). NULL with MemoryError. */
struct job   *job_new(database *self, enum write_kind kind);
struct write *job_write(struct job *job);

/* The coroutine that carries it out elsewhere. Takes the job over. */
PyObject *job_await(struct job *job);

#endif
