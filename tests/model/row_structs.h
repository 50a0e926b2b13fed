/* row_structs.h - the row structs of knackdb.h as cells, and cells as row structs. */
#ifndef TESTS_MODEL_ROW_STRUCTS_H
#define TESTS_MODEL_ROW_STRUCTS_H

#include "model.h"

void cells_of_pattern(const knackdb_pattern *pattern, knackdb_value cells[MODEL_COLUMNS_MAX]);
void cells_of_preference(const knackdb_preference *preference, knackdb_value cells[MODEL_COLUMNS_MAX]);
void cells_of_metric(const knackdb_metric *metric, knackdb_value cells[MODEL_COLUMNS_MAX]);

/* Every cell must be of its column's type; what is NULL gets a number that must not be looked at. */
void cells_to_pattern(const knackdb_value *cells, knackdb_pattern *ret_pattern);
void cells_to_preference(const knackdb_value *cells, knackdb_preference *ret_preference);
void cells_to_metric(const knackdb_value *cells, knackdb_metric *ret_metric);

#endif
