/* record.h - what the dataclasses are made of: fields that may still lie in an answer. */
#ifndef PYTHON_RECORD_H
#define PYTHON_RECORD_H

#include "attribute_places.h"

#include <stdbool.h>
#include <stdint.h>

struct answer;

/* Fields in the order of the dataclasses. The lists also make the names and the attributes. */
/* clang-format off */
#define PATTERN_FIELDS(FIELD)                                                                                     \
    FIELD(PATTERN_ID, "id") FIELD(PATTERN_TASK_TYPE, "task_type") FIELD(PATTERN_PATTERN_USED, "pattern_used")     \
    FIELD(PATTERN_EXECUTION_TIME, "execution_time") FIELD(PATTERN_SUCCESS_RATE, "success_rate")                   \
    FIELD(PATTERN_CONFIDENCE_SCORE, "confidence_score") FIELD(PATTERN_AGENT_COUNT, "agent_count")                 \
    FIELD(PATTERN_COMPLEXITY_LEVEL, "complexity_level") FIELD(PATTERN_TOOLS_USED, "tools_used")                   \
    FIELD(PATTERN_CONTEXT_FACTORS, "context_factors") FIELD(PATTERN_CREATED_AT, "created_at")                     \
    FIELD(PATTERN_UPDATED_AT, "updated_at") FIELD(PATTERN_USAGE_COUNT, "usage_count")

#define METRIC_FIELDS(FIELD)                                                                                      \
    FIELD(METRIC_COMPONENT_NAME, "component_name") FIELD(METRIC_METRIC_NAME, "metric_name")                       \
    FIELD(METRIC_METRIC_VALUE, "metric_value") FIELD(METRIC_BASELINE_VALUE, "baseline_value")                     \
    FIELD(METRIC_IMPROVEMENT_PERCENTAGE, "improvement_percentage") FIELD(METRIC_SAMPLE_COUNT, "sample_count")     \
    FIELD(METRIC_CONFIDENCE_INTERVAL, "confidence_interval") FIELD(METRIC_MEASURED_AT, "measured_at")             \
    FIELD(METRIC_METADATA, "metadata")

#define FILTER_FIELDS(FIELD)                                                                                      \
    FIELD(FILTER_PATTERN_TYPE, "pattern_type") FIELD(FILTER_TASK_TYPE, "task_type")                               \
    FIELD(FILTER_MIN_CONFIDENCE, "min_confidence") FIELD(FILTER_MIN_SUCCESS_RATE, "min_success_rate")             \
    FIELD(FILTER_MAX_AGE_SECONDS, "max_age_seconds") FIELD(FILTER_LIMIT, "limit") FIELD(FILTER_OFFSET, "offset")  \
    FIELD(FILTER_PATTERN_USED, "pattern_used") FIELD(FILTER_COMPLEXITY_LEVEL, "complexity_level")                 \
    FIELD(FILTER_TOOL, "tool") FIELD(FILTER_MAX_CONFIDENCE, "max_confidence")                                     \
    FIELD(FILTER_MAX_SUCCESS_RATE, "max_success_rate") FIELD(FILTER_MIN_EXECUTION_TIME, "min_execution_time")     \
    FIELD(FILTER_MAX_EXECUTION_TIME, "max_execution_time") FIELD(FILTER_MIN_AGENT_COUNT, "min_agent_count")       \
    FIELD(FILTER_MAX_AGENT_COUNT, "max_agent_count") FIELD(FILTER_MIN_USAGE_COUNT, "min_usage_count")             \
    FIELD(FILTER_MAX_USAGE_COUNT, "max_usage_count") FIELD(FILTER_MIN_CREATED_AT, "min_created_at")               \
    FIELD(FILTER_MAX_CREATED_AT, "max_created_at") FIELD(FILTER_MIN_UPDATED_AT, "min_updated_at")                 \
    FIELD(FILTER_MAX_UPDATED_AT, "max_updated_at") FIELD(FILTER_ORDER_BY, "order_by")                             \
    FIELD(FILTER_DESCENDING, "descending") FIELD(FILTER_HALF_LIFE_SECONDS, "half_life_seconds")
/* clang-format on */

#define RECORD_ENUM(number, name) number,
enum { PATTERN_FIELDS(RECORD_ENUM) PATTERN_FIELD_COUNT };
enum { METRIC_FIELDS(RECORD_ENUM) METRIC_FIELD_COUNT };
enum { FILTER_FIELDS(RECORD_ENUM) FILTER_FIELD_COUNT };
#undef RECORD_ENUM

struct record_layout {
    int          field_count;
    const char **field_names;
    PyObject   **names;     /* the same, interned */
    PyObject    *defaults;  /* tuple of the fields' defaults, NULL until the package has made the dataclass */
    PyObject    *factories; /* dict: place of a field -> what makes its default; such a field's default is None above */
    uint32_t     made;      /* bit 1 << place of each field that has one */
    /* NULL where rows never come from an answer. */
    PyObject *(*field)(const struct answer *answer, size_t index, int field);
    struct attribute_places places; /* of the class last met that is not ours */
};

extern struct record_layout pattern_layout, metric_layout, filter_layout;

typedef struct record {
    PyObject_HEAD
    PyObject                   *dict; /* attributes that are no fields; with in_dict, the fields as well */
    PyObject                   *weakrefs;
    const struct record_layout *layout;
    struct answer              *answer; /* where the fields without a cell are, or NULL */
    uint32_t                    index;  /* of the row in it */
    bool                        in_dict;
    PyObject                   *cells[]; /* what was set, and what was read and can be changed in place */
} record;

int record_init(PyObject *module);

/* Takes over what a dataclass's generated __init__ would know: see record_init_object(). */
int record_take_defaults(struct record_layout *layout, PyObject *defaults, PyObject *factories);

/* record_making.c, for record.c: what the class does when it is called. */
int record_init_object(PyObject *object, PyObject *args, PyObject *keywords);

/* record.c, for record_making.c: gives a field that is not in a dict its object, and steals the reference. */
void record_set_cell(record *self, int field, PyObject *value);

/* A row of an answer as an object of `type`, which is one of the package's dataclasses. */
PyObject *record_of_row(PyTypeObject *type, const struct record_layout *layout, struct answer *answer, size_t index);

/* Before the fields of an object that may be anything: what follows is quicker where its class is the last one's. */
void record_meet(struct record_layout *layout, PyTypeObject *ours, PyObject *object);

/* A field whatever the object is: new reference, NULL with AttributeError where it has none. */
PyObject *record_get(const struct record_layout *layout, PyTypeObject *ours, PyObject *object, int field);

#endif
