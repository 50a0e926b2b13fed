/* utf8.c - nearly all text is ASCII, and is seen to be by looking at eight bytes at a time; other text goes sequence by
 * sequence. */
#include "base/utf8.h"

/* Bytes of the sequence that starts at `s`, or 0 where it is not valid. */
static size_t
sequence_length(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t        length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        length = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        length = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        length = 4;
    else
        return 0;
    if (length > left)
        return 0;

    /* The second byte rules out overlong forms, surrogates and what lies past U+10FFFF. */
    switch (s[0]) {
    case 0xE0: low = 0xA0; break;
    case 0xED: high = 0x9F; break;
    case 0xF0: low = 0x90; break;
    case 0xF4: high = 0x8F; break;
    default: break;
    }
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return length;
}

size_t
utf8_valid_prefix(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *) text;
    size_t               at = 0;

    if (utf8_is_ascii(text, length))
        return length;
    while (at < length) {
        size_t step;

        while (length - at >= sizeof(uint64_t) && (utf8_word_at(text + at) & UTF8_HIGH_BITS) == 0)
            at += sizeof(uint64_t);
        if (at == length)
            break;
        step = sequence_length(s + at, length - at);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}
