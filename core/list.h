/* list.h - does a JSON list hold a string? */
#ifndef KNACKDB_CORE_LIST_H
#define KNACKDB_CORE_LIST_H

#include <knackdb.h>

/* True where the whole of `list` is a JSON list (RFC 8259, at most 64 levels deep) with
 * `wanted` among its strings, escapes undone. Strings of lists and objects inside it are
 * not its own. Text that is no JSON list holds nothing. */
bool list_contains(knackdb_text list, knackdb_text wanted);

#endif
