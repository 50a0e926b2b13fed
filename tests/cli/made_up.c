/* made_up.c - the rows of `knackdb bench` are the same each time, whichever compiler made it: what a row draws comes
 * from the stream in one order. */
#include "cli/made_up.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The next number itself; only the largest one would come out as another. */
static uint64_t
next_of(struct made_up *stream)
{
    return made_up_below(stream, UINT64_MAX);
}

Test(made_up, a_context_draws_in_the_order_it_is_read_in)
{
    struct made_up       made_up = { .state = UINT64_C(0x9E3779B97F4A7C15) };
    struct made_up       stream = made_up;
    struct made_up_texts texts;
    char                 first[17], second[17], branch[17], wanted[200];
    int                  files, retries;
    knackdb_pattern      pattern = made_up_pattern(&made_up, &texts);

    (void) next_of(&stream); /* the task type */
    (void) next_of(&stream); /* the pattern used */
    (void) snprintf(first, sizeof first, "%016" PRIx64, next_of(&stream));
    (void) snprintf(second, sizeof second, "%016" PRIx64, next_of(&stream));
    files = (int) made_up_below(&stream, 500);
    (void) snprintf(branch, sizeof branch, "%" PRIx64, next_of(&stream));
    retries = (int) made_up_below(&stream, 4);
    (void) snprintf(wanted, sizeof wanted, "{\"run\":\"%s%s\",\"files\":%d,\"branch\":\"feature/%s\",\"retries\":%d}",
                    first, second, files, branch, retries);
    cr_assert_eq(pattern.context_factors.length, strlen(wanted));
    cr_assert_eq(memcmp(pattern.context_factors.data, wanted, strlen(wanted)), 0, "%s", texts.context);
}
