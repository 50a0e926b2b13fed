#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* The build system says what it compiled with; a compile by hand knows only this. */
#ifndef BENCHMARK_FLAGS
#ifdef __OPTIMIZE__
#define BENCHMARK_FLAGS "optimized; flags not told"
#else
#define BENCHMARK_FLAGS "NOT OPTIMIZED; flags not told"
#endif
#endif

/* The text behind `key` and any of `=: "` in a line of a file; "unknown" where there is none. */
static void
find_line(const char *path, const char *key, char *value, size_t value_bytes)
{
    FILE *file = fopen(path, "r");
    char  line[512];

    snprintf(value, value_bytes, "unknown");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *start = line + strlen(key);
        start += strspn(start, "=: \t\"");
        snprintf(value, value_bytes, "%.*s", (int) strcspn(start, "\"\n"), start);
        break;
    }
    fclose(file);
}

static const char *
file_system_name(long magic)
{
    switch (magic) {
    case 0xef53: return "ext4";
    case 0x01021994: return "tmpfs";
    case 0x58465342: return "xfs";
    case 0x9123683e: return "btrfs";
    case 0x794c7630: return "overlayfs";
    case 0x6969: return "nfs";
    default: return NULL;
    }
}

void
machine_describe(struct machine *ret_machine, const char *directory)
{
    struct utsname kernel;
    struct statfs  disk;
    char           distribution[128];
    time_t         now = time(NULL);
    struct tm      utc;

    memset(ret_machine, 0, sizeof *ret_machine);
    find_line("/proc/cpuinfo", "model name", ret_machine->processor, sizeof ret_machine->processor);
    ret_machine->core_count = sysconf(_SC_NPROCESSORS_ONLN);
    ret_machine->memory_mb = sysconf(_SC_PHYS_PAGES) / 1024 * (sysconf(_SC_PAGESIZE) / 1024);
    find_line("/etc/os-release", "PRETTY_NAME", distribution, sizeof distribution);
    if (uname(&kernel) == 0)
        snprintf(ret_machine->system, sizeof ret_machine->system, "%.100s, Linux %.60s %.30s", distribution,
                 kernel.release, kernel.machine);
    if (statfs(directory, &disk) == 0) {
        const char *name = file_system_name((long) disk.f_type);
        if (name != NULL)
            snprintf(ret_machine->file_system, sizeof ret_machine->file_system, "%s", name);
        else
            snprintf(ret_machine->file_system, sizeof ret_machine->file_system, "type 0x%lx", (long) disk.f_type);
    }
#ifdef __clang__
    snprintf(ret_machine->compiler, sizeof ret_machine->compiler, "%s", __VERSION__);
#else
    snprintf(ret_machine->compiler, sizeof ret_machine->compiler, "gcc %s", __VERSION__);
#endif
    snprintf(ret_machine->flags, sizeof ret_machine->flags, "%s", BENCHMARK_FLAGS);
    gmtime_r(&now, &utc);
    strftime(ret_machine->date, sizeof ret_machine->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
