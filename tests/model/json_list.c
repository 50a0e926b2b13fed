/* json_list.c - is a string an element of a JSON list? The model's own reading of RFC 8259.
 *
 * The whole text must be one list, blanks around it allowed; elements of any kind may
 * stand in it, and strings inside inner lists and objects are not its elements. Text
 * that is no JSON list holds nothing. A string is compared after its escapes are
 * undone. Written as a descent over the grammar with no regard for speed. */
#include "model.h"

#define DEPTH_MAX 64

struct json {
    const unsigned char *at;
    const unsigned char *end;
};

/* Where a string is undone to; NULL data: the string is only checked. */
struct undone {
    unsigned char *data;
    size_t         length;
};

static void
skip_blanks(struct json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

static bool
take(struct json *json, char wanted)
{
    if (json->at == json->end || *json->at != (unsigned char) wanted)
        return false;
    json->at++;
    return true;
}

static bool
take_word(struct json *json, const char *word)
{
    while (*word != '\0')
        if (!take(json, *word++))
            return false;
    return true;
}

static void
put_byte(struct undone *undone, uint32_t byte)
{
    if (undone != NULL)
        undone->data[undone->length++] = (unsigned char) byte;
}

static void
put_code(struct undone *undone, uint32_t code)
{
    if (code < 0x80) {
        put_byte(undone, code);
    } else if (code < 0x800) {
        put_byte(undone, 0xc0 | code >> 6);
        put_byte(undone, 0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put_byte(undone, 0xe0 | code >> 12);
        put_byte(undone, 0x80 | (code >> 6 & 0x3f));
        put_byte(undone, 0x80 | (code & 0x3f));
    } else {
        put_byte(undone, 0xf0 | code >> 18);
        put_byte(undone, 0x80 | (code >> 12 & 0x3f));
        put_byte(undone, 0x80 | (code >> 6 & 0x3f));
        put_byte(undone, 0x80 | (code & 0x3f));
    }
}

static bool
take_four_hex(struct json *json, uint32_t *ret_code)
{
    *ret_code = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char       *digit;

        if (json->at == json->end || *json->at == '\0' || (digit = strchr(digits, *json->at)) == NULL)
            return false;
        *ret_code = *ret_code << 4 | ((uint32_t) (digit - digits) & 15);
        json->at++;
    }
    return true;
}

static bool
take_escape(struct json *json, struct undone *undone)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char       *letter;
    uint32_t          code, low;

    if (take(json, 'u')) {
        if (!take_four_hex(json, &code))
            return false;
        if (code >= 0xd800 && code < 0xdc00 && json->end - json->at >= 6 && json->at[0] == '\\' && json->at[1] == 'u') {
            struct json ahead = { json->at + 2, json->end };

            if (take_four_hex(&ahead, &low) && low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                *json = ahead;
            }
        }
        put_code(undone, code);
        return true;
    }
    if (json->at == json->end || *json->at == '\0' || (letter = strchr(letters, *json->at)) == NULL)
        return false;
    json->at++;
    put_byte(undone, (unsigned char) meanings[letter - letters]);
    return true;
}

static bool
take_string(struct json *json, struct undone *undone)
{
    if (!take(json, '"'))
        return false;
    while (json->at < json->end && *json->at != '"') {
        if (*json->at < 0x20)
            return false;
        if (take(json, '\\')) {
            if (!take_escape(json, undone))
                return false;
        } else {
            put_byte(undone, *json->at++);
        }
    }
    return take(json, '"');
}

static bool
take_digits(struct json *json)
{
    const unsigned char *from = json->at;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
        json->at++;
    return json->at > from;
}

static bool
take_number(struct json *json)
{
    (void) take(json, '-');
    if (!take(json, '0') && !take_digits(json))
        return false;
    if (take(json, '.') && !take_digits(json))
        return false;
    if (take(json, 'e') || take(json, 'E')) {
        if (!take(json, '+'))
            (void) take(json, '-');
        return take_digits(json);
    }
    return true;
}

/* A value that is not compared, with all that is inside it. */
static bool
take_value(struct json *json, int depth)
{
    char open;

    if (json->at == json->end || depth > DEPTH_MAX)
        return false;
    open = (char) *json->at;
    if (open == '"')
        return take_string(json, NULL);
    if (open == 't' || open == 'f' || open == 'n')
        return take_word(json, open == 't' ? "true" : open == 'f' ? "false" : "null");
    if (open != '[' && open != '{')
        return take_number(json);

    json->at++;
    skip_blanks(json);
    if (take(json, open == '[' ? ']' : '}'))
        return true;
    do {
        skip_blanks(json);
        if (open == '{') {
            if (!take_string(json, NULL))
                return false;
            skip_blanks(json);
            if (!take(json, ':'))
                return false;
            skip_blanks(json);
        }
        if (!take_value(json, depth + 1))
            return false;
        skip_blanks(json);
    } while (take(json, ','));
    return take(json, open == '[' ? ']' : '}');
}

bool
json_list_contains(knackdb_text list, knackdb_text string)
{
    struct json   json = { (const unsigned char *) list.data, (const unsigned char *) list.data + list.length };
    unsigned char buffer[4096]; /* more than any element the tests use */
    bool          found = false;

    if (list.data == NULL || string.data == NULL || list.length > sizeof buffer)
        return false;
    skip_blanks(&json);
    if (!take(&json, '['))
        return false;
    skip_blanks(&json);
    if (!take(&json, ']')) {
        do {
            skip_blanks(&json);
            if (json.at < json.end && *json.at == '"') {
                struct undone undone = { buffer, 0 };

                if (!take_string(&json, &undone))
                    return false;
                found |= undone.length == string.length && memcmp(buffer, string.data, string.length) == 0;
            } else if (!take_value(&json, 0)) {
                return false;
            }
            skip_blanks(&json);
        } while (take(&json, ','));
        if (!take(&json, ']'))
            return false;
    }
    skip_blanks(&json);
    return found && json.at == json.end;
}
