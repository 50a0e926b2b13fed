/* condition.h - conditions and sort keys of a query, as people write them. Pure but for malloc. */
#ifndef CLI_CONDITION_H
#define CLI_CONDITION_H

#include "columns.h"

#include <knackdb.h>
#include <stdbool.h>
#include <stddef.h>

/** Most values that `in (...)` may list. */
#define CONDITION_VALUES_MAX 10000

/** A condition that owns what it points to. */
struct parsed_condition {
    knackdb_condition condition;
    knackdb_value    *values; /**< of `in`; condition.values is the same */
    char             *text;   /**< the values' bytes */
};

/**
 * Reads `COLUMN OP VALUE`.
 *
 *     OP      =  ==  !=  <>  <  <=  >  >=  contains
 *             in (VALUE, VALUE ...)        is null        is not null
 *     VALUE   bare to the end of the condition (within `in`: to the comma or bracket),
 *             or 'in quotes' or "in quotes", the quote within doubled
 *
 * Words are read in either case. A number column takes numbers. A bare value has no
 * blanks around it; a text column takes any other as it stands.
 *
 * @param ret_why  says what is wrong; room for 200 bytes.
 * @param ret_condition  written on success; ends with condition_clear().
 */
bool condition_parse(const char *text, size_t length, const knackdb_table_info *table,
                     struct parsed_condition *ret_condition, char ret_why[COLUMN_WHY_BYTES]);
void condition_clear(struct parsed_condition *condition);

/** Reads `COLUMN`, `COLUMN:asc` or `COLUMN:desc`; the column may be `score`, which is best first unless told. */
bool sort_key_parse(const char *text, size_t length, const knackdb_table_info *table, knackdb_order *ret_order,
                    char ret_why[COLUMN_WHY_BYTES]);

#endif
