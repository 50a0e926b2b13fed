/* group_numbers.c - see group_numbers.h. */
#include "core/group_numbers.h"

#include "base/error.h"

/* Of rows that are all of one group. */
static const uint32_t zeros[GROUP_ROWS];

knackdb_status
group_numbers_init(struct group_numbers *numbers, struct allocator *allocator, const struct table_data *table,
                   int32_t column, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    memset(numbers, 0, sizeof *numbers);
    numbers->allocator = allocator;
    numbers->table = table;
    numbers->column = column;
    if (column < 0) {
        numbers->count = 1;
    } else if (column_is_dictionary(&table->definition->columns[column])) {
        /* Every code of a row that the view sees is less: it was there when the view began. */
        uint32_t code_end = atomic_load_explicit(&table->dictionaries[column].code_end, memory_order_acquire);

        numbers->is_by_code = code_end <= GROUP_NUMBERS_BY_CODE_MAX;
        numbers->count = !numbers->is_by_code ? 0 : code_end != 0 ? code_end : 1; /* NULL is there without a text */
    } else {
        status = epochs_init(&numbers->own_epochs, allocator, error);
        numbers->has_own_codes = status == KNACKDB_OK;
    }
    return status;
}

void
group_numbers_clear(struct group_numbers *numbers)
{
    allocator_put(numbers->allocator, numbers->number_by_code,
                  numbers->code_capacity * sizeof *numbers->number_by_code);
    allocator_put(numbers->allocator, numbers->keys, numbers->key_capacity * sizeof *numbers->keys);
    if (numbers->has_own_codes) {
        dictionary_clear(&numbers->own_codes, &numbers->own_epochs);
        epochs_clear(&numbers->own_epochs);
    }
}

static knackdb_status
code_of_row(struct group_numbers *numbers, row_number row, uint32_t *ret_code, knackdb_error *error)
{
    if (!numbers->has_own_codes) {
        *ret_code = table_code(numbers->table, row, (uint32_t) numbers->column);
        return KNACKDB_OK;
    }
    return dictionary_intern(&numbers->own_codes, &numbers->own_epochs,
                             table_text(numbers->table, row, (uint32_t) numbers->column), ret_code, error);
}

static knackdb_status
number_of_row(struct group_numbers *numbers, row_number row, uint32_t *ret_number, knackdb_error *error)
{
    uint32_t       code;
    uint32_t      *number_by_code;
    knackdb_text  *keys;
    knackdb_status status = code_of_row(numbers, row, &code, error);

    if (status != KNACKDB_OK)
        return status;
    number_by_code = allocator_make_room(numbers->allocator, numbers->number_by_code, (size_t) code + 1,
                                         &numbers->code_capacity, sizeof *number_by_code);
    if (number_by_code == NULL)
        return error_no_memory(error, "the groups of an aggregate");
    numbers->number_by_code = number_by_code;
    keys = allocator_make_room(numbers->allocator, numbers->keys, (size_t) numbers->count + 1, &numbers->key_capacity,
                               sizeof *keys);
    if (keys == NULL)
        return error_no_memory(error, "the groups of an aggregate");
    numbers->keys = keys;
    if (numbers->number_by_code[code] == 0) {
        /* The row's own text, as the codes made for this call go with it. */
        numbers->keys[numbers->count] = table_text(numbers->table, row, (uint32_t) numbers->column);
        numbers->number_by_code[code] = ++numbers->count;
    }
    *ret_number = numbers->number_by_code[code] - 1;
    return KNACKDB_OK;
}

knackdb_status
group_numbers_of(struct group_numbers *numbers, row_number first, const struct selection *selection,
                 const uint32_t **ret_numbers, knackdb_error *error)
{
    knackdb_status status = KNACKDB_OK;

    if (numbers->column < 0) {
        *ret_numbers = zeros;
        return KNACKDB_OK;
    }
    if (numbers->is_by_code) {
        *ret_numbers = TABLE_AT(numbers->table, first, numbers->table->offsets[numbers->column], uint32_t);
        return KNACKDB_OK;
    }
    for (uint32_t w = 0; w < SELECTION_WORDS; w++)
        for (uint64_t rest = selection->words[w]; rest != 0 && status == KNACKDB_OK; rest &= rest - 1) {
            uint32_t place = w * 64 + (uint32_t) __builtin_ctzll(rest);

            status = number_of_row(numbers, first + place, &numbers->numbers[place], error);
        }
    *ret_numbers = numbers->numbers;
    return status;
}

knackdb_text
group_numbers_key(const struct group_numbers *numbers, uint32_t number)
{
    if (numbers->column < 0)
        return (knackdb_text) { NULL, 0 };
    return numbers->is_by_code ? dictionary_text(&numbers->table->dictionaries[numbers->column], number)
                               : numbers->keys[number];
}
