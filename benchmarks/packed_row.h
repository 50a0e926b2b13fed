/* packed_row.h - rows as bytes and index keys whose byte order is the order asked for,
 * for stores that know keys and values only (LMDB, RocksDB).
 *
 *     pattern   execution_time .. usage_count: seven of eight bytes
 *               five text lengths of four bytes
 *               the texts, one behind the other
 *     metric    metric_value, baseline_value, improvement_percentage, measured_at
 *               two lengths, two texts
 *
 * Numbers in rows are as this machine has them: such a user's file stays on his machine.
 * Numbers in keys are big-endian, flipped where the greatest comes first. An index's value
 * holds what its question asks for, so that an answer needs no second look-up. */
#ifndef BENCHMARKS_PACKED_ROW_H
#define BENCHMARKS_PACKED_ROW_H

#include "workload.h"

#define PACKED_BYTES_MAX 1024

/** Bytes written so far; what does not fit stops the program. */
struct packed {
    size_t length;
    char   bytes[PACKED_BYTES_MAX];
};

void pack_pattern(struct packed *packed, const struct pattern_row *row);
/** The texts point into `bytes`. The id is a part of the key. */
void unpack_pattern(struct text bytes, int64_t id, struct pattern_row *ret_row);

void pack_metric(struct packed *packed, const struct metric_row *row);
void unpack_metric(struct text bytes, int64_t id, struct metric_row *ret_row);

/** What a top question asks for of a row, beside what the key of the index tells. */
void pack_choice(struct packed *packed, const struct pattern_row *row);
void unpack_choice(struct text bytes, double *ret_success_rate, struct text *ret_pattern_used);

/** A key begins empty, with a prefix of the store's own, or none. */
void key_begin(struct packed *key, const char *prefix);
/** A text and the zero byte that ends it: names hold none. */
void key_add_text(struct packed *key, struct text text);
void key_add_integer(struct packed *key, int64_t integer);
void key_add_integer_falling(struct packed *key, int64_t integer);
void key_add_real_falling(struct packed *key, double real);

/** Read from the end of a key, where numbers have a fixed place. */
int64_t key_integer(struct text key, size_t from_end);
int64_t key_integer_falling(struct text key, size_t from_end);
double  key_real_falling(struct text key, size_t from_end);

#endif
