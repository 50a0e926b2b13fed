/* run.c - runs the tests that were added before main(), each in a process of its own. See criterion/criterion.h.
 *
 * A test has passed when its process ends with 0 by itself; a signal, another status, or
 * its time being up is a failure, whatever it said before. Those named in
 * KNACKDB_TESTS_LEFT_OUT, as "suite::name suite::name", are skipped, and counted so. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEST_PASSED, TEST_FAILED, TEST_SKIPPED };

#define SECONDS_DEFAULT 1800

static struct criterion_test  *tests;
static struct criterion_suite *suites;
static bool                    has_failed; /* of the test that runs in this process */

/* Sorted, as Criterion does it: what fails does not depend on how the program was linked. */
static bool
is_before(const struct criterion_test *left, const struct criterion_test *right)
{
    int order = strcmp(left->suite, right->suite);

    return order < 0 || (order == 0 && strcmp(left->name, right->name) < 0);
}

void
criterion_add_test(struct criterion_test *test)
{
    struct criterion_test **place = &tests;

    while (*place != NULL && is_before(*place, test))
        place = &(*place)->next;
    test->next = *place;
    *place = test;
}

void
criterion_add_suite(struct criterion_suite *suite)
{
    suite->next = suites;
    suites = suite;
}

void
criterion_failed(const char *file, int line, const char *claim, const char *format, ...)
{
    va_list arguments;

    has_failed = true;
    fprintf(stderr, "[----] %s:%d: it does not hold that %s:", file, line, claim);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

void
criterion_end_test(void)
{
    _exit(TEST_FAILED);
}

void
criterion_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    _exit(TEST_SKIPPED);
}

static struct criterion_options
options_of_suite(const char *name)
{
    for (struct criterion_suite *suite = suites; suite != NULL; suite = suite->next)
        if (strcmp(suite->name, name) == 0)
            return suite->options;
    return (struct criterion_options) { 0 };
}

/* Is it among the names, whole? */
static bool
is_left_out(const struct criterion_test *test)
{
    const char *names = getenv("KNACKDB_TESTS_LEFT_OUT");
    char        name[300];
    size_t      length = (size_t) snprintf(name, sizeof name, "%s::%s", test->suite, test->name);

    for (const char *at = names; at != NULL && (at = strstr(at, name)) != NULL; at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

_Noreturn static void
run_in_child(const struct criterion_test *test, void *parameter)
{
    struct criterion_options around = options_of_suite(test->suite);

    alarm(test->options.timeout > 0 ? (unsigned) ceil(test->options.timeout) : SECONDS_DEFAULT);
    if (around.init != NULL)
        around.init();
    if (test->options.init != NULL)
        test->options.init();
    test->run(parameter);
    if (test->options.fini != NULL)
        test->options.fini();
    if (around.fini != NULL)
        around.fini();
    fflush(NULL);
    _exit(has_failed ? TEST_FAILED : TEST_PASSED);
}

static int
run(const struct criterion_test *test, void *parameter)
{
    struct timespec begin, end;
    pid_t           child;
    int             status, outcome;
    const char     *word;

    if (is_left_out(test)) {
        fprintf(stderr, "[SKIP] %s::%s: left out on this machine\n", test->suite, test->name);
        return TEST_SKIPPED;
    }
    fflush(NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    child = fork();
    if (child == 0)
        run_in_child(test, parameter);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    clock_gettime(CLOCK_MONOTONIC, &end);

    outcome = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) <= TEST_SKIPPED ? WEXITSTATUS(status) : TEST_FAILED;
    word = outcome == TEST_PASSED ? "PASS" : outcome == TEST_SKIPPED ? "SKIP" : "FAIL";
    if (child > 0 && WIFSIGNALED(status))
        fprintf(stderr, "[----] %s::%s: ended by signal %d\n", test->suite, test->name, WTERMSIG(status));
    fprintf(stderr, "[%s] %s::%s: (%.2fs)\n", word, test->suite, test->name,
            (double) (end.tv_sec - begin.tv_sec) + (double) (end.tv_nsec - begin.tv_nsec) / 1e9);
    return outcome;
}

int
main(void)
{
    size_t counts[TEST_SKIPPED + 1] = { 0 };

    fprintf(stderr, "[----] Criterion v0: tests/plain_criterion\n");
    for (const struct criterion_test *test = tests; test != NULL; test = test->next) {
        struct criterion_parameters parameters = { NULL, 0, 1 };

        if (test->parameters != NULL)
            parameters = test->parameters();
        for (size_t i = 0; i < parameters.count; i++)
            counts[run(test, (void *) (uintptr_t) (parameters.base + i * parameters.size))]++;
    }
    fprintf(stderr, "[====] Synthesis: Tested: %zu | Passing: %zu | Failing: %zu | Crashing: 0\n",
            counts[TEST_PASSED] + counts[TEST_FAILED], counts[TEST_PASSED], counts[TEST_FAILED]);
    return counts[TEST_FAILED] == 0 ? 0 : 1;
}
