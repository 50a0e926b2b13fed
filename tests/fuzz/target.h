/* target.h - what every fuzz target is: one function over bytes that nobody vouches for.
 *
 * libFuzzer finds the bytes (`./run fuzz`); replay_inputs.c gives it the committed ones (`./run test`). A target
 * fails by dying: of a sanitizer, or of a CLAIM that does not hold. It keeps nothing from one call to the next but
 * what is the same for every input, takes no lock, starts no thread and opens no file: then it runs some ten
 * thousand times a second. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in any build. */
#define CLAIM(condition)                                                                                    \
    do {                                                                                                    \
        if (!(condition)) {                                                                                 \
            (void) fprintf(stderr, "%s:%d: the claim does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                                        \
        }                                                                                                   \
    } while (0)

#endif
