/* predicate.h - one condition of a query, checked once, bound to a view, asked for each row. */
#ifndef KNACKDB_CORE_PREDICATE_H
#define KNACKDB_CORE_PREDICATE_H

#include "core/table.h"

/* INVALID where the column, the operator and the values do not fit each other. */
knackdb_status condition_check(const struct table *definition, const knackdb_condition *condition,
                               knackdb_error *error);

/* -1, 0, 1 as the first number is below, equal to, above the second; exact between INTEGER and REAL. */
int number_compare(const knackdb_value *a, const knackdb_value *b);

#define PREDICATE_CODES_KEPT 8

/* How a condition is asked. Fast forms for what filters use; PREDICATE_ANY does for everything. */
enum predicate_form {
    PREDICATE_REAL,  /* a REAL column against a double */
    PREDICATE_CODES, /* a dictionary column: its code is one of `codes` */
    PREDICATE_LIST,  /* a dictionary column of lists: CONTAINS, answered once a code */
    PREDICATE_NEVER, /* no row can match: the text is in no row */
    PREDICATE_ANY,
};

struct predicate {
    enum predicate_form      form;
    const knackdb_condition *condition;
    double                   real;
    uint32_t                 code_count;
    uint32_t                 codes[PREDICATE_CODES_KEPT];
    unsigned char           *memo; /* PREDICATE_LIST: a byte a code: 0 not asked, 1 no, 2 yes; may be NULL */
    uint32_t                 memo_count;
};

/* Binds a checked condition. predicate_clear() afterwards. */
void predicate_init(struct predicate *predicate, const struct table_data *table, const knackdb_condition *condition);
void predicate_clear(struct predicate *predicate, struct allocator *allocator);
bool predicate_holds(struct predicate *predicate, const struct table_data *table, row_number row);

#endif
