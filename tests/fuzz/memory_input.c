/* memory_input.c - the functions of cli/input.h over bytes in memory, and what is done with a source of rows.
 *
 * The linker takes these in place of cli/input.c and cli/complaint.c: no file is opened and nothing is printed. The
 * window is a block of its own size, moved at every read, so that a pointer kept too long or a byte read too far is
 * seen by AddressSanitizer. */
#include "memory_input.h"

#include "base/hash.h"
#include "complaint.h"
#include "row_source.h"
#include "target.h"

#include <string.h>

struct input {
    uint8_t *all;
    size_t   size;
    size_t   read; /* of `all`, into windows so far */
    size_t   step;
    char    *window;
    size_t   taken; /* from its front */
    size_t   length;
};

struct input *
memory_input_open(const uint8_t *data, size_t size, size_t step)
{
    struct input *input = calloc(1, sizeof *input);

    CLAIM(input != NULL);
    input->all = malloc(size + 1);
    CLAIM(input->all != NULL);
    if (size > 0)
        memcpy(input->all, data, size);
    input->window = malloc(1);
    CLAIM(input->window != NULL);
    input->size = size;
    input->step = step;
    return input;
}

void
input_close(struct input *input)
{
    if (input == NULL)
        return;
    free(input->window);
    free(input->all);
    free(input);
}

char *
input_window(struct input *input, size_t *ret_length, bool *ret_is_all)
{
    *ret_length = input->length - input->taken;
    *ret_is_all = input->read == input->size;
    return input->window + input->taken;
}

void
input_take(struct input *input, size_t bytes)
{
    CLAIM(bytes <= input->length - input->taken);
    input->taken += bytes;
}

bool
input_read_more(struct input *input)
{
    size_t left = input->length - input->taken;
    size_t more = input->size - input->read;
    char  *window;

    if (input->step != 0 && more > input->step)
        more = input->step;
    window = malloc(left + more > 0 ? left + more : 1);
    CLAIM(window != NULL);
    if (left > 0)
        memcpy(window, input->window + input->taken, left);
    memcpy(window + left, input->all + input->read, more);
    free(input->window);
    input->window = window;
    input->length = left + more;
    input->taken = 0;
    input->read += more;
    return true;
}

bool
input_rewind(struct input *input)
{
    input->length = input->taken = input->read = 0;
    return input_read_more(input);
}

const char *
input_name(const struct input *input)
{
    (void) input;
    return "memory";
}

int
complain(enum exit_status status, const char *what, const char *where, const char *why, ...)
{
    (void) what;
    (void) where;
    CLAIM(why != NULL && why[0] != '\0');
    return (int) status;
}

/* ---- rows ---- */

struct pass {
    bool     failed; /* the source can give no more */
    size_t   rows;
    size_t   bad;
    uint64_t contents; /* a hash of every value */
};

static uint64_t
hash_value(const knackdb_value *value, uint64_t seed)
{
    switch (value->type) {
    case KNACKDB_TEXT: return hash_bytes(value->as.text.data, value->as.text.length, seed + 3);
    case KNACKDB_INTEGER:
    case KNACKDB_REAL: return hash_bytes(&value->as, 8, seed + (uint64_t) value->type);
    default: return hash_integer(seed + 9);
    }
}

static struct pass
read_pass(struct row_source *source, int table)
{
    struct pass     pass = { 0 };
    knackdb_value   values[KNACKDB_COLUMNS_MAX];
    char            place[ROW_PLACE_BYTES];
    enum row_result result;
    int             drained = 0;

    while ((result = source->next(source, values)) != ROW_END && result != ROW_FAILED) {
        if (result == ROW_DRAINED) {
            CLAIM(drained++ < 1000000); /* it comes to an end */
            CLAIM(source->refill(source));
            continue;
        }
        source->tell_place(source, place);
        if (result == ROW_BAD) {
            CLAIM(source->why[0] != '\0');
            CLAIM(source->column >= -1 && source->column < (int) source->table->column_count);
            pass.bad++;
            continue;
        }
        pass.rows++;
        for (size_t i = 0; i < source->table->column_count; i++)
            pass.contents = hash_value(&values[i], pass.contents);
        (void) knackdb_check_row(table, values, source->table->column_count, NULL);
    }
    pass.failed = result == ROW_FAILED;
    return pass;
}

void
memory_input_read_rows(struct row_source *source, int table)
{
    struct pass first = read_pass(source, table);
    struct pass second;

    if (first.failed) /* an import ends there */
        return;
    CLAIM(source->rewind(source));
    second = read_pass(source, table);
    CLAIM(first.rows == second.rows && first.bad == second.bad && first.contents == second.contents);
}

struct import_shape
import_shape_of(uint8_t byte)
{
    static const size_t steps[] = { 0, 1, 2, 3, 7, 13, 64, 500 };

    return (struct import_shape) { .table = (int) (byte / 8 % knackdb_table_count()), .step = steps[byte % 8] };
}
