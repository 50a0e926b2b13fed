/* answer.c - see answer.h.
 *
 * A retrieve copies its rows once, into a block of the store's own structs, and makes Python objects that point into
 * it. An attribute becomes a Python object when somebody asks for it: of ten patterns retrieved an engine looks at
 * two or three columns of one or two. The block is freed with the last row object. */
#include "answer.h"

#include "json_value.h"
#include "record.h"

static struct answer *
answer_new(void *rows, size_t count, size_t bytes)
{
    struct answer *answer = PyMem_Malloc(sizeof *answer);

    if (answer == NULL) {
        knackdb_free(rows);
        PyErr_NoMemory();
        return NULL;
    }
    answer->references = 1;
    answer->rows = rows;
    answer->count = count;
    answer->bytes = sizeof *answer + bytes;
    answer->is_nan_where_null = false;
    return answer;
}

struct answer *
answer_of_patterns(knackdb_pattern *rows, size_t count)
{
    size_t bytes = count * sizeof *rows;

    for (size_t i = 0; i < count; i++)
        bytes += rows[i].task_type.length + rows[i].pattern_used.length + rows[i].complexity_level.length +
                 rows[i].tools_used.length + rows[i].context_factors.length + rows[i].external_id.length;
    return answer_new(rows, count, bytes);
}

struct answer *
answer_of_metrics(knackdb_metric *rows, size_t count)
{
    size_t bytes = count * sizeof *rows;

    for (size_t i = 0; i < count; i++)
        bytes += rows[i].component_name.length + rows[i].metric_name.length + rows[i].metadata.length;
    return answer_new(rows, count, bytes);
}

void
answer_release(struct answer *answer)
{
    if (answer == NULL || --answer->references > 0)
        return;
    knackdb_free(answer->rows);
    PyMem_Free(answer);
}

static PyObject *
none(void)
{
    Py_RETURN_NONE;
}

static PyObject *
text_object(knackdb_text text)
{
    return text.data == NULL ? none() : PyUnicode_DecodeUTF8(text.data, (Py_ssize_t) text.length, NULL);
}

static PyObject *
json_object(knackdb_text text)
{
    return text.data == NULL ? none() : json_read(text);
}

static PyObject *
real_object(double real, uint64_t nulls, int column)
{
    return nulls & KNACKDB_BIT(column) ? none() : PyFloat_FromDouble(real);
}

static PyObject *
integer_object(int64_t integer, uint64_t nulls, int column)
{
    return nulls & KNACKDB_BIT(column) ? none() : PyLong_FromLongLong(integer);
}

PyObject *
answer_pattern_field(const struct answer *answer, size_t index, int field)
{
    const knackdb_pattern *row = (const knackdb_pattern *) answer->rows + index;

    switch (field) {
    case PATTERN_ID: /* a row that came without one is known by its number */
        return row->external_id.data != NULL ? text_object(row->external_id)
                                             : PyUnicode_FromFormat("%lld", (long long) row->id);
    case PATTERN_TASK_TYPE: return text_object(row->task_type);
    case PATTERN_PATTERN_USED: return text_object(row->pattern_used);
    case PATTERN_EXECUTION_TIME: return real_object(row->execution_time, row->nulls, KNACKDB_PATTERN_EXECUTION_TIME);
    case PATTERN_SUCCESS_RATE: return real_object(row->success_rate, row->nulls, KNACKDB_PATTERN_SUCCESS_RATE);
    case PATTERN_CONFIDENCE_SCORE:
        return real_object(row->confidence_score, row->nulls, KNACKDB_PATTERN_CONFIDENCE_SCORE);
    case PATTERN_AGENT_COUNT: return integer_object(row->agent_count, row->nulls, KNACKDB_PATTERN_AGENT_COUNT);
    case PATTERN_COMPLEXITY_LEVEL: return text_object(row->complexity_level);
    case PATTERN_TOOLS_USED: return json_object(row->tools_used);
    case PATTERN_CONTEXT_FACTORS: return json_object(row->context_factors);
    case PATTERN_CREATED_AT: return real_object(row->created_at, row->nulls, KNACKDB_PATTERN_CREATED_AT);
    case PATTERN_UPDATED_AT: return real_object(row->updated_at, row->nulls, KNACKDB_PATTERN_UPDATED_AT);
    default: return integer_object(row->usage_count, row->nulls, KNACKDB_PATTERN_USAGE_COUNT);
    }
}

PyObject *
answer_metric_field(const struct answer *answer, size_t index, int field)
{
    const knackdb_metric *row = (const knackdb_metric *) answer->rows + index;

    switch (field) {
    case METRIC_COMPONENT_NAME: return text_object(row->component_name);
    case METRIC_METRIC_NAME: return text_object(row->metric_name);
    case METRIC_METRIC_VALUE: return real_object(row->metric_value, row->nulls, KNACKDB_METRIC_METRIC_VALUE);
    case METRIC_BASELINE_VALUE: return real_object(row->baseline_value, row->nulls, KNACKDB_METRIC_BASELINE_VALUE);
    case METRIC_IMPROVEMENT_PERCENTAGE:
        return real_object(row->improvement_percentage, row->nulls, KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE);
    case METRIC_SAMPLE_COUNT: return integer_object(row->sample_count, row->nulls, KNACKDB_METRIC_SAMPLE_COUNT);
    case METRIC_CONFIDENCE_INTERVAL:
        return real_object(row->confidence_interval, row->nulls, KNACKDB_METRIC_CONFIDENCE_INTERVAL);
    case METRIC_MEASURED_AT: return real_object(row->measured_at, row->nulls, KNACKDB_METRIC_MEASURED_AT);
    default: return json_object(row->metadata);
    }
}
