/* target_number.c - numbers and points of time as people write them. A REAL is what strtod() makes of it, to the bit;
 * a number that was read, written and read again is the same; so is a time. */
#include "moment.h"
#include "number.h"
#include "target.h"

#include <math.h>
#include <string.h>

static uint64_t
bits_of(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static void
claim_real(const char *text, size_t length)
{
    char   written[NUMBER_CHARS_MAX];
    size_t written_length;
    double real;
    double again;
    char  *end;

    if (number_parse_real(text, length, &real) != NUMBER_OK)
        return;
    CLAIM(isfinite(real));
    CLAIM(bits_of(strtod(text, &end)) == bits_of(real));
    for (int style = REAL_PLAIN; style <= REAL_POINTED; style++) {
        written_length = number_format_real(real, (enum real_style) style, written);
        CLAIM(written_length > 0 && written_length <= NUMBER_CHARS_MAX);
        CLAIM(number_parse_real(written, written_length, &again) == NUMBER_OK && bits_of(again) == bits_of(real));
    }
}

static void
claim_integer(const char *text, size_t length)
{
    char    written[NUMBER_CHARS_MAX];
    size_t  written_length;
    int64_t integer;
    int64_t again;

    if (number_parse_integer(text, length, &integer) != NUMBER_OK)
        return;
    written_length = number_format_integer(integer, written);
    CLAIM(written_length > 0 && written_length <= NUMBER_CHARS_MAX);
    CLAIM(number_parse_integer(written, written_length, &again) == NUMBER_OK && again == integer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         *text = malloc(size + 1);
    char          shown[MOMENT_CHARS_MAX];
    struct moment moment = { 0 };

    CLAIM(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    claim_integer(text, size);
    claim_real(text, size);
    if (moment_parse(text, &moment)) {
        if (moment.is_time) {
            CLAIM(isfinite(moment.time));
            moment_format(moment.time, shown);
            CLAIM(memchr(shown, '\0', sizeof shown) != NULL);
        } else {
            CLAIM(moment.sequence >= 0);
        }
    }
    free(text);
    return 0;
}
