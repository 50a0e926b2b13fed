/* file_name.c - see file_name.h. Reading is strict: a name is ours only if we would have written it. */
#include "persist/file_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct pattern {
    enum file_kind kind;
    const char    *prefix;
    const char    *suffix;
};

static const struct pattern patterns[] = {
    { FILE_MANIFEST, "manifest-", ".knm" },
    { FILE_PART, "part-", ".knp" },
    { FILE_LOG, "log-", ".knl" },
    { FILE_PAST, "past-", ".knh" },
};

#define PATTERN_COUNT (sizeof patterns / sizeof patterns[0])
#define DIGITS        16

void
file_name_write(char name[DISK_NAME_BYTES_MAX], enum file_kind kind, uint64_t number)
{
    for (size_t i = 0; i < PATTERN_COUNT; i++) {
        if (patterns[i].kind == kind)
            (void) snprintf(name, DISK_NAME_BYTES_MAX, "%s%016" PRIx64 "%s", patterns[i].prefix, number,
                            patterns[i].suffix);
    }
}

void
file_name_write_torn(char name[DISK_NAME_BYTES_MAX], uint64_t serial, uint64_t offset)
{
    (void) snprintf(name, DISK_NAME_BYTES_MAX, "torn-%016" PRIx64 "-%016" PRIx64 ".knt", serial, offset);
}

void
file_name_write_unfinished(char unfinished[DISK_NAME_BYTES_MAX], const char *name)
{
    (void) snprintf(unfinished, DISK_NAME_BYTES_MAX, "%s~", name);
}

static bool
skip_text(const char **at, const char *text)
{
    size_t length = strlen(text);

    if (strncmp(*at, text, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool
skip_number(const char **at, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (int i = 0; i < DIGITS; i++) {
        char digit = (*at)[i];

        if (digit >= '0' && digit <= '9')
            number = number << 4 | (uint64_t) (digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            number = number << 4 | (uint64_t) (digit - 'a' + 10);
        else
            return false;
    }
    *at += DIGITS;
    *ret_number = number;
    return true;
}

/* Finished or not, as the rest of the name says; anything else is not ours. */
static enum file_kind
judge_end(const char *at, enum file_kind kind)
{
    if (strcmp(at, "") == 0)
        return kind;
    return strcmp(at, "~") == 0 ? FILE_UNFINISHED : FILE_FOREIGN;
}

enum file_kind
file_name_read(const char *name, uint64_t *ret_number)
{
    const char *at = name;
    uint64_t    offset;

    *ret_number = 0;
    if (strcmp(name, FILE_NAME_LOCK) == 0)
        return FILE_LOCK;
    for (size_t i = 0; i < PATTERN_COUNT; i++) {
        at = name;
        if (skip_text(&at, patterns[i].prefix) && skip_number(&at, ret_number) && skip_text(&at, patterns[i].suffix))
            return judge_end(at, patterns[i].kind);
    }
    at = name;
    if (skip_text(&at, "torn-") && skip_number(&at, ret_number) && skip_text(&at, "-") && skip_number(&at, &offset) &&
        skip_text(&at, ".knt"))
        return judge_end(at, FILE_TORN);
    *ret_number = 0;
    return FILE_FOREIGN;
}
