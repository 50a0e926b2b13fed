/* error.h - fills a knackdb_error; every function accepts NULL and returns the status it was given. */
#ifndef KNACKDB_BASE_ERROR_H
#define KNACKDB_BASE_ERROR_H

#include <knackdb.h>

knackdb_status error_set(knackdb_error *error, knackdb_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* KNACKDB_IO with an errno value; ": " and its text are added to the message. */
knackdb_status error_set_errno(knackdb_error *error, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says one thing more behind what a failed call has said, where there is room for all of it. */
void error_add(knackdb_error *error, const char *more);

/* A fault of one column, numbered as in the current schema. */
knackdb_status error_set_column(knackdb_error *error, knackdb_status status, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* KNACKDB_NO_MEMORY, saying for what. */
knackdb_status error_no_memory(knackdb_error *error, const char *what);

#endif
