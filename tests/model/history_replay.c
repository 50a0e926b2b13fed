/* history_replay.c - the replay log, applied to nothing, gives the rows that the store has.
 *
 * Every entry is applied by what the header says of its operation and by no other
 * rule: a whole row is put, columns are set, a row or the old rows go. */
#include "history.h"

#include <inttypes.h>
#include <stdlib.h>

/* Texts of the log live until its next call, the model wants them for ever. */
struct kept_text {
    struct kept_text *older;
    char              data[];
};

static knackdb_value
keep(struct kept_text **kept, knackdb_value value)
{
    struct kept_text *text;

    if (value.type != KNACKDB_TEXT)
        return value;
    text = malloc(sizeof *text + value.as.text.length + 1);
    if (text == NULL)
        abort(); /* a test without memory shows nothing */
    memcpy(text->data, value.as.text.data, value.as.text.length);
    text->data[value.as.text.length] = '\0'; /* so that a message can print it */
    text->older = *kept;
    *kept = text;
    value.as.text.data = text->data;
    return value;
}

static bool
apply(struct history *history, struct model *replayed, struct kept_text **kept, const knackdb_log_entry *entry)
{
    const struct model_row *row = model_by_id(replayed, entry->table, entry->id);
    knackdb_value           cells[MODEL_COLUMNS_MAX];

    memset(cells, 0, sizeof cells);
    switch (entry->operation) {
    case KNACKDB_LOG_UPDATE:
        if (row == NULL)
            return history_fails(history, "commit %" PRIu64 " updates id %" PRId64 ", which is not there",
                                 entry->sequence, entry->id);
        memcpy(cells, row->cells, sizeof cells);
        /* and then as a whole row */
        __attribute__((fallthrough));
    case KNACKDB_LOG_PUT:
        for (size_t i = 0; i < entry->column_count; i++)
            cells[entry->columns[i]] = keep(kept, entry->values[i]);
        cells[0] = knackdb_value_integer(entry->id);
        model_put(replayed, entry->table, cells);
        return true;
    case KNACKDB_LOG_DELETE:
        return model_delete(replayed, entry->table, entry->id) == KNACKDB_OK ||
               history_fails(history, "commit %" PRIu64 " deletes id %" PRId64 ", which is not there", entry->sequence,
                             entry->id);
    case KNACKDB_LOG_CLEAN_UP: (void) model_clean_up(replayed, entry->table, entry->values[0].as.real); return true;
    }
    return history_fails(history, "commit %" PRIu64 " holds operation %d", entry->sequence, (int) entry->operation);
}

static bool
apply_all(struct history *history, knackdb_log *log, struct model *replayed, struct kept_text **kept)
{
    knackdb_log_entry entry;
    knackdb_error     error;
    knackdb_status    status;
    uint64_t          sequence = 0;
    uint32_t          left = 0; /* operations of the commit still to come */

    if (knackdb_log_first_sequence(log) != (history->sequence > 0 ? 1 : 0))
        return history_fails(history, "the log begins with commit %" PRIu64, knackdb_log_first_sequence(log));
    while ((status = knackdb_log_next(log, &entry, &error)) == KNACKDB_OK) {
        if (left == 0 ? entry.sequence != sequence + 1 || entry.batch_index != 0
                      : entry.sequence != sequence || entry.batch_index != entry.batch_count - left)
            return history_fails(history, "commit %" PRIu64 ", operation %u of %u, after commit %" PRIu64,
                                 entry.sequence, entry.batch_index, entry.batch_count, sequence);
        left = entry.batch_count - entry.batch_index - 1;
        sequence = entry.sequence;
        if (!apply(history, replayed, kept, &entry))
            return false;
    }
    if (status != KNACKDB_NOT_FOUND)
        return history_fails(history, "the log: %s", error.message);
    if (sequence != history->sequence || left != 0 || knackdb_log_torn_bytes(log, NULL, NULL) != 0)
        return history_fails(history,
                             "the log ends with commit %" PRIu64 ", %u operations short, %" PRIu64 " bytes torn",
                             sequence, left, knackdb_log_torn_bytes(log, NULL, NULL));
    return true;
}

bool
history_replay(struct history *history)
{
    struct model      replayed;
    struct kept_text *kept = NULL;
    knackdb_log      *log;
    knackdb_read     *read;
    knackdb_error     error;
    bool              agree;

    history_says(history, "replay the log");
    if (knackdb_log_open(history->directory, &log, &error) != KNACKDB_OK)
        return history_fails(history, "%s", error.message);
    model_init(&replayed);
    agree = apply_all(history, log, &replayed, &kept);
    knackdb_log_close(log);
    if (agree && knackdb_read_begin(history->db, &read, &error) != KNACKDB_OK)
        agree = history_fails(history, "%s", error.message);
    else if (agree) {
        agree = agree_on_all(read, &replayed, &history->why);
        knackdb_read_end(read);
    }
    model_clear(&replayed);
    while (kept != NULL) {
        struct kept_text *older = kept->older;

        free(kept);
        kept = older;
    }
    return agree;
}
