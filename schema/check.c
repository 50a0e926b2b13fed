/* check.c - what a row from a caller must be before the engine sees it.
 *
 * The engine below stores NULL in place (NaN in REAL columns, for one), so these checks
 * are what keeps a caller's value from being taken for something else. */
#include "schema/schema.h"

#include "base/error.h"
#include "base/utf8.h"

#include <float.h>
#include <math.h>

static knackdb_status
refuse_type(const struct table *table, uint32_t column, const char *given, knackdb_error *error)
{
    static const char *const wanted[] = { "NULL", "an INTEGER", "a REAL", "TEXT" };

    return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: needs %s, not %s", table->name,
                            table->columns[column].name, wanted[table->columns[column].type], given);
}

static knackdb_status
check_real(const struct table *table, uint32_t column, double real, knackdb_error *error)
{
    if (!isfinite(real))
        return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: %s is not a number that can be stored",
                                table->name, table->columns[column].name, isnan(real) ? "NaN" : "infinity");
    if (table->columns[column].is_rate && !(real >= 0.0 && real <= 1.0))
        return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: %.17g is outside 0..1", table->name,
                                table->columns[column].name, real);
    return KNACKDB_OK;
}

knackdb_status
table_check_value(const struct table *table, uint32_t column, const knackdb_value *value, knackdb_error *error)
{
    const struct column *info = &table->columns[column];
    size_t               valid;

    switch (value->type) {
    case KNACKDB_NULL: return KNACKDB_OK;

    case KNACKDB_INTEGER:
        if (info->type == KNACKDB_REAL)
            return check_real(table, column, (double) value->as.integer, error);
        if (info->type != KNACKDB_INTEGER)
            return refuse_type(table, column, "an INTEGER", error);
        if (column == 0 && value->as.integer < 0)
            return error_set_column(error, KNACKDB_INVALID, 0, "%s.%s: %lld is not a positive id", table->name,
                                    info->name, (long long) value->as.integer);
        return KNACKDB_OK;

    case KNACKDB_REAL:
        if (info->type != KNACKDB_REAL)
            return refuse_type(table, column, "a REAL", error);
        return check_real(table, column, value->as.real, error);

    case KNACKDB_TEXT:
        if (info->type != KNACKDB_TEXT)
            return refuse_type(table, column, "TEXT", error);
        if (value->as.text.data == NULL)
            return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: TEXT without data; use KNACKDB_NULL",
                                    table->name, info->name);
        if (value->as.text.length > KNACKDB_TEXT_BYTES_MAX)
            return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: %zu bytes of text, more than %zu",
                                    table->name, info->name, value->as.text.length, KNACKDB_TEXT_BYTES_MAX);
        valid = utf8_valid_prefix(value->as.text.data, value->as.text.length);
        if (valid != value->as.text.length)
            return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: not UTF-8 at byte %zu", table->name,
                                    info->name, valid);
        return KNACKDB_OK;
    }
    return error_set_column(error, KNACKDB_INVALID, (int) column, "%s.%s: unknown type %d of value", table->name,
                            info->name, (int) value->type);
}

/* What nearly every value is: seen to be right at a glance. Of the others table_check_value() finds out. */
static inline bool
is_plain(const struct column *info, const knackdb_value *value)
{
    switch (value->type) {
    case KNACKDB_NULL: return true;
    case KNACKDB_INTEGER: return info->type == KNACKDB_INTEGER && value->as.integer >= 0;
    case KNACKDB_REAL:
        return info->type == KNACKDB_REAL && value->as.real >= 0.0 && value->as.real <= (info->is_rate ? 1.0 : DBL_MAX);
    case KNACKDB_TEXT:
        return info->type == KNACKDB_TEXT && value->as.text.data != NULL &&
               value->as.text.length <= KNACKDB_TEXT_BYTES_MAX &&
               utf8_is_ascii(value->as.text.data, value->as.text.length);
    default: return false;
    }
}

knackdb_status
table_check_values(const struct table *table, const knackdb_value *values, size_t column_count, knackdb_error *error)
{
    if (column_count == 0 || column_count > table->column_count)
        return error_set(error, KNACKDB_INVALID, "%s: %zu columns given; the table has %u", table->name, column_count,
                         table->column_count);
    for (uint32_t column = 0; column < column_count; column++) {
        knackdb_status status;

        if (is_plain(&table->columns[column], &values[column]))
            continue;
        status = table_check_value(table, column, &values[column], error);
        if (status != KNACKDB_OK)
            return status;
    }
    return KNACKDB_OK;
}
