/* criterion.h - what the tests use of Criterion, where there is no Criterion.
 *
 * Criterion begins each test by executing its own program anew, which a program under
 * qemu cannot do, and there is none for every processor. Here a test is a fork; the
 * program says the same lines, so that tests/summary.py counts them the same way.
 * What no test of ours uses is not here. */
#ifndef TESTS_PLAIN_CRITERION_H
#define TESTS_PLAIN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct criterion_options {
    void (*init)(void);
    void (*fini)(void);
    double timeout; /* seconds; 0 is none */
};

struct criterion_parameters {
    const char *base;
    size_t      size;
    size_t      count;
};

struct criterion_test {
    const char              *suite;
    const char              *name;
    struct criterion_options options;
    void (*run)(void *parameter);
    struct criterion_parameters (*parameters)(void); /* NULL: run once */
    struct criterion_test *next;
};

struct criterion_suite {
    const char              *name;
    struct criterion_options options;
    struct criterion_suite  *next;
};

void criterion_add_test(struct criterion_test *test);
void criterion_add_suite(struct criterion_suite *suite);

/** Says where and what; the test has failed, and goes on. */
void criterion_failed(const char *file, int line, const char *claim, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void criterion_end_test(void);
_Noreturn void criterion_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CRITERION_TEST(Suite, Name, Parameters, ...)                                \
    static void                              Suite##_##Name##_run(void *parameter); \
    __attribute__((constructor)) static void Suite##_##Name##_add(void)             \
    {                                                                               \
        static struct criterion_test test = {                                       \
            #Suite, #Name, { __VA_ARGS__ }, Suite##_##Name##_run, Parameters, NULL, \
        };                                                                          \
        criterion_add_test(&test);                                                  \
    }

#define Test(Suite, Name, ...)                        \
    static void Suite##_##Name(void);                 \
    CRITERION_TEST(Suite, Name, NULL, __VA_ARGS__)    \
    static void Suite##_##Name##_run(void *parameter) \
    {                                                 \
        (void) parameter;                             \
        Suite##_##Name();                             \
    }                                                 \
    static void Suite##_##Name(void)

#define TestSuite(Suite, ...)                                                    \
    __attribute__((constructor)) static void Suite##_suite_add(void)             \
    {                                                                            \
        static struct criterion_suite suite = { #Suite, { __VA_ARGS__ }, NULL }; \
        criterion_add_suite(&suite);                                             \
    }                                                                            \
    extern int criterion_unused

/* A message is a format with what belongs to it, or nothing. */
#define CRITERION_CLAIM(Holds, Claim, After, ...)                         \
    do {                                                                  \
        if (!(Holds)) {                                                   \
            criterion_failed(__FILE__, __LINE__, Claim, " " __VA_ARGS__); \
            After;                                                        \
        }                                                                 \
    } while (0)
#define CRITERION_ASSERT(Holds, Claim, ...) CRITERION_CLAIM(Holds, Claim, criterion_end_test(), __VA_ARGS__)
#define CRITERION_EXPECT(Holds, Claim, ...) CRITERION_CLAIM(Holds, Claim, (void) 0, __VA_ARGS__)

#define cr_assert(Claim, ...)        CRITERION_ASSERT(Claim, #Claim, __VA_ARGS__)
#define cr_assert_not(Claim, ...)    CRITERION_ASSERT(!(Claim), "not " #Claim, __VA_ARGS__)
#define cr_assert_eq(A, B, ...)      CRITERION_ASSERT((A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_assert_neq(A, B, ...)     CRITERION_ASSERT((A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_assert_lt(A, B, ...)      CRITERION_ASSERT((A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_assert_leq(A, B, ...)     CRITERION_ASSERT((A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_assert_gt(A, B, ...)      CRITERION_ASSERT((A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_assert_geq(A, B, ...)     CRITERION_ASSERT((A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_assert_null(A, ...)       CRITERION_ASSERT((A) == NULL, #A " is NULL", __VA_ARGS__)
#define cr_assert_not_null(A, ...)   CRITERION_ASSERT((A) != NULL, #A " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(A, B, ...)  CRITERION_ASSERT(strcmp(A, B) == 0, #A " is " #B, __VA_ARGS__)
#define cr_assert_str_neq(A, B, ...) CRITERION_ASSERT(strcmp(A, B) != 0, #A " is not " #B, __VA_ARGS__)
#define cr_assert_str_empty(A, ...)  CRITERION_ASSERT((A)[0] == '\0', #A " is empty", __VA_ARGS__)
#define cr_assert_arr_eq(A, B, Size, ...) \
    CRITERION_ASSERT(memcmp(A, B, Size) == 0, #A " has the bytes of " #B, __VA_ARGS__)
#define cr_assert_float_eq(A, B, Epsilon, ...) \
    CRITERION_ASSERT(fabs((double) (A) - (double) (B)) <= (Epsilon), #A " is near " #B, __VA_ARGS__)

#define cr_expect(Claim, ...)       CRITERION_EXPECT(Claim, #Claim, __VA_ARGS__)
#define cr_expect_not(Claim, ...)   CRITERION_EXPECT(!(Claim), "not " #Claim, __VA_ARGS__)
#define cr_expect_eq(A, B, ...)     CRITERION_EXPECT((A) == (B), #A " == " #B, __VA_ARGS__)
#define cr_expect_neq(A, B, ...)    CRITERION_EXPECT((A) != (B), #A " != " #B, __VA_ARGS__)
#define cr_expect_lt(A, B, ...)     CRITERION_EXPECT((A) < (B), #A " < " #B, __VA_ARGS__)
#define cr_expect_leq(A, B, ...)    CRITERION_EXPECT((A) <= (B), #A " <= " #B, __VA_ARGS__)
#define cr_expect_gt(A, B, ...)     CRITERION_EXPECT((A) > (B), #A " > " #B, __VA_ARGS__)
#define cr_expect_geq(A, B, ...)    CRITERION_EXPECT((A) >= (B), #A " >= " #B, __VA_ARGS__)
#define cr_expect_null(A, ...)      CRITERION_EXPECT((A) == NULL, #A " is NULL", __VA_ARGS__)
#define cr_expect_not_null(A, ...)  CRITERION_EXPECT((A) != NULL, #A " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) CRITERION_EXPECT(strcmp(A, B) == 0, #A " is " #B, __VA_ARGS__)
#define cr_expect_float_eq(A, B, Epsilon, ...) \
    CRITERION_EXPECT(fabs((double) (A) - (double) (B)) <= (Epsilon), #A " is near " #B, __VA_ARGS__)

#define cr_assert_fail(...) CRITERION_ASSERT(false, "this is never reached", __VA_ARGS__)
#define cr_skip(...)        criterion_skip(__VA_ARGS__)

#endif
