/* parameterized.h - a test that runs once with each of several parameters. See criterion.h. */
#ifndef TESTS_PLAIN_CRITERION_PARAMETERIZED_H
#define TESTS_PLAIN_CRITERION_PARAMETERIZED_H

#include <criterion/criterion.h>

#define ParameterizedTestParameters(Suite, Name) static struct criterion_parameters Suite##_##Name##_parameters(void)

#define cr_make_param_array(Type, Array, Count)       \
    (struct criterion_parameters)                     \
    {                                                 \
        (const char *) (Array), sizeof(Type), (Count) \
    }

#define ParameterizedTest(Parameter, Suite, Name, ...)                    \
    static void Suite##_##Name(Parameter);                                \
    CRITERION_TEST(Suite, Name, Suite##_##Name##_parameters, __VA_ARGS__) \
    static void Suite##_##Name##_run(void *parameter)                     \
    {                                                                     \
        Suite##_##Name(parameter);                                        \
    }                                                                     \
    static void Suite##_##Name(Parameter)

#endif
