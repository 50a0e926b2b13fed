/* list.h - does a JSON list hold a string? */
#ifndef KNACKDB_CORE_LIST_H
#define KNACKDB_CORE_LIST_H

#include <knackdb.h>

/* True where `list` is a JSON list (RFC 8259) with `wanted` among its strings. Escapes are
 * understood; nested lists and objects are passed over. Text that is no JSON list
 * holds nothing; where it breaks off midway, what stood before counts. */
bool list_contains(knackdb_text list, knackdb_text wanted);

#endif
