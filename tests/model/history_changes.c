/* history_changes.c - random changes, made of the store and of the model.
 *
 * What a change returned must be what the model says; what it touched must read the
 * same; the sequence must have risen by one, or, where it was refused, not at all.
 * Texts are handed over in memory that is overwritten and freed as soon as the call
 * returns, since the store promises to have copied them. */
#include "history.h"
#include "row_structs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- texts that do not outlive the call ---- */

struct lent_texts {
    char  *data;
    size_t bytes;
};

static struct lent_texts
lend_texts(knackdb_value *values, size_t count)
{
    struct lent_texts lent = { NULL, 0 };
    size_t            at = 0;

    for (size_t i = 0; i < count; i++)
        if (values[i].type == KNACKDB_TEXT && values[i].as.text.data != NULL)
            lent.bytes += values[i].as.text.length;
    lent.data = malloc(lent.bytes + 1);
    if (lent.data == NULL)
        abort(); /* a test without memory shows nothing */
    for (size_t i = 0; i < count; i++)
        if (values[i].type == KNACKDB_TEXT && values[i].as.text.data != NULL) {
            memcpy(lent.data + at, values[i].as.text.data, values[i].as.text.length);
            values[i].as.text.data = lent.data + at;
            at += values[i].as.text.length;
        }
    return lent;
}

static void
take_texts_back(struct lent_texts *lent)
{
    memset(lent->data, 0xee, lent->bytes);
    free(lent->data);
}

/* ---- after a change ---- */

static bool
settle_now(struct history *history, knackdb_read *read, double before, double after)
{
    double now = (double) NAN;

    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < history->model.tables[table].count; i++) {
            const struct model_row *row = history->model.tables[table].rows[i];

            for (uint32_t column = 0; column < model_shapes[table].column_count; column++) {
                knackdb_row   found;
                knackdb_value cell;

                if (!model_is_now(&row->cells[column]))
                    continue;
                if (knackdb_read_by_id(read, table, row->cells[0].as.integer, &found) != KNACKDB_OK)
                    return history_fails(history, "id %" PRId64 " is gone after its change", row->cells[0].as.integer);
                cell = knackdb_read_value(read, table, found, column);
                if (cell.type != KNACKDB_REAL || cell.as.real < before - 1e-5 || cell.as.real > after + 1e-5)
                    return history_fails(history, "%s is %.17g, not between %.17g and %.17g",
                                         knackdb_table_describe(table)->columns[column].name, cell.as.real, before,
                                         after);
                if (!isnan(now) && now != cell.as.real)
                    return history_fails(history, "one commit has two times, %.17g and %.17g", now, cell.as.real);
                now = cell.as.real;
            }
        }
    model_settle_now(&history->model, now);
    return true;
}

/* The change has been made of both: `status` is the store's, `expected` the model's. */
static bool
check_change(struct history *history, knackdb_status status, knackdb_status expected, const knackdb_error *error,
             double before, int table, const int64_t *ids, const knackdb_value *cells, size_t cells_a_row, size_t count)
{
    double        after = knackdb_now();
    knackdb_read *read;
    bool          agree = true;

    if (status != expected)
        return history_fails(history, "the store says %s%s%s, the model %s", knackdb_status_text(status),
                             status != KNACKDB_OK ? ", " : "", status != KNACKDB_OK ? error->message : "",
                             knackdb_status_text(expected));
    if (status != KNACKDB_OK && error->message[0] == '\0')
        return history_fails(history, "%s without a message", knackdb_status_text(status));
    if (status == KNACKDB_OK)
        history->sequence++;

    if (knackdb_read_begin(history->db, &read, NULL) != KNACKDB_OK)
        return history_fails(history, "a read view cannot begin");
    if (knackdb_read_sequence(read) != history->sequence)
        agree = history_fails(history, "the sequence is %" PRIu64 ", it should be %" PRIu64,
                              knackdb_read_sequence(read), history->sequence);
    if (agree && history->model.awaits_now)
        agree = settle_now(history, read, before, after);
    agree = agree && agree_on_counts(read, &history->model, &history->why);
    for (size_t i = 0; agree && i < count; i++)
        agree = (ids == NULL || agree_on_id(read, &history->model, table, ids[i], &history->why)) &&
                (cells == NULL || agree_on_keys(read, &history->model, table, &cells[i * cells_a_row], &history->why));
    knackdb_read_end(read);
    return agree;
}

static bool
check_column(struct history *history, int table, int expected, const knackdb_error *error)
{
    const char *name;

    if (expected < 0)
        return true;
    name = knackdb_table_describe(table)->columns[expected].name;
    if (error->column != expected || strstr(error->message, name) == NULL)
        return history_fails(history, "column %d (%s) is at fault, the store names %d: %s", expected, name,
                             error->column, error->message);
    return true;
}

/* ---- storing ---- */

/* A row struct has no INTEGER for a REAL field. */
static void
make_reals(int table, knackdb_value *cells)
{
    for (size_t column = 0; column < model_shapes[table].column_count; column++)
        if (model_shapes[table].columns[column].type == KNACKDB_REAL && cells[column].type == KNACKDB_INTEGER)
            cells[column] = knackdb_value_real((double) cells[column].as.integer);
}

/* The same rows through the struct calls; cells are MODEL_COLUMNS_MAX apart. */
static knackdb_status
store_structs(struct history *history, int table, knackdb_value (*rows)[MODEL_COLUMNS_MAX], size_t count,
              uint32_t flags, int64_t *ret_ids, knackdb_error *error)
{
    static const size_t bytes[] = { sizeof(knackdb_pattern), sizeof(knackdb_preference), sizeof(knackdb_metric) };
    union {
        void               *any;
        knackdb_pattern    *patterns;
        knackdb_preference *preferences;
        knackdb_metric     *metrics;
    } structs = { calloc(count, bytes[table]) };
    bool           one = count == 1 && flags == KNACKDB_STORE_REPLACE && random_chance(&history->random, 2);
    knackdb_status status;

    if (structs.any == NULL)
        abort(); /* a test without memory shows nothing */
    for (size_t i = 0; i < count; i++) {
        if (table == KNACKDB_EXECUTION_PATTERNS)
            cells_to_pattern(rows[i], &structs.patterns[i]);
        else if (table == KNACKDB_USER_PREFERENCES)
            cells_to_preference(rows[i], &structs.preferences[i]);
        else
            cells_to_metric(rows[i], &structs.metrics[i]);
    }
    if (table == KNACKDB_EXECUTION_PATTERNS)
        status = one ? knackdb_pattern_store(history->db, structs.patterns, ret_ids, error)
                     : knackdb_patterns_store(history->db, structs.patterns, count, flags, ret_ids, error);
    else if (table == KNACKDB_USER_PREFERENCES)
        status = one ? knackdb_preference_store(history->db, structs.preferences, ret_ids, error)
                     : knackdb_preferences_store(history->db, structs.preferences, count, flags, ret_ids, error);
    else
        status = one ? knackdb_metric_store(history->db, structs.metrics, ret_ids, error)
                     : knackdb_metrics_store(history->db, structs.metrics, count, flags, ret_ids, error);
    free(structs.any);
    return status;
}

static bool
store_some(struct history *history)
{
    struct random_source *random = &history->random;
    uint32_t              pick = random_below(random, 4);
    int                   table = pick < 2 ? KNACKDB_EXECUTION_PATTERNS : (int) pick - 1;
    size_t                full = model_shapes[table].column_count;
    size_t                column_count = random_chance(random, 6) ? 1 + random_below(random, (uint32_t) full) : full;
    size_t                count = random_chance(random, 3) ? 2 + random_below(random, 7) : 1;
    uint32_t              flags = random_chance(random, 7) ? KNACKDB_STORE_NEW : KNACKDB_STORE_REPLACE;
    bool                  spoil = flags == KNACKDB_STORE_REPLACE && random_chance(random, 14);
    bool                  as_structs = column_count == full && !spoil && random_chance(random, 2);
    knackdb_value         rows[HISTORY_BATCH_MAX][MODEL_COLUMNS_MAX];
    knackdb_value        *values = malloc(HISTORY_BATCH_MAX * full * sizeof *values);
    knackdb_value        *theirs = malloc(HISTORY_BATCH_MAX * full * sizeof *values);
    int64_t               our_ids[HISTORY_BATCH_MAX], their_ids[HISTORY_BATCH_MAX];
    int                   column;
    struct lent_texts     lent;
    knackdb_error         error;
    knackdb_status        status, expected;
    double                before;
    bool                  agree;

    if (values == NULL || theirs == NULL)
        abort(); /* a test without memory shows nothing */
    if (history->in_large_batches && random_chance(random, 2))
        count = 1 + random_below(random, HISTORY_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        random_row(random, table, rows[i]);
        if (as_structs)
            make_reals(table, rows[i]);
        memcpy(&values[i * column_count], rows[i], column_count * sizeof *values);
    }
    if (spoil)
        (void) random_spoil(random, table, column_count,
                            &values[random_below(random, (uint32_t) count) * column_count]);
    history_says(history, "store %zu in %s, %zu columns%s%s%s", count, knackdb_table_describe(table)->name,
                 column_count, flags == KNACKDB_STORE_NEW ? ", new ones only" : "", spoil ? ", one bad" : "",
                 as_structs ? ", as structs" : "");

    for (size_t i = 0; i < count; i++)
        our_ids[i] = their_ids[i] = -7;
    memset(&error, 0, sizeof error);
    before = knackdb_now();
    if (as_structs) {
        knackdb_value(*lent_rows)[MODEL_COLUMNS_MAX] = malloc(count * sizeof *lent_rows);

        if (lent_rows == NULL)
            abort(); /* a test without memory shows nothing */
        memcpy(lent_rows, rows, count * sizeof *lent_rows);
        for (size_t i = 0; i < count; i++)
            for (size_t at = full; at < MODEL_COLUMNS_MAX; at++)
                lent_rows[i][at] = knackdb_value_null();
        lent = lend_texts(lent_rows[0], count * MODEL_COLUMNS_MAX);
        status = store_structs(history, table, lent_rows, count, flags, their_ids, &error);
        free(lent_rows);
    } else {
        memcpy(theirs, values, count * column_count * sizeof *values);
        lent = lend_texts(theirs, count * column_count);
        status = knackdb_store_rows(history->db, table, theirs, column_count, count, flags, their_ids, &error);
    }
    take_texts_back(&lent);
    expected = model_store(&history->model, table, values, column_count, count, flags, our_ids, &column);

    agree = check_column(history, table, status == expected ? column : -1, &error);
    for (size_t i = 0; agree && status == KNACKDB_OK && expected == KNACKDB_OK && i < count; i++)
        if (their_ids[i] != our_ids[i])
            agree = history_fails(history, "row %zu of %zu: id %" PRId64 " from the store, %" PRId64 " from the model",
                                  i, count, their_ids[i], our_ids[i]);
    for (size_t i = 0; i < count; i++)
        for (size_t at = column_count; at < full; at++)
            rows[i][at] = knackdb_value_null();
    agree = agree &&
            check_change(history, status, expected, &error, before, table, expected == KNACKDB_OK ? our_ids : NULL,
                         spoil ? NULL : rows[0], MODEL_COLUMNS_MAX, count);
    free(values);
    free(theirs);
    return agree;
}

/* ---- changing rows that are there ---- */

static const struct model_row *
random_living_row(struct history *history, int table)
{
    const struct model_rows *rows = &history->model.tables[table];

    return rows->count == 0 ? NULL : rows->rows[random_below(&history->random, (uint32_t) rows->count)];
}

/* Mostly an id that is there. */
static int64_t
random_known_id(struct history *history, int table)
{
    const struct model_row *row = random_living_row(history, table);

    return row == NULL || random_chance(&history->random, 10) ? random_id(&history->random) : row->cells[0].as.integer;
}

static bool
update_one(struct history *history)
{
    struct random_source   *random = &history->random;
    int                     table = (int) random_below(random, MODEL_TABLES);
    size_t                  full = model_shapes[table].column_count;
    int64_t                 id = random_known_id(history, table);
    uint32_t                columns[MODEL_COLUMNS_MAX];
    knackdb_value           cells[MODEL_COLUMNS_MAX], values[MODEL_COLUMNS_MAX], theirs[MODEL_COLUMNS_MAX];
    size_t                  count = 0;
    int                     column;
    struct lent_texts       lent;
    knackdb_error           error;
    knackdb_status          status, expected;
    const struct model_row *changed;
    double                  before;

    random_row(random, table, cells);
    if (model_by_id(&history->model, table, id) != NULL && random_chance(random, 12))
        while (random_spoil(random, table, full, cells) == 0)
            random_row(random, table, cells);
    for (uint32_t i = 1; i < full; i++)
        if (random_chance(random, 3))
            columns[count++] = i;
    if (count == 0)
        columns[count++] = 1;
    for (size_t i = count - 1; i > 0; i--) { /* in any order */
        size_t   other = random_below(random, (uint32_t) i + 1);
        uint32_t swapped = columns[i];

        columns[i] = columns[other];
        columns[other] = swapped;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = cells[columns[i]];
    memcpy(theirs, values, sizeof theirs);
    history_says(history, "update %zu columns of id %" PRId64 " in %s", count, id, knackdb_table_describe(table)->name);

    memset(&error, 0, sizeof error);
    lent = lend_texts(theirs, count);
    before = knackdb_now();
    status = knackdb_update_row(history->db, table, id, columns, theirs, count, &error);
    take_texts_back(&lent);
    expected = model_update(&history->model, table, id, columns, values, count, &column);
    changed = model_by_id(&history->model, table, id);
    return check_column(history, table, status == expected ? column : -1, &error) &&
           check_change(history, status, expected, &error, before, table, &id, changed != NULL ? changed->cells : NULL,
                        0, 1);
}

static bool
set_weight(struct history *history)
{
    static const double     odd[] = { 0.0, -0.0, 1.0, 1.5, -0.25, (double) NAN, (double) INFINITY };
    struct random_source   *random = &history->random;
    int64_t                 id = random_known_id(history, KNACKDB_EXECUTION_PATTERNS);
    const struct model_row *row = model_by_id(&history->model, KNACKDB_EXECUTION_PATTERNS, id);
    double                  weight = random_below(random, 1001) / 1000.0;
    bool                    has_external = row != NULL && row->cells[KNACKDB_PATTERN_EXTERNAL_ID].type == KNACKDB_TEXT;
    bool                    external = has_external && random_chance(random, 2);
    knackdb_error           error;
    knackdb_status          status;
    double                  before = knackdb_now();

    if (row != NULL && random_chance(random, 6))
        weight = odd[random_below(random, sizeof odd / sizeof odd[0])];
    history_says(history, "weight %g of pattern %" PRId64 "%s", weight, id, external ? " by external_id" : "");
    memset(&error, 0, sizeof error);
    status = external
                 ? knackdb_pattern_set_weight_external(history->db, row->cells[KNACKDB_PATTERN_EXTERNAL_ID].as.text,
                                                       weight, &error)
                 : knackdb_pattern_set_weight(history->db, id, weight, &error);
    return check_change(history, status, model_set_weight(&history->model, id, weight), &error, before,
                        KNACKDB_EXECUTION_PATTERNS, &id, NULL, 0, 1);
}

static bool
use_pattern(struct history *history)
{
    struct random_source   *random = &history->random;
    int64_t                 id = random_known_id(history, KNACKDB_EXECUTION_PATTERNS);
    knackdb_text            external_id = random_external_id(random);
    const struct model_row *row = model_by_external_id(&history->model, external_id);
    knackdb_error           error;
    double                  before = knackdb_now();

    memset(&error, 0, sizeof error);
    if (random_chance(random, 2)) {
        history_says(history, "use of pattern %" PRId64, id);
        return check_change(history, knackdb_pattern_use(history->db, id, &error),
                            model_use_pattern(&history->model, id), &error, before, KNACKDB_EXECUTION_PATTERNS, &id,
                            NULL, 0, 1);
    }
    id = row != NULL ? row->cells[0].as.integer : 0;
    history_says(history, "use of pattern %.40s", external_id.data);
    return check_change(history, knackdb_pattern_use_external(history->db, external_id, &error),
                        row == NULL ? KNACKDB_NOT_FOUND : model_use_pattern(&history->model, id), &error, before,
                        KNACKDB_EXECUTION_PATTERNS, &id, NULL, 0, 1);
}

static bool
use_preference(struct history *history)
{
    struct random_source   *random = &history->random;
    const struct model_row *row = random_living_row(history, KNACKDB_USER_PREFERENCES);
    knackdb_text            type = random->texts[random_below(random, 6)];
    knackdb_text            value = random->texts[random_below(random, 10)];
    knackdb_value           cells[MODEL_COLUMNS_MAX];
    knackdb_error           error;
    double                  before = knackdb_now();

    if (row != NULL && row->cells[KNACKDB_PREFERENCE_TYPE].type == KNACKDB_TEXT &&
        row->cells[KNACKDB_PREFERENCE_VALUE].type == KNACKDB_TEXT && !random_chance(random, 6)) {
        type = row->cells[KNACKDB_PREFERENCE_TYPE].as.text;
        value = row->cells[KNACKDB_PREFERENCE_VALUE].as.text;
    }
    memset(cells, 0, sizeof cells);
    cells[KNACKDB_PREFERENCE_TYPE] = knackdb_value_text(type);
    cells[KNACKDB_PREFERENCE_VALUE] = knackdb_value_text(value);
    history_says(history, "use of preference \"%.40s\", \"%.40s\"", type.data, value.data);
    memset(&error, 0, sizeof error);
    return check_change(history, knackdb_preference_use(history->db, type, value, &error),
                        model_use_preference(&history->model, type, value), &error, before, KNACKDB_USER_PREFERENCES,
                        NULL, cells, MODEL_COLUMNS_MAX, 1);
}

static bool
delete_one(struct history *history)
{
    int                     table = (int) random_below(&history->random, MODEL_TABLES);
    int64_t                 id = random_known_id(history, table);
    const struct model_row *row = model_by_id(&history->model, table, id);
    knackdb_error           error;
    double                  before = knackdb_now();

    history_says(history, "delete id %" PRId64 " of %s", id, knackdb_table_describe(table)->name);
    memset(&error, 0, sizeof error);
    return check_change(history, knackdb_delete(history->db, table, id, &error),
                        model_delete(&history->model, table, id), &error, before, table, &id,
                        row != NULL ? row->cells : NULL, 0, 1);
}

/* ---- cleaning up ---- */

/* Clean-up that finds nothing need not be a commit. */
static bool
check_clean_up(struct history *history, knackdb_status status, const knackdb_error *error, uint64_t deleted,
               uint64_t expected)
{
    if (status != KNACKDB_OK || deleted != expected)
        return history_fails(history, "%s %s, %" PRIu64 " rows deleted, %" PRIu64 " by the model",
                             knackdb_status_text(status), status == KNACKDB_OK ? "" : error->message, deleted,
                             expected);
    if (expected == 0)
        history->sequence--; /* check_change() counts a commit for what succeeds */
    return check_change(history, status, KNACKDB_OK, error, 0, 0, NULL, NULL, 0, 0);
}

static bool
clean_up_before(struct history *history)
{
    struct random_source *random = &history->random;
    int                   table = random_chance(random, 2) ? KNACKDB_EXECUTION_PATTERNS : KNACKDB_PERFORMANCE_METRICS;
    double                cutoff = random->time_now * random_below(random, 1200) / 1000.0;
    uint64_t              deleted = UINT64_MAX;
    knackdb_error         error;
    knackdb_status        status;

    history_says(history, "clean up %s before %g", knackdb_table_describe(table)->name, cutoff);
    memset(&error, 0, sizeof error);
    status = knackdb_clean_up_before(history->db, table, cutoff, &deleted, &error);
    return check_clean_up(history, status, &error, deleted, model_clean_up(&history->model, table, cutoff));
}

/* Whether a row's time is so near the cutoff that the clock would decide. */
static bool
any_row_within(const struct model *model, double from, double to)
{
    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; model_shapes[table].age_column >= 0 && i < model->tables[table].count; i++) {
            const knackdb_value *age = &model->tables[table].rows[i]->cells[model_shapes[table].age_column];

            if (age->type == KNACKDB_REAL && age->as.real >= from && age->as.real <= to)
                return true;
        }
    return false;
}

static bool
clean_up_older(struct history *history)
{
    struct random_source *random = &history->random;
    double                cutoff = random->time_now * random_below(random, 1000) / 1000.0 + 0.55;
    uint64_t              deleted = UINT64_MAX, expected;
    knackdb_error         error;
    knackdb_status        status;

    if (any_row_within(&history->model, cutoff - 0.01, cutoff + 3))
        return clean_up_before(history);
    history_says(history, "clean up what is older than %g", cutoff);
    memset(&error, 0, sizeof error);
    status = knackdb_clean_up(history->db, knackdb_now() - cutoff, &deleted, &error);
    expected = model_clean_up(&history->model, KNACKDB_EXECUTION_PATTERNS, cutoff);
    expected += model_clean_up(&history->model, KNACKDB_PERFORMANCE_METRICS, cutoff);
    return check_clean_up(history, status, &error, deleted, expected);
}

bool
history_change(struct history *history)
{
    uint32_t kind = random_below(&history->random, 100);

    if (kind < 56)
        return store_some(history);
    if (kind < 70)
        return update_one(history);
    if (kind < 76)
        return set_weight(history);
    if (kind < 81)
        return use_pattern(history);
    if (kind < 86)
        return use_preference(history);
    if (kind < 98)
        return delete_one(history);
    return kind == 98 ? clean_up_before(history) : clean_up_older(history);
}
