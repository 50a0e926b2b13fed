/* repair_losses.c - what a repair could not save, kept until it is known to be true.
 *
 * Beside a writer files may vanish while they are read, and the repair then begins again; so nothing is told before
 * the end. */
#include "persist/repair_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Told as lost, and no loss: an end that any open cuts; bytes that no row needs. */
static bool
is_none(const knackdb_loss *loss)
{
    return loss->kind == KNACKDB_LOSS_TORN || loss->kind == KNACKDB_LOSS_FRAME;
}

static void
count(knackdb_repair_report *report, const knackdb_loss *loss)
{
    report->bytes_lost += loss->bytes;
    if (is_none(loss))
        return;
    report->loss_count++;
    if (loss->kind == KNACKDB_LOSS_ROWS)
        report->rows_lost += loss->row_count;
    if (loss->kind == KNACKDB_LOSS_VALUES)
        report->values_lost += loss->row_count;
    if (loss->kind == KNACKDB_LOSS_VALUES || (loss->kind == KNACKDB_LOSS_ROWS && loss->bytes != 0))
        report->blocks_lost++;
    if (loss->kind == KNACKDB_LOSS_COMMITS && loss->last_sequence >= loss->first_sequence)
        report->commits_lost += loss->last_sequence - loss->first_sequence + 1;
}

void
repair_note(struct repair *repair, const knackdb_loss *loss, const char *file, const char *format, ...)
{
    struct kept_loss *losses = allocator_make_room(repair->allocator, repair->losses, repair->loss_count + 1,
                                                   &repair->loss_capacity, sizeof *losses);
    struct kept_loss *kept;
    va_list           arguments;

    if (losses == NULL) {
        repair->no_memory = true;
        return;
    }
    repair->losses = losses;
    kept = &repair->losses[repair->loss_count++];
    kept->loss = *loss;
    (void) snprintf(kept->file, sizeof kept->file, "%s", file);
    va_start(arguments, format);
    (void) vsnprintf(kept->reason, sizeof kept->reason, format, arguments);
    va_end(arguments);
    count(&repair->report, loss);
}

void
repair_forget_losses(struct repair *repair)
{
    allocator_put(repair->allocator, repair->losses, repair->loss_capacity * sizeof *repair->losses);
    repair->losses = NULL;
    repair->loss_count = repair->loss_capacity = 0;
    repair->no_memory = false;
    memset(&repair->report, 0, sizeof repair->report);
}

uint64_t
repair_count_losses(const struct repair *repair, enum file_kind kind)
{
    uint64_t losses = 0;
    uint64_t number;

    for (size_t i = 0; i < repair->loss_count; i++)
        losses += !is_none(&repair->losses[i].loss) && file_name_read(repair->losses[i].file, &number) == kind;
    return losses;
}

static int
compare_losses(const void *left, const void *right)
{
    const struct kept_loss *a = left;
    const struct kept_loss *b = right;
    int                     order = strcmp(a->file, b->file);

    if (order == 0)
        order = (a->loss.offset > b->loss.offset) - (a->loss.offset < b->loss.offset);
    if (order == 0)
        order = (a->loss.kind > b->loss.kind) - (a->loss.kind < b->loss.kind);
    return order != 0 ? order : (a->loss.column > b->loss.column) - (a->loss.column < b->loss.column);
}

/* The losses so far, in order, to be looked in; they may be many. NULL where there is no memory, or none. */
static struct kept_loss *
copy_in_order(struct repair *repair)
{
    size_t            bytes = repair->loss_count * sizeof *repair->losses;
    struct kept_loss *copy = bytes > 0 ? allocator_get(repair->allocator, bytes) : NULL;

    if (copy == NULL)
        return NULL;
    memcpy(copy, repair->losses, bytes);
    qsort(copy, repair->loss_count, sizeof *copy, compare_losses);
    return copy;
}

void
repair_note_spared(struct repair *repair, const struct repair *given_up)
{
    size_t            own_count = repair->loss_count;
    struct kept_loss *own = copy_in_order(repair);

    if (own == NULL && own_count > 0) {
        repair->no_memory = true;
        return;
    }
    for (size_t i = 0; i < given_up->loss_count; i++) {
        const struct kept_loss *kept = &given_up->losses[i];
        knackdb_loss            loss = {
                       .kind = KNACKDB_LOSS_FRAME,
                       .offset = kept->loss.offset,
                       .bytes = kept->loss.bytes,
                       .table = kept->loss.table,
                       .column = kept->loss.column,
        };
        uint64_t       number;
        enum file_kind kind = file_name_read(kept->file, &number);

        /* Snapshots share parts, so this way may have met the same damage. */
        if (own != NULL && bsearch(kept, own, own_count, sizeof *own, compare_losses) != NULL)
            continue;
        if (kept->loss.kind == KNACKDB_LOSS_MANIFEST)
            repair_note(repair, &kept->loss, kept->file, "%s", kept->reason);
        else if (kind == FILE_PART && kept->loss.kind == KNACKDB_LOSS_FRAME)
            repair_note(repair, &loss, kept->file, "%s", kept->reason);
        else if (kind == FILE_PART)
            repair_note(repair, &loss, kept->file,
                        "%.150s; nothing is lost, as the log since %s leads to the same rows", kept->reason,
                        repair->from_nothing ? "the first commit" : "an earlier snapshot");
    }
    allocator_put(repair->allocator, own, own_count * sizeof *own);
}

void
repair_tell_losses(const struct repair *repair)
{
    for (size_t i = 0; repair->options->on_loss != NULL && i < repair->loss_count; i++) {
        knackdb_loss loss = repair->losses[i].loss;

        loss.file = repair->losses[i].file;
        loss.reason = repair->losses[i].reason;
        repair->options->on_loss(repair->options->context, &loss);
    }
}
