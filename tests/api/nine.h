/* nine.h - nine patterns whose answers can be worked out by hand. */
#ifndef TESTS_API_NINE_H
#define TESTS_API_NINE_H

#include "calls.h"

/* In memory: id, task type, confidence, seconds:
 *
 *     1 sort 0.5 10     2 hash 0.9 20     3 sort 0.9  30     4 NULL 0.1 40     5 sort NULL 50
 *     6 ""   0.5 60     7 hash 0.5 70     8 sort 0.9  80     9 pack 0   90
 *
 * Tools are "cat" and "sed" of those with odd ids, "catalog" of the others. */
knackdb *open_with_nine(void);

/* Checks which ids a query of patterns finds, in order: a list that ends with 0. Each way to ask must say so. */
void must_find(knackdb *db, const knackdb_query *query, const int64_t *ids);
void must_find_where(knackdb *db, knackdb_condition condition, const int64_t *ids);

#define IDS(...) ((const int64_t[]) { __VA_ARGS__, 0 })
#define NO_IDS   ((const int64_t[]) { 0 })

#endif
