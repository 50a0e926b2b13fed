/* history_questions.c - random questions, asked of a view and of the model of the same moment. */
#include "history.h"

#include <inttypes.h>
#include <stdlib.h>

static int
random_table(struct random_source *random)
{
    uint32_t pick = random_below(random, 4);

    return pick < 2 ? KNACKDB_EXECUTION_PATTERNS : (int) pick - 1;
}

/* A new question, or one asked before: an answer kept since then must not be an old one. */
static bool
ask_query(struct history *history, knackdb_read *read, const struct model *model)
{
    struct random_source *random = &history->random;
    struct history_query *kept = &history->queries[random_below(random, HISTORY_QUERIES_MAX)];
    knackdb_error         error;

    if (!kept->asked || random_chance(random, 6)) {
        knackdb_prepared_free(kept->prepared);
        kept->prepared = NULL;
        random_query(random, random_table(random), &kept->question);
        kept->asked = true;
    }
    if (kept->prepared == NULL && random_chance(random, 2) &&
        knackdb_prepare(history->db, &kept->question.query, &kept->prepared, &error) != KNACKDB_OK)
        return history_fails(history, "cannot prepare: %s", error.message);
    return agree_on_query(read, model, &kept->question.query, random_chance(random, 2) ? kept->prepared : NULL,
                          &history->why);
}

static bool
ask_aggregate(struct history *history, knackdb_read *read, const struct model *model)
{
    struct random_source *random = &history->random;
    int                   table = random_table(random);
    size_t                columns = model_shapes[table].column_count;
    struct random_query   question;
    double                percentiles[4];
    size_t                percentile_count = random_below(random, 5);
    uint32_t              value_column;
    int32_t               group_column = -1;

    random_query(random, table, &question);
    do
        value_column = random_below(random, (uint32_t) columns);
    while (model_shapes[table].columns[value_column].type == KNACKDB_TEXT);
    if (!random_chance(random, 4))
        do
            group_column = (int32_t) random_below(random, (uint32_t) columns);
        while (model_shapes[table].columns[group_column].type != KNACKDB_TEXT);
    for (size_t i = 0; i < percentile_count; i++)
        percentiles[i] = random_chance(random, 3) ? 50.0 * random_below(random, 3) : random_below(random, 1001) / 10.0;
    return agree_on_aggregate(read, model, &question.query, value_column, group_column, percentiles, percentile_count,
                              &history->why);
}

static bool
ask_score(struct history *history, const struct model *model)
{
    const struct model_rows *rows = &model->tables[KNACKDB_EXECUTION_PATTERNS];

    return rows->count == 0 ||
           agree_on_score(rows->rows[random_below(&history->random, (uint32_t) rows->count)], history->random.time_now,
                          1 + random_below(&history->random, 1000), &history->why);
}

bool
history_ask(struct history *history, knackdb_read *read, const struct model *model)
{
    struct random_source *random = &history->random;
    int                   table;

    switch (random_below(random, 8)) {
    case 0: table = random_table(random); return agree_on_id(read, model, table, random_id(random), &history->why);
    case 1: return ask_aggregate(history, read, model);
    case 2: {
        knackdb_value cells[MODEL_COLUMNS_MAX];

        table = random_table(random);
        random_row(random, table, cells);
        return agree_on_keys(read, model, table, cells, &history->why);
    }
    case 3: return ask_score(history, model);
    default: return ask_query(history, read, model);
    }
}

bool
history_ask_store(struct history *history)
{
    struct random_source *random = &history->random;
    knackdb_text          none = { NULL, 0 };
    knackdb_text          one = random->texts[8 + random_below(random, 4)];
    knackdb_text          other = random->texts[8 + random_below(random, 4)];

    switch (random_below(random, 4)) {
    case 0:
        return agree_on_history(history->db, &history->model, one, random_chance(random, 2) ? none : other,
                                random_chance(random, 2) ? 0 : random_below(random, 500),
                                random_chance(random, 2) ? 0 : random_below(random, 1000),
                                random_chance(random, 2) ? 0 : 1 + random_below(random, 10), &history->why);
    case 1:
        return agree_on_preferences(history->db, &history->model, random->texts[random_below(random, 6)],
                                    random_chance(random, 2) ? none : random->texts[random_below(random, 12)],
                                    &history->why);
    case 2: {
        const struct model_rows *rows = &history->model.tables[KNACKDB_EXECUTION_PATTERNS];
        int64_t                  id = random_id(random);
        knackdb_text             external_id = random_external_id(random);
        bool                     by_id = random_chance(random, 2);
        knackdb_pattern         *pattern = NULL;
        knackdb_status           status;
        const struct model_row  *ours;

        if (by_id && rows->count > 0)
            id = rows->rows[random_below(random, (uint32_t) rows->count)]->cells[0].as.integer;
        status = by_id ? knackdb_pattern_get(history->db, id, &pattern, NULL)
                       : knackdb_pattern_get_external(history->db, external_id, &pattern, NULL);
        ours = by_id ? model_by_id(&history->model, KNACKDB_EXECUTION_PATTERNS, id)
                     : model_by_external_id(&history->model, external_id);
        if (status != (ours != NULL ? KNACKDB_OK : KNACKDB_NOT_FOUND) ||
            (ours != NULL && pattern->id != ours->cells[0].as.integer)) {
            knackdb_free(pattern);
            return history_fails(history, "get by %s: %s, the model has %s", by_id ? "id" : "external_id",
                                 knackdb_status_text(status), ours != NULL ? "one" : "none");
        }
        knackdb_free(pattern);
        return true;
    }
    default: {
        struct random_query question;

        random_query(random, random_table(random), &question);
        return agree_on_copies(history->db, &history->model, &question.query, &history->why);
    }
    }
}
