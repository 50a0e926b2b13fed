/* directory.h - the directory a command works on, opened with the right complaints. */
#ifndef CLI_DIRECTORY_H
#define CLI_DIRECTORY_H

#include <knackdb.h>

/** Complains unless there is a directory at the path. Returns an exit status. */
int directory_check(const char *command, const char *path);

/** Complains if the destination lies in the directory itself, where whoever removes or exchanges the one loses both.
 *  Returns an exit status. */
int directory_check_apart(const char *command, const char *directory, const char *destination);

/** Bytes of the files in a directory; those that cannot be looked at are none. */
uint64_t directory_bytes(const char *path);

/** Opens a store that must be there, read-only, so beside a writer, too. Returns an exit status. */
int directory_open_to_read(const char *command, const char *path, const knackdb_options *options, knackdb **ret_db);

/** Takes the value of --as-of (NULL: it was not given) for the options to open with. False after a complaint. */
bool directory_take_moment(const char *command, const char *as_of, knackdb_options *options);

/** Opens a store that must be there. */
int directory_open_to_write(const char *command, const char *path, knackdb **ret_db);

/** Opens a store, making it where it is absent. */
int directory_open_or_create(const char *command, const char *path, knackdb **ret_db);

/** Ends a store and gives `status`, or that of the failed close where `status` was fine. NULL is accepted. */
int directory_close(const char *command, const char *path, knackdb *db, int status);

/** Number of the table of that name, or -1 after a complaint that lists the tables. */
int table_find(const char *command, const char *name);

#endif
