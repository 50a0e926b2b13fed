/* victim.c - see victim.h. */
#define _GNU_SOURCE
#include "victim.h"

#include "../model/agreement.h"
#include "changes.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIFE_US_MAX 20000000 /* a writer that hangs is killed by then, and missed in the tally */

/* ---- the child ---- */

static void *
write_snapshots(void *db)
{
    for (;;)
        if (knackdb_snapshot(db, NULL) != KNACKDB_OK)
            _exit(3);
    return NULL;
}

static _Noreturn void
child_main(const char *directory, const struct round *round, int acknowledged)
{
    struct random_source random;
    knackdb             *db;
    pthread_t            thread;
    knackdb_error        error;

    if (round->prepare != NULL)
        round->prepare(round->prepare_context);
    random_init(&random, round->seed);
    if (knackdb_open(directory, &round->options, &db, &error) != KNACKDB_OK) {
        fprintf(stderr, "the writer cannot open: %s\n", error.message);
        _exit(2);
    }
    if (round->snapshots && pthread_create(&thread, NULL, write_snapshots, db) != 0)
        _exit(4);
    for (int i = 0; i < round->changes; i++) {
        struct change  change;
        knackdb_status status;

        change_draw(&random, &change);
        status = change_make(db, &change);
        if (status == KNACKDB_IO || status == KNACKDB_CORRUPT || status == KNACKDB_NO_MEMORY)
            _exit(5);
        if (write(acknowledged, "k", 1) != 1)
            _exit(6);
        if (round->snapshot_every > 0 && i % round->snapshot_every == round->snapshot_every - 1 &&
            knackdb_snapshot(db, NULL) != KNACKDB_OK)
            _exit(7);
    }
    for (;;)
        pause(); /* to be killed with everything acknowledged and nothing closed */
}

/* ---- the parent ---- */

static uint64_t
now_us(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

int64_t
victim_run(const char *directory, const struct round *round)
{
    char     bytes[4096];
    int      acknowledged[2], status;
    int64_t  count = 0;
    ssize_t  got;
    pid_t    child;
    bool     killed = false;
    uint64_t end;

    if (pipe(acknowledged) != 0)
        abort();
    fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        close(acknowledged[0]);
        child_main(directory, round, acknowledged[1]);
    }
    close(acknowledged[1]);
    end = now_us() + (round->opens_first || round->life_us == UINT32_MAX ? LIFE_US_MAX : round->life_us);
    for (;;) {
        struct pollfd   waited = { .fd = acknowledged[0], .events = POLLIN };
        uint64_t        now = now_us();
        struct timespec left = { now < end ? (time_t) ((end - now) / 1000000) : 0,
                                 now < end ? (long) ((end - now) % 1000000) * 1000 : 0 };

        if (!killed && now >= end) {
            (void) kill(child, SIGKILL);
            killed = true;
        }
        if (!killed && ppoll(&waited, 1, &left, NULL) == 0)
            continue;
        got = read(acknowledged[0], bytes, sizeof bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (count == 0 && round->opens_first && round->life_us != UINT32_MAX)
            end = now_us() + round->life_us;
        count += got;
        if (round->life_us == UINT32_MAX && count == round->changes)
            end = 0;
    }
    close(acknowledged[0]);
    if (waitpid(child, &status, 0) != child)
        abort();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? count : -1;
}

/* Brings the model to a fresh one of the same living rows with their own texts, so that its memory does not grow
 * with its past. Returns the memory of the texts. */
static char *
shed_the_past(struct model *model)
{
    struct model fresh;
    size_t       bytes = 0, at = 0;
    char        *texts;

    for (int table = 0; table < MODEL_TABLES; table++)
        for (size_t i = 0; i < model->tables[table].count; i++)
            for (size_t column = 0; column < model_shapes[table].column_count; column++)
                if (model->tables[table].rows[i]->cells[column].type == KNACKDB_TEXT)
                    bytes += model->tables[table].rows[i]->cells[column].as.text.length;
    texts = malloc(bytes + 1);
    if (texts == NULL)
        abort();         /* a test without memory shows nothing */
    texts[bytes] = '\0'; /* so that a message can print the last one, too */

    model_init(&fresh);
    for (int table = 0; table < MODEL_TABLES; table++) {
        for (size_t i = 0; i < model->tables[table].count; i++) {
            struct model_row row = *model->tables[table].rows[i];

            for (size_t column = 0; column < model_shapes[table].column_count; column++) {
                knackdb_text *text = &row.cells[column].as.text;

                if (row.cells[column].type != KNACKDB_TEXT)
                    continue;
                memcpy(texts + at, text->data, text->length);
                text->data = texts + at;
                at += text->length;
            }
            model_put(&fresh, table, row.cells);
        }
        fresh.tables[table].largest_id = model->tables[table].largest_id;
    }
    model_clear(model);
    *model = fresh;
    return texts;
}

void
memory_init(struct memory *memory)
{
    memset(memory, 0, sizeof *memory);
    model_init(&memory->model);
}

void
memory_clear(struct memory *memory)
{
    model_clear(&memory->model);
    free(memory->texts);
}

bool
victim_compare(const char *directory, const struct round *round, int64_t acknowledged, struct memory *memory,
               struct tally *tally)
{
    struct disagreement  why = { .text = "" };
    struct random_source random;
    struct change        change;
    char                *older_texts = memory->texts;
    knackdb             *db;
    knackdb_read        *read;
    knackdb_stats        stats;
    knackdb_error        error;
    bool                 agree;

    random_init(&random, round->seed);
    for (int64_t i = 0; i < acknowledged; i++) {
        change_draw(&random, &change);
        memory->sequence += change_apply(&memory->model, &change);
    }
    if (knackdb_open(directory, &round->options, &db, &error) != KNACKDB_OK) {
        printf("cannot open: %s\n", error.message);
        random_clear(&random);
        return false;
    }
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    if (knackdb_get_stats(db, &stats, &error) != KNACKDB_OK || knackdb_read_begin(db, &read, &error) != KNACKDB_OK)
        abort();
    if (stats.sequence == memory->sequence + 1 && acknowledged < round->changes) {
        change_draw(&random, &change);
        memory->sequence += change_apply(&memory->model, &change);
        tally->under_way++;
    }
    agree = stats.sequence == memory->sequence && agree_on_all(read, &memory->model, &why);
    if (!agree)
        printf("%" PRId64 " calls acknowledged, commit %" PRIu64 " expected, %" PRIu64 " found. %s\n", acknowledged,
               memory->sequence, stats.sequence, why.text);
    tally->torn += stats.torn_bytes > 0;
    knackdb_read_end(read);
    if (round->tidies && knackdb_snapshot(db, &error) != KNACKDB_OK) {
        printf("cannot take a snapshot: %s\n", error.message);
        agree = false;
    }
    if (knackdb_close(db, &error) != KNACKDB_OK) {
        printf("cannot close: %s\n", error.message);
        agree = false;
    }
    memory->texts = shed_the_past(&memory->model);
    free(older_texts);
    random_clear(&random);
    return agree;
}
