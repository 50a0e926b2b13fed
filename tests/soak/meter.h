/* meter.h - what processes and a directory hold over time, and whether it grows.
 *
 * The rule: the median of the last third of a series is no more than that of the middle third, one tenth and 4 MiB.
 * The first third is for filling up. Medians, as a follower that is overtaken reads the store beside its old one, a
 * snapshot writes beside the last one, and neither is growth. The slack is the swing of what is sound: log up to the
 * next snapshot, dead rows up to the next slice of giving back, malloc's free lists. It is a few MiB, whatever the
 * run's length, while a leak is the larger the longer the run: at ten thousand commits a second, eight bytes a commit
 * are told in a run of ten minutes, and eighty in one of a minute. */
#ifndef TESTS_SOAK_METER_H
#define TESTS_SOAK_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define METER_SAMPLES_MAX 4000
#define METER_SLACK_SHARE 0.1
#define METER_SLACK_BYTES (4.0 * 1024 * 1024)

struct series {
    size_t count;
    double at_s[METER_SAMPLES_MAX];
    double bytes[METER_SAMPLES_MAX];
};

struct verdict {
    bool   is_flat;
    double middle_bytes; /* medians */
    double last_bytes;
};

void series_add(struct series *series, double at_s, double bytes);

/* Thirds of the samples: their subject may be away for a while. Few samples are flat. */
struct verdict series_judge(const struct series *series);

/* The median of the samples from one time up to another; negative without any. */
double series_median(const struct series *series, double from_s, double to_s);

/* Resident memory of a process, from /proc: its own, and pages of files. False where it has ended. */
bool meter_process(pid_t process, double *ret_anonymous_bytes, double *ret_file_bytes);

/* What the files of a directory take on the disk. */
double meter_directory(const char *path);

#endif
