/* target_condition.c - what people write after --where and --order-by: conditions, sort keys, lists of columns. The
 * first byte says of which table. */
#include "columns.h"
#include "condition.h"
#include "target.h"

#include <string.h>

static void
claim_condition(const knackdb_table_info *table, const struct parsed_condition *parsed, size_t length)
{
    const knackdb_condition *condition = &parsed->condition;
    knackdb_type             type;

    CLAIM(condition->column < table->column_count);
    type = table->columns[condition->column].type;
    CLAIM(condition->value_count <= CONDITION_VALUES_MAX);
    CLAIM(condition->op != KNACKDB_ONE_OF || condition->value_count > 0);
    for (size_t i = 0; i < condition->value_count; i++) {
        const knackdb_value *value = &condition->values[i];

        CLAIM((type == KNACKDB_TEXT) == (value->type == KNACKDB_TEXT));
        if (value->type == KNACKDB_TEXT)
            CLAIM(value->as.text.data >= parsed->text && value->as.text.length <= length &&
                  value->as.text.data + value->as.text.length <= parsed->text + length);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const knackdb_table_info *table;
    struct parsed_condition   parsed;
    knackdb_order             order;
    uint32_t                  columns[KNACKDB_COLUMNS_MAX];
    size_t                    count;
    char                      why[COLUMN_WHY_BYTES];
    char                     *text;
    size_t                    length;

    if (size == 0)
        return 0;
    table = knackdb_table_describe((int) (data[0] % knackdb_table_count()));
    length = size - 1;
    text = malloc(length + 1);
    CLAIM(text != NULL);
    memcpy(text, data + 1, length);
    text[length] = '\0';
    why[0] = '\0';
    if (condition_parse(text, length, table, &parsed, why)) {
        claim_condition(table, &parsed, length);
        condition_clear(&parsed);
    } else {
        CLAIM(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
    }
    why[0] = '\0';
    if (sort_key_parse(text, length, table, &order, why))
        CLAIM(order.column == KNACKDB_ORDER_BY_SCORE ||
              (order.column >= 0 && order.column < (int) table->column_count));
    else
        CLAIM(why[0] != '\0');
    why[0] = '\0';
    if (columns_parse(text, table, columns, &count, why))
        CLAIM(count > 0 && count <= table->column_count);
    else
        CLAIM(why[0] != '\0');
    free(text);
    return 0;
}
