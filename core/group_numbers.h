/* group_numbers.h - which group of an aggregate a row belongs to.
 *
 * Groups are numbered from 0. Rows of a column with a small dictionary are numbered by their codes, and then the column
 * itself is the array of numbers, and nothing has to be done. With a large one numbers are given as codes
 * come, so that what is counted a group takes memory for those alone that there are. A column without a dictionary
 * gets one for the length of the call. */
#ifndef KNACKDB_CORE_GROUP_NUMBERS_H
#define KNACKDB_CORE_GROUP_NUMBERS_H

#include "core/selection.h"

#define GROUP_NUMBERS_BY_CODE_MAX 4096u /* their sums fit a processor's second cache */

struct group_numbers {
    struct allocator        *allocator;
    const struct table_data *table;
    int32_t                  column; /* -1: all rows are of one group */
    bool                     is_by_code;
    uint32_t                 count; /* of numbers given; some of those given by code may have no row */

    uint32_t         *number_by_code; /* number + 1; 0: none yet */
    size_t            code_capacity;
    knackdb_text     *keys; /* by number */
    size_t            key_capacity;
    uint32_t          numbers[GROUP_ROWS];
    bool              has_own_codes;
    struct dictionary own_codes;
    struct epochs     own_epochs;
};

knackdb_status group_numbers_init(struct group_numbers *numbers, struct allocator *allocator,
                                  const struct table_data *table, int32_t column, knackdb_error *error);
void           group_numbers_clear(struct group_numbers *numbers);

/* An array of GROUP_ROWS numbers, good for the selected places, until the next call. */
knackdb_status group_numbers_of(struct group_numbers *numbers, row_number first, const struct selection *selection,
                                const uint32_t **ret_numbers, knackdb_error *error);

/* A view that sees a row of the group keeps its text alive. */
knackdb_text group_numbers_key(const struct group_numbers *numbers, uint32_t number);

#endif
