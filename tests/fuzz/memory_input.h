/* memory_input.h - bytes in the place of a file, for the sources of rows: cli/input.h, kept by memory_input.c. */
#ifndef TESTS_FUZZ_MEMORY_INPUT_H
#define TESTS_FUZZ_MEMORY_INPUT_H

#include "input.h"

#include <knackdb.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes are copied. The window grows by `step` bytes at each read; 0: all at once. NULL without memory. */
struct input *memory_input_open(const uint8_t *data, size_t size, size_t step);

struct row_source;

/* Reads all rows twice, as an import does, and claims that both passes saw the same: how many rows, of them bad, and
 * all that was in them. Each good row is checked as a store would. */
void memory_input_read_rows(struct row_source *source, int table);

/* Which table, and how many bytes at a time, by the first byte of an input. */
struct import_shape {
    int    table;
    size_t step;
};
struct import_shape import_shape_of(uint8_t byte);

#endif
