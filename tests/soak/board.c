/* board.c - see board.h. */
#include "board.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

struct board *board;

static const char *const claim_texts[CLAIMS] = {
    [CLAIM_RULE] = "made-up series: the rule tells growth from swinging",
    [CLAIM_KEPT] =
        "a killed writer's directory holds every commit that had returned, or had been seen, and at most one more",
    [CLAIM_WHOLE] = "every row of it is as its newest commit left it, and no other is there",
    [CLAIM_ANSWERS] = "each call of the writer answers as it must: status, ids given, rows cleaned up",
    [CLAIM_READERS] = "what readers in the writer see is one moment, in rows and in answers",
    [CLAIM_FOLLOWERS] = "a follower sees what had returned before it asked, and what it sees is one moment",
    [CLAIM_MOMENTS] = "an earlier moment that is kept can be opened, and is as it was",
    [CLAIM_BACKUPS] =
        "a backup opens with all that had returned before it began; one whose writer died is no store or a whole one",
    [CLAIM_STATE] = "the store says that it is ok",
    [CLAIM_VERIFY] = "verify finds no fault at the end",
    [CLAIM_ENDS] = "every process ends as it was told to",
    [CLAIM_WRITER_MEMORY] = "memory of the writers, one after the other, is flat",
    [CLAIM_LIFE_MEMORY] = "memory of the writer that is left alone for a while is flat",
    [CLAIM_FOLLOWER_MEMORY] = "memory of the follower that is never killed is flat",
    [CLAIM_DISK] = "the directory is flat",
};

void
board_make(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        abort();
    for (int i = 0; i < CLAIMS; i++)
        board->claims[i].text = claim_texts[i];
}

void
count_up(enum counter counter, uint64_t by)
{
    atomic_fetch_add_explicit(&board->counters[counter], by, memory_order_relaxed);
}

uint64_t
counted(enum counter counter)
{
    return atomic_load_explicit(&board->counters[counter], memory_order_relaxed);
}

bool
board_judge(enum claim_name claim, bool right, struct findings *findings)
{
    count_up(COUNT_ROWS_CHECKED, findings->rows_checked);
    count_up(COUNT_ROWS_LOST, findings->rows_lost);
    count_up(COUNT_ROWS_EXTRA, findings->rows_extra);
    (void) claim_check(&board->claims[claim], right, "%s", findings->first);
    memset(findings, 0, sizeof *findings);
    return right;
}

bool
board_witness(enum claim_name claim, knackdb_read *read)
{
    struct findings findings = { .rows_checked = 0 };
    bool            right = witness_all(&board->schedule, read, &findings);

    count_up(COUNT_VIEWS, 1);
    return board_judge(claim, right, &findings);
}

void
board_see(uint64_t sequence)
{
    uint64_t seen = atomic_load(&board->seen);

    while (seen < sequence && !atomic_compare_exchange_weak(&board->seen, &seen, sequence)) {
    }
}

uint64_t
draw(uint64_t *dice, uint64_t bound)
{
    return mix((*dice)++, 1) % bound;
}

void
pause_us(uint64_t us)
{
    struct timespec time = { (time_t) (us / 1000000), (long) (us % 1000000) * 1000 };

    (void) nanosleep(&time, NULL);
}

uint64_t
draw_us(uint64_t *dice, double from_s, double to_s)
{
    double scale = board->duration_s / 120;
    double share = (double) draw(dice, 1000001) / 1e6;

    return (uint64_t) (1e6 * (scale < 1 ? scale : 1) * (from_s + share * (to_s - from_s)));
}
