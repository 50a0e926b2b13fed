/* block_values.h - a block's values, one after the other, and what must be true of them. */
#ifndef TESTS_FUZZ_BLOCK_VALUES_H
#define TESTS_FUZZ_BLOCK_VALUES_H

#include "persist/block_format.h"

/* For a decoder that block_open() has accepted: touches every byte of every value. */
void block_values_read(struct block_decoder *decoder);

#endif
