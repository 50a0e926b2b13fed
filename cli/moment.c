/* moment.c - points of the log and of time, as people write them.
 *
 * Dates are counted in days of the proleptic Gregorian calendar, which ISO 8601 uses
 * for every year; the C library's calendar is left alone, since it looks at the time
 * zone of the machine. Years are shifted to begin in March: the leap day then ends
 * the year and every 400 years have the same length. */
#include "moment.h"

#include "number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAYS_IN_400_YEARS INT64_C(146097)
#define DAYS_TO_1970      INT64_C(719468) /* from 0000-03-01 */

/* Numbers from here on are times: 2001-09-09T01:46:40Z. */
#define FIRST_TIME INT64_C(1000000000)

static int64_t
days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted_year = year - (month <= 2);
    int64_t era = (shifted_year >= 0 ? shifted_year : shifted_year - 399) / 400;
    int64_t year_of_era = shifted_year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * DAYS_IN_400_YEARS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           DAYS_TO_1970;
}

static void
date_from_days(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_IN_400_YEARS - 1)) / DAYS_IN_400_YEARS;
    int64_t day_of_era = shifted - era * DAYS_IN_400_YEARS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;

    *ret_day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    *ret_month = shifted_month + (shifted_month < 10 ? 3 : -9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

/* Reads exactly `count` digits. */
static bool
read_digits(const char **at, int count, int64_t *ret_number)
{
    int64_t number = 0;

    for (int i = 0; i < count; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *at += count;
    *ret_number = number;
    return true;
}

/* Reads `c`, HH:MM[:SS[.fraction]] behind a date. */
static bool
read_time_of_day(const char **at, double *ret_seconds)
{
    int64_t hour, minute, second = 0;
    double  fraction = 0;

    if (!read_digits(at, 2, &hour) || *(*at)++ != ':' || !read_digits(at, 2, &minute))
        return false;
    if (**at == ':') {
        ++*at;
        if (!read_digits(at, 2, &second))
            return false;
        if (**at == '.' || **at == ',') {
            double  scale = 1;
            int64_t digit;

            ++*at;
            if (**at < '0' || **at > '9')
                return false;
            while (read_digits(at, 1, &digit)) {
                if (scale < 1e15) {
                    scale *= 10;
                    fraction = fraction * 10 + (double) digit;
                }
            }
            fraction /= scale;
        }
    }
    if (hour > 24 || minute > 59 || second > 59 || (hour == 24 && (minute != 0 || second != 0 || fraction > 0)))
        return false;
    *ret_seconds = (double) (hour * 3600 + minute * 60 + second) + fraction;
    return true;
}

/* Reads Z, +HH, +HHMM, +HH:MM or nothing: seconds east of UTC. */
static bool
read_offset(const char **at, int64_t *ret_seconds)
{
    int64_t hours, minutes = 0;
    bool    is_west;

    *ret_seconds = 0;
    if (**at == '\0')
        return true;
    if (**at == 'Z' || **at == 'z') {
        ++*at;
        return true;
    }
    if (**at != '+' && **at != '-')
        return false;
    is_west = *(*at)++ == '-';
    if (!read_digits(at, 2, &hours))
        return false;
    if (**at == ':')
        ++*at;
    if (**at != '\0' && !read_digits(at, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 60 + minutes) * 60 * (is_west ? -1 : 1);
    return true;
}

static bool
parse_iso_8601(const char *text, double *ret_time)
{
    static const int64_t days_of_month[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const char          *at = text;
    int64_t              year, month, day, offset = 0;
    double               seconds = 0;

    if (!read_digits(&at, 4, &year) || *at++ != '-' || !read_digits(&at, 2, &month) || *at++ != '-' ||
        !read_digits(&at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month[month - 1])
        return false;
    if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
        return false;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        at++;
        if (!read_time_of_day(&at, &seconds) || !read_offset(&at, &offset))
            return false;
    }
    if (*at != '\0')
        return false;
    *ret_time = (double) (days_from_date(year, month, day) * 86400 - offset) + seconds;
    return true;
}

bool
moment_parse(const char *text, struct moment *ret_moment)
{
    struct moment moment = { 0 };
    size_t        length = strlen(text);

    if (text[0] == '@') {
        moment.is_time = true;
        if (number_parse_real(text + 1, length - 1, &moment.time) != NUMBER_OK)
            return false;
    } else if (strncmp(text, "seq:", 4) == 0) {
        if (strspn(text + 4, "0123456789") != length - 4 ||
            number_parse_integer(text + 4, length - 4, &moment.sequence) != NUMBER_OK)
            return false;
    } else if (length != 0 && strspn(text, "0123456789") == length) {
        if (number_parse_integer(text, length, &moment.sequence) != NUMBER_OK)
            return false;
        if (moment.sequence >= FIRST_TIME) {
            moment.is_time = true;
            moment.time = (double) moment.sequence;
            moment.sequence = 0;
        }
    } else {
        moment.is_time = true;
        if (!parse_iso_8601(text, &moment.time) && number_parse_real(text, length, &moment.time) != NUMBER_OK)
            return false;
    }
    *ret_moment = moment;
    return true;
}

void
moment_format(double time, char out[MOMENT_CHARS_MAX])
{
    int64_t seconds, micros, year, month, day, second_of_day;

    if (!(time >= -62167219200.0 && time < 253402300799.5)) {
        out[0] = '@';
        if (isfinite(time))
            out[1 + number_format_real(time, REAL_PLAIN, out + 1)] = '\0';
        else
            (void) snprintf(out, MOMENT_CHARS_MAX, "@%s", isnan(time) ? "nan" : "inf");
        return;
    }
    seconds = (int64_t) time;
    if ((double) seconds > time)
        seconds--;
    micros = (int64_t) ((time - (double) seconds) * 1e6 + 0.5);
    if (micros >= 1000000) {
        micros -= 1000000;
        seconds++;
    }
    second_of_day = (seconds % 86400 + 86400) % 86400;
    date_from_days((seconds - second_of_day) / 86400, &year, &month, &day);
    (void) snprintf(out, MOMENT_CHARS_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int) year % 10000, (int) month % 100,
                    (int) day % 100, (int) (second_of_day / 3600) % 100, (int) (second_of_day / 60 % 60),
                    (int) (second_of_day % 60), (int) micros % 1000000);
}
