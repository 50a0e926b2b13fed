/* model.c - the reference model's rows, keys and changes; model.h tells what it is.
 *
 * A change is made in a copy of the table's array and takes its place when every row
 * of it went well, so a refused batch leaves nothing behind. */
#include "model.h"

#include <math.h>
#include <stdlib.h>

#define INTEGER_COLUMN { KNACKDB_INTEGER, false }
#define REAL_COLUMN    { KNACKDB_REAL, false }
#define RATE_COLUMN    { KNACKDB_REAL, true }
#define TEXT_COLUMN    { KNACKDB_TEXT, false }

const struct model_table_shape model_shapes[MODEL_TABLES] = {
    [KNACKDB_EXECUTION_PATTERNS] = {
        .column_count = 14,
        .columns = { INTEGER_COLUMN, TEXT_COLUMN, TEXT_COLUMN, REAL_COLUMN, RATE_COLUMN, RATE_COLUMN, INTEGER_COLUMN,
                     TEXT_COLUMN, TEXT_COLUMN, TEXT_COLUMN, REAL_COLUMN, REAL_COLUMN, INTEGER_COLUMN, TEXT_COLUMN },
        .age_column = KNACKDB_PATTERN_CREATED_AT,
    },
    [KNACKDB_USER_PREFERENCES] = {
        .column_count = 6,
        .columns = { INTEGER_COLUMN, TEXT_COLUMN, TEXT_COLUMN, REAL_COLUMN, INTEGER_COLUMN, REAL_COLUMN },
        .age_column = -1,
    },
    [KNACKDB_PERFORMANCE_METRICS] = {
        .column_count = 10,
        .columns = { INTEGER_COLUMN, TEXT_COLUMN, TEXT_COLUMN, REAL_COLUMN, REAL_COLUMN, REAL_COLUMN, REAL_COLUMN,
                     INTEGER_COLUMN, REAL_COLUMN, TEXT_COLUMN },
        .age_column = KNACKDB_METRIC_MEASURED_AT,
    },
};

/* ---- memory ---- */

#define ROWS_A_BLOCK 256

struct model_memory {
    struct model_memory *older;
    size_t               used;
    struct model_row     rows[ROWS_A_BLOCK];
};

static void *
get_memory(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL)
        abort(); /* a test without memory shows nothing */
    return memory;
}

static struct model_row *
new_row(struct model *model)
{
    struct model_memory *block = model->memory;

    if (block == NULL || block->used == ROWS_A_BLOCK) {
        block = get_memory(sizeof *block);
        block->older = model->memory;
        block->used = 0;
        model->memory = block;
    }
    return &block->rows[block->used++];
}

void
model_init(struct model *model)
{
    memset(model, 0, sizeof *model);
}

void
model_clear(struct model *model)
{
    while (model->memory != NULL) {
        struct model_memory *older = model->memory->older;

        free(model->memory);
        model->memory = older;
    }
    for (int table = 0; table < MODEL_TABLES; table++)
        free(model->tables[table].rows);
    memset(model, 0, sizeof *model);
}

static void
copy_rows(const struct model_rows *from, struct model_rows *ret_copy, size_t room)
{
    *ret_copy = *from;
    ret_copy->capacity = from->count + room;
    ret_copy->rows = get_memory((ret_copy->capacity + 1) * sizeof ret_copy->rows[0]);
    if (from->count > 0)
        memcpy(ret_copy->rows, from->rows, from->count * sizeof from->rows[0]);
}

void
model_remember(const struct model *model, struct model *ret_moment)
{
    ret_moment->memory = NULL;
    ret_moment->awaits_now = false;
    for (int table = 0; table < MODEL_TABLES; table++)
        copy_rows(&model->tables[table], &ret_moment->tables[table], 0);
}

/* ---- rows by id ---- */

/* Place of the first row whose id is not below `id`. */
static size_t
place_of(const struct model_rows *rows, int64_t id)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows->rows[middle]->cells[0].as.integer < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct model_row *
row_with_id(const struct model_rows *rows, int64_t id)
{
    size_t place = place_of(rows, id);

    return place < rows->count && rows->rows[place]->cells[0].as.integer == id ? rows->rows[place] : NULL;
}

static void
remove_row(struct model_rows *rows, int64_t id)
{
    size_t place = place_of(rows, id);

    rows->count--;
    memmove(&rows->rows[place], &rows->rows[place + 1], (rows->count - place) * sizeof rows->rows[0]);
}

/* Puts a row in the place of the one with its id, or in between. */
static void
put_row(struct model_rows *rows, const struct model_row *row)
{
    int64_t id = row->cells[0].as.integer;
    size_t  place = place_of(rows, id);

    if (place < rows->count && rows->rows[place]->cells[0].as.integer == id) {
        rows->rows[place] = row;
    } else {
        if (rows->count == rows->capacity)
            abort(); /* whoever copied the array made too little room */
        memmove(&rows->rows[place + 1], &rows->rows[place], (rows->count - place) * sizeof rows->rows[0]);
        rows->rows[place] = row;
        rows->count++;
    }
    if (id > rows->largest_id)
        rows->largest_id = id;
}

/* ---- keys other than the id ---- */

bool
model_text_equal(knackdb_text a, knackdb_text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static bool
cells_equal_text(const knackdb_value *a, const knackdb_value *b)
{
    return a->type == KNACKDB_TEXT && b->type == KNACKDB_TEXT && model_text_equal(a->as.text, b->as.text);
}

/* Another row with the same external_id, or the same preference; NULL is like nothing. */
static const struct model_row *
row_with_key_of(const struct model_rows *rows, int table, const knackdb_value *cells)
{
    for (size_t i = 0; i < rows->count; i++) {
        const knackdb_value *other = rows->rows[i]->cells;

        if (table == KNACKDB_EXECUTION_PATTERNS &&
            cells_equal_text(&cells[KNACKDB_PATTERN_EXTERNAL_ID], &other[KNACKDB_PATTERN_EXTERNAL_ID]))
            return rows->rows[i];
        if (table == KNACKDB_USER_PREFERENCES &&
            cells_equal_text(&cells[KNACKDB_PREFERENCE_TYPE], &other[KNACKDB_PREFERENCE_TYPE]) &&
            cells_equal_text(&cells[KNACKDB_PREFERENCE_VALUE], &other[KNACKDB_PREFERENCE_VALUE]))
            return rows->rows[i];
    }
    return NULL;
}

/* ---- what may be stored ---- */

static bool
is_utf8(knackdb_text text)
{
    const unsigned char *at = (const unsigned char *) text.data;
    const unsigned char *end = at + text.length;

    while (at < end) {
        uint32_t code;
        int      more;

        if (*at < 0x80) {
            at++;
            continue;
        }
        if ((*at & 0xe0) == 0xc0) {
            code = *at & 0x1f;
            more = 1;
        } else if ((*at & 0xf0) == 0xe0) {
            code = *at & 0x0f;
            more = 2;
        } else if ((*at & 0xf8) == 0xf0) {
            code = *at & 0x07;
            more = 3;
        } else {
            return false;
        }
        if (end - at <= more)
            return false;
        for (int i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (at[i] & 0x3f);
        }
        if (code < (more == 1   ? 0x80u
                    : more == 2 ? 0x800u
                                : 0x10000u) ||
            code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
        at += more + 1;
    }
    return true;
}

static bool
may_be_stored(int table, uint32_t column, const knackdb_value *value)
{
    const struct model_column *shape = &model_shapes[table].columns[column];

    if (value->type == KNACKDB_NULL || (value->type == KNACKDB_TEXT && value->as.text.data == NULL))
        return value->type == KNACKDB_NULL || shape->type == KNACKDB_TEXT;
    if (column == 0)
        return value->type == KNACKDB_INTEGER && value->as.integer >= 0;
    if (shape->type == KNACKDB_TEXT)
        return value->type == KNACKDB_TEXT && value->as.text.length <= KNACKDB_TEXT_BYTES_MAX &&
               is_utf8(value->as.text);
    if (shape->type == KNACKDB_INTEGER)
        return value->type == KNACKDB_INTEGER;
    if (value->type == KNACKDB_INTEGER)
        return !shape->is_rate || value->as.integer == 0 || value->as.integer == 1;
    if (value->type != KNACKDB_REAL || !isfinite(value->as.real))
        return false;
    return !shape->is_rate || (value->as.real >= 0 && value->as.real <= 1);
}

/* The value as the column keeps it. */
static knackdb_value
as_kept(int table, uint32_t column, const knackdb_value *value)
{
    if (value->type == KNACKDB_INTEGER && model_shapes[table].columns[column].type == KNACKDB_REAL)
        return knackdb_value_real((double) value->as.integer);
    if (value->type == KNACKDB_TEXT)
        return knackdb_value_text(value->as.text);
    return *value;
}

/* ---- storing ---- */

static knackdb_value
now_cell(struct model *model)
{
    model->awaits_now = true;
    return knackdb_value_real((double) NAN);
}

bool
model_is_now(const knackdb_value *cell)
{
    return cell->type == KNACKDB_REAL && isnan(cell->as.real);
}

/* INVALID where the counter would run over. */
static knackdb_status
count_up(const knackdb_value *stored, int64_t by, knackdb_value *ret_count)
{
    int64_t sum;

    if (__builtin_add_overflow(stored->type == KNACKDB_NULL ? 0 : stored->as.integer, by, &sum))
        return KNACKDB_INVALID;
    *ret_count = knackdb_value_integer(sum);
    return KNACKDB_OK;
}

static knackdb_status
merge_preference(struct model *model, knackdb_value *cells, const struct model_row *stored)
{
    const knackdb_value *old = stored->cells;
    knackdb_value       *count = &cells[KNACKDB_PREFERENCE_USAGE_COUNT];

    cells[KNACKDB_PREFERENCE_ID] = old[KNACKDB_PREFERENCE_ID];
    if (cells[KNACKDB_PREFERENCE_WEIGHT].type == KNACKDB_NULL)
        cells[KNACKDB_PREFERENCE_WEIGHT] = old[KNACKDB_PREFERENCE_WEIGHT];
    if (cells[KNACKDB_PREFERENCE_LAST_USED].type == KNACKDB_NULL)
        cells[KNACKDB_PREFERENCE_LAST_USED] = now_cell(model);
    return count_up(&old[KNACKDB_PREFERENCE_USAGE_COUNT], count->type == KNACKDB_NULL ? 1 : count->as.integer, count);
}

static void
compute_improvement(knackdb_value *cells)
{
    const knackdb_value *value = &cells[KNACKDB_METRIC_METRIC_VALUE];
    const knackdb_value *baseline = &cells[KNACKDB_METRIC_BASELINE_VALUE];
    knackdb_value       *improvement = &cells[KNACKDB_METRIC_IMPROVEMENT_PERCENTAGE];
    double               percent;

    if (improvement->type != KNACKDB_NULL || value->type == KNACKDB_NULL || baseline->type == KNACKDB_NULL ||
        baseline->as.real == 0)
        return;
    percent = (value->as.real - baseline->as.real) / fabs(baseline->as.real) * 100.0;
    if (isfinite(percent))
        *improvement = knackdb_value_real(percent);
}

/* One row of a batch, into the copy of its table. */
static knackdb_status
store_row(struct model *model, struct model_rows *rows, int table, struct model_row *row, uint32_t flags)
{
    int64_t                 given = row->cells[0].type == KNACKDB_NULL ? 0 : row->cells[0].as.integer;
    const struct model_row *with_id = given != 0 ? row_with_id(rows, given) : NULL;
    const struct model_row *with_key = row_with_key_of(rows, table, row->cells);

    if ((flags & KNACKDB_STORE_NEW) != 0 && (with_id != NULL || with_key != NULL))
        return KNACKDB_EXISTS;

    if (table == KNACKDB_USER_PREFERENCES && with_key != NULL && with_key != with_id) {
        if (merge_preference(model, row->cells, with_key) != KNACKDB_OK)
            return KNACKDB_INVALID;
    } else {
        if (given == 0 && with_key != NULL)
            given = with_key->cells[0].as.integer;
        if (given == 0)
            given = rows->largest_id + 1;
        row->cells[0] = knackdb_value_integer(given);
        if (with_key != NULL)
            remove_row(rows, with_key->cells[0].as.integer);
    }
    if (table == KNACKDB_PERFORMANCE_METRICS)
        compute_improvement(row->cells);
    put_row(rows, row);
    return KNACKDB_OK;
}

knackdb_status
model_store(struct model *model, int table, const knackdb_value *values, size_t column_count, size_t row_count,
            uint32_t flags, int64_t *ret_ids, int *ret_column)
{
    struct model_rows rows;
    knackdb_status    status = KNACKDB_OK;
    bool              awaited_now = model->awaits_now;

    *ret_column = -1;
    for (size_t i = 0; i < row_count; i++)
        for (uint32_t column = 0; column < column_count; column++)
            if (!may_be_stored(table, column, &values[i * column_count + column])) {
                *ret_column = (int) column;
                return KNACKDB_INVALID;
            }

    copy_rows(&model->tables[table], &rows, row_count);
    for (size_t i = 0; i < row_count && status == KNACKDB_OK; i++) {
        struct model_row *row = new_row(model);

        for (uint32_t column = 0; column < MODEL_COLUMNS_MAX; column++)
            row->cells[column] = column < column_count ? as_kept(table, column, &values[i * column_count + column])
                                                       : knackdb_value_null();
        status = store_row(model, &rows, table, row, flags);
        if (status == KNACKDB_OK && ret_ids != NULL)
            ret_ids[i] = row->cells[0].as.integer;
    }
    if (status != KNACKDB_OK) {
        free(rows.rows);
        model->awaits_now = awaited_now;
        if (status == KNACKDB_INVALID)
            *ret_column = KNACKDB_PREFERENCE_USAGE_COUNT;
        return status;
    }
    free(model->tables[table].rows);
    model->tables[table] = rows;
    return KNACKDB_OK;
}

void
model_put(struct model *model, int table, const knackdb_value *cells)
{
    struct model_rows rows;
    struct model_row *row = new_row(model);

    memset(row, 0, sizeof *row);
    memcpy(row->cells, cells, model_shapes[table].column_count * sizeof cells[0]);
    copy_rows(&model->tables[table], &rows, 1);
    put_row(&rows, row);
    free(model->tables[table].rows);
    model->tables[table] = rows;
}

/* ---- changing ---- */

/* A copy of the row to change, in the row's place. */
static struct model_row *
change_row(struct model *model, int table, const struct model_row *row)
{
    struct model_row *changed = new_row(model);

    *changed = *row;
    put_row(&model->tables[table], changed);
    return changed;
}

knackdb_status
model_update(struct model *model, int table, int64_t id, const uint32_t *columns, const knackdb_value *values,
             size_t count, int *ret_column)
{
    const struct model_row *row = row_with_id(&model->tables[table], id);
    const struct model_row *with_key;
    struct model_row        changed;

    *ret_column = -1;
    for (size_t i = 0; i < count; i++)
        if (columns[i] == 0 || columns[i] >= model_shapes[table].column_count ||
            !may_be_stored(table, columns[i], &values[i])) {
            *ret_column = (int) columns[i];
            return KNACKDB_INVALID;
        }
    if (row == NULL)
        return KNACKDB_NOT_FOUND;
    changed = *row;
    for (size_t i = 0; i < count; i++)
        changed.cells[columns[i]] = as_kept(table, columns[i], &values[i]);

    /* A key that another row has is not taken from it by an update. */
    for (size_t i = 0; i < model->tables[table].count; i++) {
        struct model_rows one = { .rows = &model->tables[table].rows[i], .count = 1 };

        with_key = row_with_key_of(&one, table, changed.cells);
        if (with_key != NULL && with_key != row)
            return KNACKDB_EXISTS;
    }
    *change_row(model, table, row) = changed;
    return KNACKDB_OK;
}

knackdb_status
model_set_weight(struct model *model, int64_t id, double weight)
{
    const struct model_row *row = row_with_id(&model->tables[KNACKDB_EXECUTION_PATTERNS], id);
    struct model_row       *changed;

    if (!isfinite(weight) || weight < 0 || weight > 1)
        return KNACKDB_INVALID;
    if (row == NULL)
        return KNACKDB_NOT_FOUND;
    changed = change_row(model, KNACKDB_EXECUTION_PATTERNS, row);
    changed->cells[KNACKDB_PATTERN_CONFIDENCE_SCORE] = knackdb_value_real(weight);
    changed->cells[KNACKDB_PATTERN_UPDATED_AT] = now_cell(model);
    return KNACKDB_OK;
}

knackdb_status
model_use_pattern(struct model *model, int64_t id)
{
    const struct model_row *row = row_with_id(&model->tables[KNACKDB_EXECUTION_PATTERNS], id);
    knackdb_value           count;

    if (row == NULL)
        return KNACKDB_NOT_FOUND;
    if (count_up(&row->cells[KNACKDB_PATTERN_USAGE_COUNT], 1, &count) != KNACKDB_OK)
        return KNACKDB_INVALID;
    change_row(model, KNACKDB_EXECUTION_PATTERNS, row)->cells[KNACKDB_PATTERN_USAGE_COUNT] = count;
    return KNACKDB_OK;
}

knackdb_status
model_use_preference(struct model *model, knackdb_text type, knackdb_text value)
{
    const struct model_row *row = model_by_preference(model, type, value);
    struct model_row       *changed;
    knackdb_value           count;

    if (row == NULL)
        return KNACKDB_NOT_FOUND;
    if (count_up(&row->cells[KNACKDB_PREFERENCE_USAGE_COUNT], 1, &count) != KNACKDB_OK)
        return KNACKDB_INVALID;
    changed = change_row(model, KNACKDB_USER_PREFERENCES, row);
    changed->cells[KNACKDB_PREFERENCE_USAGE_COUNT] = count;
    changed->cells[KNACKDB_PREFERENCE_LAST_USED] = now_cell(model);
    return KNACKDB_OK;
}

knackdb_status
model_delete(struct model *model, int table, int64_t id)
{
    if (row_with_id(&model->tables[table], id) == NULL)
        return KNACKDB_NOT_FOUND;
    remove_row(&model->tables[table], id);
    return KNACKDB_OK;
}

uint64_t
model_clean_up(struct model *model, int table, double before)
{
    struct model_rows *rows = &model->tables[table];
    int                age_column = model_shapes[table].age_column;
    size_t             kept = 0;
    uint64_t           deleted;

    for (size_t i = 0; i < rows->count; i++) {
        const knackdb_value *age = &rows->rows[i]->cells[age_column];

        if (age->type == KNACKDB_NULL || !(age->as.real < before))
            rows->rows[kept++] = rows->rows[i];
    }
    deleted = rows->count - kept;
    rows->count = kept;
    return deleted;
}

void
model_settle_now(struct model *model, double now)
{
    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < model->tables[table].count; i++) {
            struct model_row settled = *model->tables[table].rows[i];
            bool             awaits = false;

            for (size_t column = 0; column < model_shapes[table].column_count; column++)
                if (model_is_now(&settled.cells[column])) {
                    settled.cells[column].as.real = now;
                    awaits = true;
                }
            if (awaits)
                *change_row(model, table, model->tables[table].rows[i]) = settled;
        }
    model->awaits_now = false;
}

/* ---- by key ---- */

const struct model_row *
model_by_id(const struct model *model, int table, int64_t id)
{
    return row_with_id(&model->tables[table], id);
}

const struct model_row *
model_by_external_id(const struct model *model, knackdb_text external_id)
{
    struct model_row wanted;

    memset(&wanted, 0, sizeof wanted);
    wanted.cells[KNACKDB_PATTERN_EXTERNAL_ID] = knackdb_value_text(external_id);
    return row_with_key_of(&model->tables[KNACKDB_EXECUTION_PATTERNS], KNACKDB_EXECUTION_PATTERNS, wanted.cells);
}

const struct model_row *
model_by_preference(const struct model *model, knackdb_text type, knackdb_text value)
{
    struct model_row wanted;

    memset(&wanted, 0, sizeof wanted);
    wanted.cells[KNACKDB_PREFERENCE_TYPE] = knackdb_value_text(type);
    wanted.cells[KNACKDB_PREFERENCE_VALUE] = knackdb_value_text(value);
    return row_with_key_of(&model->tables[KNACKDB_USER_PREFERENCES], KNACKDB_USER_PREFERENCES, wanted.cells);
}
