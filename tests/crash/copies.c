/* copies.c - see copies.h. */
#include "tests/crash/copies.h"

#include "persist/repairing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static knackdb_status
open_copy(const struct copy_claim *claim, struct lying_disk *disk, struct life *life)
{
    struct keeper_options reading = { .read_only = true };

    return life_open_guest(life, disk, claim->path, &reading);
}

bool
copy_holds(const struct copy_claim *claim, struct lying_disk *disk, char why[LIFE_WORDS])
{
    struct life    life;
    char           fault[LIFE_WORDS];
    bool           holds;
    knackdb_status status;

    why[0] = '\0';
    if (claim->path[0] == '\0')
        return true;
    status = open_copy(claim, disk, &life);
    if (!claim->is_done && (status == KNACKDB_NOT_FOUND ||
                            (status == KNACKDB_CORRUPT && strstr(life.error.message, "no manifest") != NULL)))
        return true; /* nothing there, or parts that no manifest names */
    if (status != KNACKDB_OK) {
        (void) snprintf(why, LIFE_WORDS, "the copy, %s: status %d: %.400s", claim->is_done ? "done" : "half made",
                        (int) status, life.error.message);
        return false;
    }
    holds = store_sequence(life.store) == claim->sequence && moment_of(life.store).digest == claim->moment.digest;
    if (!holds)
        (void) snprintf(why, LIFE_WORDS, "the copy of commit %" PRIu64 " is another, at commit %" PRIu64,
                        claim->sequence, store_sequence(life.store));
    if (life_close(&life) != KNACKDB_OK) {
        (void) snprintf(why, LIFE_WORDS, "closing the copy: %.400s", life.error.message);
        holds = false;
    }
    status = life_verify(disk, claim->path, fault);
    if (status != KNACKDB_OK) {
        (void) snprintf(why, LIFE_WORDS, "verify of the copy: %.400s", fault);
        holds = false;
    }
    return holds;
}

struct heard {
    uint64_t losses;
    uint64_t first_lost;
    char     text[LIFE_WORDS];
};

static void
hear_loss(void *context, const knackdb_loss *loss)
{
    struct heard *heard = context;

    if (loss->kind == KNACKDB_LOSS_TORN || loss->kind == KNACKDB_LOSS_FRAME)
        return;
    if (heard->losses++ == 0)
        (void) snprintf(heard->text, sizeof heard->text, "%s: offset %" PRIu64 ": %s", loss->file, loss->offset,
                        loss->reason);
    if (loss->kind == KNACKDB_LOSS_COMMITS && (heard->first_lost == 0 || loss->first_sequence < heard->first_lost))
        heard->first_lost = loss->first_sequence;
}

knackdb_status
copy_by_repair(const struct copy_claim *claim, struct lying_disk *disk, uint64_t *ret_losses, uint64_t *ret_first_lost,
               char why[LIFE_WORDS])
{
    struct heard          heard = { .text = "" };
    struct repair_options options = {
        .disk = lying_disk_face(disk),
        .history = schema_history_builtin(),
        .schema = schema_builtin(),
        .on_loss = hear_loss,
        .context = &heard,
    };
    struct allocator allocator;
    knackdb_error    error = { .message = "" };
    knackdb_status   status;

    allocator_init(&allocator, NULL);
    status = repair_directory(&allocator, LIFE_PATH, claim->path, &options, NULL, &error);
    (void) snprintf(why, LIFE_WORDS, "%s", status != KNACKDB_OK ? error.message : heard.text);
    *ret_losses = heard.losses;
    *ret_first_lost = heard.first_lost;
    if (atomic_load(&allocator.bytes) == 0)
        return status;
    (void) snprintf(why, LIFE_WORDS, "memory is left behind");
    return KNACKDB_INVALID;
}

bool
copy_repair_holds(struct lying_disk *disk, const struct oracle *oracle, char why[LIFE_WORDS])
{
    struct copy_claim claim = { .path = "mended" };
    struct life       life;
    uint64_t          losses;
    uint64_t          first_lost;
    bool              holds;
    char              words[256];
    knackdb_status    status = copy_by_repair(&claim, disk, &losses, &first_lost, why);

    if (status == KNACKDB_NOT_FOUND && oracle->promised == 0)
        return true; /* not even a manifest yet */
    /* A log that nothing calls durable may have holes: commits that were told, and were not promised. */
    if (status != KNACKDB_OK || (losses > 0 && (first_lost == 0 || first_lost <= oracle->promised)))
        return false;
    status = open_copy(&claim, disk, &life);
    if (status != KNACKDB_OK) {
        (void) snprintf(why, LIFE_WORDS, "opening it: %.400s", life.error.message);
        return false;
    }
    holds = losses > 0 || oracle_agrees(oracle, life.store, words);
    if (!holds)
        (void) snprintf(why, LIFE_WORDS, "%s", words);
    return life_close(&life) == KNACKDB_OK && holds;
}
