/* model.h - what clang-tidy and gcc -fanalyzer cannot see, as they look at one file at a time. `./run lint` includes it
 * before each file; no build does.
 *
 * A function that fails returns what error_set() gave back, and that is the status it was handed: never KNACKDB_OK. Not
 * knowing this, an analyzer follows a path on which a call failed, said OK and left its outputs unset. */
#include "base/error.h"

#define error_set(error, status, ...) (error_set((error), (status), __VA_ARGS__), (status))
#define error_set_column(error, status, column, ...) \
    (error_set_column((error), (status), (column), __VA_ARGS__), (status))
#define error_set_errno(error, os_errno, ...) (error_set_errno((error), (os_errno), __VA_ARGS__), KNACKDB_IO)
#define error_no_memory(error, what)          (error_no_memory((error), (what)), KNACKDB_NO_MEMORY)
