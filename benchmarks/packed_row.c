#include "packed_row.h"

#include "failure.h"

#include <endian.h>

static void
put(struct packed *packed, const void *bytes, size_t length)
{
    if (length > sizeof packed->bytes - packed->length)
        fail("a packed row is longer than %zu bytes", sizeof packed->bytes);
    memcpy(packed->bytes + packed->length, bytes, length);
    packed->length += length;
}

static void
put_lengths_and_texts(struct packed *packed, const struct text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t length = (uint32_t) texts[i].length;
        put(packed, &length, sizeof length);
    }
    for (size_t i = 0; i < count; i++)
        put(packed, texts[i].data, texts[i].length);
}

static void
take_texts(const char *lengths, struct text *ret_texts, size_t count)
{
    const char *data = lengths + count * sizeof(uint32_t);

    for (size_t i = 0; i < count; i++) {
        uint32_t length;
        memcpy(&length, lengths + i * sizeof length, sizeof length);
        ret_texts[i].data = data;
        ret_texts[i].length = length;
        data += length;
    }
}

struct pattern_numbers {
    double  execution_time, success_rate, confidence_score, created_at, updated_at;
    int64_t agent_count, usage_count;
};

void
pack_pattern(struct packed *packed, const struct pattern_row *row)
{
    struct pattern_numbers numbers = { row->execution_time, row->success_rate, row->confidence_score, row->created_at,
                                       row->updated_at,     row->agent_count,  row->usage_count };
    struct text            texts[5] = { row->task_type, row->pattern_used, row->complexity_level, row->tools_used,
                                        row->context_factors };

    packed->length = 0;
    put(packed, &numbers, sizeof numbers);
    put_lengths_and_texts(packed, texts, 5);
}

void
unpack_pattern(struct text bytes, int64_t id, struct pattern_row *ret_row)
{
    struct pattern_numbers numbers;
    struct text            texts[5];

    memcpy(&numbers, bytes.data, sizeof numbers);
    take_texts(bytes.data + sizeof numbers, texts, 5);
    ret_row->id = id;
    ret_row->task_type = texts[0];
    ret_row->pattern_used = texts[1];
    ret_row->execution_time = numbers.execution_time;
    ret_row->success_rate = numbers.success_rate;
    ret_row->confidence_score = numbers.confidence_score;
    ret_row->agent_count = numbers.agent_count;
    ret_row->complexity_level = texts[2];
    ret_row->tools_used = texts[3];
    ret_row->context_factors = texts[4];
    ret_row->created_at = numbers.created_at;
    ret_row->updated_at = numbers.updated_at;
    ret_row->usage_count = numbers.usage_count;
}

void
pack_metric(struct packed *packed, const struct metric_row *row)
{
    double      numbers[4] = { row->metric_value, row->baseline_value, row->improvement_percentage, row->measured_at };
    struct text texts[2] = { row->component_name, row->metric_name };

    packed->length = 0;
    put(packed, numbers, sizeof numbers);
    put_lengths_and_texts(packed, texts, 2);
}

void
unpack_metric(struct text bytes, int64_t id, struct metric_row *ret_row)
{
    double      numbers[4];
    struct text texts[2];

    memcpy(numbers, bytes.data, sizeof numbers);
    take_texts(bytes.data + sizeof numbers, texts, 2);
    ret_row->id = id;
    ret_row->component_name = texts[0];
    ret_row->metric_name = texts[1];
    ret_row->metric_value = numbers[0];
    ret_row->baseline_value = numbers[1];
    ret_row->improvement_percentage = numbers[2];
    ret_row->measured_at = numbers[3];
}

void
pack_choice(struct packed *packed, const struct pattern_row *row)
{
    packed->length = 0;
    put(packed, &row->success_rate, sizeof row->success_rate);
    put(packed, row->pattern_used.data, row->pattern_used.length);
}

void
unpack_choice(struct text bytes, double *ret_success_rate, struct text *ret_pattern_used)
{
    memcpy(ret_success_rate, bytes.data, sizeof *ret_success_rate);
    ret_pattern_used->data = bytes.data + sizeof *ret_success_rate;
    ret_pattern_used->length = bytes.length - sizeof *ret_success_rate;
}

/* ---- keys -------------------------------------------------------------------- */

void
key_begin(struct packed *key, const char *prefix)
{
    key->length = 0;
    put(key, prefix, strlen(prefix));
}

void
key_add_text(struct packed *key, struct text text)
{
    put(key, text.data, text.length);
    put(key, "", 1);
}

static void
put_ordered(struct packed *key, uint64_t ordered)
{
    uint64_t bytes = htobe64(ordered);
    put(key, &bytes, sizeof bytes);
}

static uint64_t
ordered_at(struct text key, size_t from_end)
{
    uint64_t bytes;

    memcpy(&bytes, key.data + key.length - from_end, sizeof bytes);
    return be64toh(bytes);
}

/* Ids are positive, so the sign needs no care. */
void
key_add_integer(struct packed *key, int64_t integer)
{
    put_ordered(key, (uint64_t) integer);
}

void
key_add_integer_falling(struct packed *key, int64_t integer)
{
    put_ordered(key, ~(uint64_t) integer);
}

/* The bits of doubles order as integers do, but for the sign, whose bit must count as more where it is not set, and
 * negative ones, which order the other way round. */
#define SIGN (UINT64_C(1) << 63)

void
key_add_real_falling(struct packed *key, double real)
{
    uint64_t bits = digest_real(real);

    put_ordered(key, ~(bits & SIGN ? ~bits : bits | SIGN));
}

int64_t
key_integer(struct text key, size_t from_end)
{
    return (int64_t) ordered_at(key, from_end);
}

int64_t
key_integer_falling(struct text key, size_t from_end)
{
    return (int64_t) ~ordered_at(key, from_end);
}

double
key_real_falling(struct text key, size_t from_end)
{
    uint64_t ordered = ~ordered_at(key, from_end), bits = ordered & SIGN ? ordered & ~SIGN : ~ordered;
    double   real;

    memcpy(&real, &bits, sizeof real);
    return real;
}
