/* target_json_list.c - does a JSON list hold a string? Asked of core and of the model's own reading of RFC 8259
 * (tests/model/json_list.c), which must agree. Before the first line feed stands the string, behind it the list. */
#include "core/list.h"

#include "../model/model.h"
#include "target.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *feed = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t         length = feed != NULL ? (size_t) (feed - data) : 0;
    char          *wanted;
    char          *list;
    size_t         list_length;
    bool           found;

    if (feed == NULL)
        return 0;
    list_length = size - length - 1;
    /* Blocks of their own, so that a byte read too far is seen. */
    wanted = malloc(length > 0 ? length : 1);
    list = malloc(list_length > 0 ? list_length : 1);
    CLAIM(wanted != NULL && list != NULL);
    memcpy(wanted, data, length);
    memcpy(list, feed + 1, list_length);
    found = list_contains((knackdb_text) { list, list_length }, (knackdb_text) { wanted, length });
    CLAIM(found == json_list_contains((knackdb_text) { list, list_length }, (knackdb_text) { wanted, length }));
    free(wanted);
    free(list);
    return 0;
}
