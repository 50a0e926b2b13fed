/* meter.c - see meter.h. */
#define _GNU_SOURCE
#include "meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void
series_add(struct series *series, double at_s, double bytes)
{
    if (series->count == METER_SAMPLES_MAX)
        return;
    series->at_s[series->count] = at_s;
    series->bytes[series->count++] = bytes;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *) left;
    double b = *(const double *) right;

    return (a > b) - (a < b);
}

double
series_median(const struct series *series, double from_s, double to_s)
{
    double *bytes = malloc((series->count + 1) * sizeof *bytes);
    double  median = -1;
    size_t  count = 0;

    if (bytes == NULL)
        abort(); /* a test without memory shows nothing */
    for (size_t i = 0; i < series->count; i++)
        if (series->at_s[i] >= from_s && series->at_s[i] < to_s)
            bytes[count++] = series->bytes[i];
    if (count > 0) {
        qsort(bytes, count, sizeof *bytes, compare);
        median = bytes[count / 2];
    }
    free(bytes);
    return median;
}

struct verdict
series_judge(const struct series *series)
{
    struct verdict verdict = { .is_flat = true };
    double         middle_s, last_s;

    if (series->count < 9)
        return verdict;
    middle_s = series->at_s[series->count / 3];
    last_s = series->at_s[2 * series->count / 3];
    verdict.middle_bytes = series_median(series, middle_s, last_s);
    verdict.last_bytes = series_median(series, last_s, INFINITY);
    verdict.is_flat = verdict.last_bytes <= verdict.middle_bytes * (1 + METER_SLACK_SHARE) + METER_SLACK_BYTES;
    return verdict;
}

bool
meter_process(pid_t process, double *ret_anonymous_bytes, double *ret_file_bytes)
{
    char   name[64], line[256];
    double resident = -1, anonymous = -1, kilobytes;
    FILE  *file;

    (void) snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int) process);
    file = fopen(name, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %lf kB", &kilobytes) == 1)
            resident = kilobytes * 1024;
        else if (sscanf(line, "Anonymous: %lf kB", &kilobytes) == 1)
            anonymous = kilobytes * 1024;
    }
    (void) fclose(file);
    if (resident <= 0 || anonymous < 0)
        return false;
    *ret_anonymous_bytes = anonymous;
    *ret_file_bytes = resident - anonymous;
    return true;
}

double
meter_directory(const char *path)
{
    DIR           *directory = opendir(path);
    struct dirent *entry;
    struct stat    facts;
    double         bytes = 0;

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL)
        if (fstatat(dirfd(directory), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode))
            bytes += (double) facts.st_blocks * 512;
    (void) closedir(directory);
    return bytes;
}
