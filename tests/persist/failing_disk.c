/* failing_disk.c - see failing_disk.h. */
#include "tests/persist/failing_disk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define FAULTS_MAX  8
#define HANDLES_MAX 4096
#define MAPS_MAX    64

struct fault {
    enum disk_call call;
    char           prefix[64];
    int            os_errno;
    int            times; /* 0: for ever */
};

struct known_file {
    char name[64];
    bool is_spoilt; /* a write or sync of it has failed */
};

static pthread_mutex_t   mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t    turned = PTHREAD_COND_INITIALIZER;
static struct fault      faults[FAULTS_MAX];
static int               fault_count, failures, retries;
static int               counts[CALL_KINDS];
static struct known_file files[HANDLES_MAX];
static struct {
    char  *memory;
    size_t bytes;
    int    file;
} maps[MAPS_MAX];
static bool         stuttering;
static struct fault gate;
static enum { OPEN, ARMED, HELD } gate_state;

static bool
matches(const struct fault *fault, enum disk_call call, const char *name)
{
    return fault->call == call && strncmp(name, fault->prefix, strlen(fault->prefix)) == 0;
}

/* 0, or the negative errno that this call is to fail with. */
static int
judge(enum disk_call call, const char *name)
{
    int result = 0;

    (void) pthread_mutex_lock(&mutex);
    if (gate_state == ARMED && matches(&gate, call, name)) {
        gate_state = HELD;
        (void) pthread_cond_broadcast(&turned);
        while (gate_state == HELD)
            (void) pthread_cond_wait(&turned, &mutex);
    }
    for (int i = 0; i < fault_count && result == 0; i++) {
        struct fault *fault = &faults[i];

        if (fault->times < 0 || !matches(fault, call, name))
            continue;
        if (fault->times > 0 && --fault->times == 0)
            fault->times = -1;
        result = -fault->os_errno;
    }
    if (result != 0)
        failures++;
    else
        counts[call]++;
    (void) pthread_mutex_unlock(&mutex);
    return result;
}

/* The same for a write or sync of an open file. */
static int
judge_file(enum disk_call call, int file)
{
    char name[64];
    int  result;

    (void) pthread_mutex_lock(&mutex);
    (void) memcpy(name, files[file].name, sizeof name);
    if (files[file].is_spoilt)
        retries++;
    (void) pthread_mutex_unlock(&mutex);
    result = judge(call, name);
    if (result != 0) {
        (void) pthread_mutex_lock(&mutex);
        files[file].is_spoilt = true;
        (void) pthread_mutex_unlock(&mutex);
    }
    return result;
}

static int
failing_open(const struct disk *self, int dir, const char *name, enum disk_access access, uint32_t mode)
{
    int result = access == DISK_CREATE ? judge(CALL_CREATE, name) : 0;

    (void) self;
    if (result == 0)
        result = disk_posix()->open(disk_posix(), dir, name, access, mode);
    if (result >= 0) {
        cr_assert_lt(result, HANDLES_MAX);
        (void) pthread_mutex_lock(&mutex);
        (void) snprintf(files[result].name, sizeof files[result].name, "%.63s", dir == DISK_NO_DIR ? "" : name);
        files[result].is_spoilt = false;
        (void) pthread_mutex_unlock(&mutex);
    }
    return result;
}

static ssize_t
failing_write_at(const struct disk *self, int file, const void *from, size_t bytes, uint64_t offset)
{
    static _Atomic unsigned turn;
    int                     result = judge_file(CALL_WRITE, file);

    (void) self;
    if (result != 0)
        return result;
    if (stuttering) {
        if (atomic_fetch_add(&turn, 1) % 2 == 0)
            return -EINTR;
        bytes = bytes > 7 ? bytes / 2 : bytes;
    }
    return disk_posix()->write_at(disk_posix(), file, from, bytes, offset);
}

static ssize_t
failing_read_at(const struct disk *self, int file, void *to, size_t bytes, uint64_t offset)
{
    static _Atomic unsigned turn;

    (void) self;
    if (stuttering) {
        if (atomic_fetch_add(&turn, 1) % 2 == 0)
            return -EINTR;
        bytes = bytes > 7 ? bytes / 2 : bytes;
    }
    return disk_posix()->read_at(disk_posix(), file, to, bytes, offset);
}

static int
failing_allocate(const struct disk *self, int file, uint64_t bytes)
{
    int result = judge(CALL_ALLOCATE, files[file].name);

    (void) self;
    return result != 0 ? result : disk_posix()->allocate(disk_posix(), file, bytes);
}

static int
failing_sync(const struct disk *self, int file)
{
    int result = judge_file(CALL_SYNC, file);

    (void) self;
    return result != 0 ? result : disk_posix()->sync(disk_posix(), file);
}

static int
failing_map(const struct disk *self, int file, size_t bytes, void **ret_memory)
{
    int result = disk_posix()->map(disk_posix(), file, bytes, ret_memory);

    (void) self;
    (void) pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAPS_MAX && result >= 0; i++) {
        if (maps[i].memory != NULL)
            continue;
        maps[i].memory = *ret_memory;
        maps[i].bytes = bytes;
        maps[i].file = file;
        break;
    }
    (void) pthread_mutex_unlock(&mutex);
    return result;
}

static void
failing_unmap(const struct disk *self, void *memory, size_t bytes)
{
    (void) self;
    (void) pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAPS_MAX; i++) {
        if (maps[i].memory == memory)
            maps[i].memory = NULL;
    }
    (void) pthread_mutex_unlock(&mutex);
    disk_posix()->unmap(disk_posix(), memory, bytes);
}

static int
failing_sync_map(const struct disk *self, void *memory, size_t bytes)
{
    char *address = memory;
    int   file = -1;
    int   result;

    (void) self;
    (void) pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAPS_MAX; i++) {
        if (maps[i].memory != NULL && address >= maps[i].memory && address < maps[i].memory + maps[i].bytes)
            file = maps[i].file;
    }
    (void) pthread_mutex_unlock(&mutex);
    cr_assert_geq(file, 0, "what is synced is mapped");
    result = judge_file(CALL_SYNC, file);
    return result != 0 ? result : disk_posix()->sync_map(disk_posix(), memory, bytes);
}

static int
failing_sync_dir(const struct disk *self, int dir)
{
    int result = judge(CALL_SYNC_DIR, "");

    (void) self;
    return result != 0 ? result : disk_posix()->sync_dir(disk_posix(), dir);
}

static int
failing_rename(const struct disk *self, int dir, const char *from, const char *to)
{
    int result = judge(CALL_RENAME, from);

    (void) self;
    return result != 0 ? result : disk_posix()->rename(disk_posix(), dir, from, to);
}

static int
failing_remove(const struct disk *self, int dir, const char *name)
{
    int result = judge(CALL_REMOVE, name);

    (void) self;
    return result != 0 ? result : disk_posix()->remove(disk_posix(), dir, name);
}

static int
failing_truncate(const struct disk *self, int file, uint64_t bytes)
{
    int result = judge(CALL_TRUNCATE, files[file].name);

    (void) self;
    return result != 0 ? result : disk_posix()->truncate(disk_posix(), file, bytes);
}

static int
failing_list(const struct disk *self, int dir, void (*hear)(void *context, const char *name), void *context)
{
    int result = judge(CALL_LIST, "");

    (void) self;
    return result != 0 ? result : disk_posix()->list(disk_posix(), dir, hear, context);
}

struct disk *
failing_disk_new(void)
{
    static struct disk disk;

    disk = *disk_posix();
    disk.open = failing_open;
    disk.write_at = failing_write_at;
    disk.read_at = failing_read_at;
    disk.allocate = failing_allocate;
    disk.sync = failing_sync;
    disk.map = failing_map;
    disk.unmap = failing_unmap;
    disk.sync_map = failing_sync_map;
    disk.sync_dir = failing_sync_dir;
    disk.rename = failing_rename;
    disk.remove = failing_remove;
    disk.truncate = failing_truncate;
    disk.list = failing_list;
    failing_disk_mend();
    failures = retries = 0;
    stuttering = false;
    gate_state = OPEN;
    memset(counts, 0, sizeof counts);
    return &disk;
}

void
failing_disk_fail(enum disk_call call, const char *prefix, int os_errno, int times)
{
    struct fault fault = { .call = call, .os_errno = os_errno, .times = times };

    (void) snprintf(fault.prefix, sizeof fault.prefix, "%s", prefix);
    (void) pthread_mutex_lock(&mutex);
    cr_assert_lt(fault_count, FAULTS_MAX);
    faults[fault_count++] = fault;
    (void) pthread_mutex_unlock(&mutex);
}

void
failing_disk_mend(void)
{
    (void) pthread_mutex_lock(&mutex);
    fault_count = 0;
    (void) pthread_mutex_unlock(&mutex);
}

static int
get(const int *number)
{
    int value;

    (void) pthread_mutex_lock(&mutex);
    value = *number;
    (void) pthread_mutex_unlock(&mutex);
    return value;
}

int
failing_disk_failures(void)
{
    return get(&failures);
}

int
failing_disk_retries(void)
{
    return get(&retries);
}

int
failing_disk_count(enum disk_call call)
{
    return get(&counts[call]);
}

void
failing_disk_stutter(bool stutters)
{
    stuttering = stutters;
}

void
failing_disk_hold(enum disk_call call, const char *prefix)
{
    (void) pthread_mutex_lock(&mutex);
    gate.call = call;
    (void) snprintf(gate.prefix, sizeof gate.prefix, "%s", prefix);
    gate_state = ARMED;
    (void) pthread_cond_broadcast(&turned);
    (void) pthread_mutex_unlock(&mutex);
}

void
failing_disk_await_held(void)
{
    (void) pthread_mutex_lock(&mutex);
    while (gate_state != HELD)
        (void) pthread_cond_wait(&turned, &mutex);
    (void) pthread_mutex_unlock(&mutex);
}

void
failing_disk_release(void)
{
    (void) pthread_mutex_lock(&mutex);
    gate_state = OPEN;
    (void) pthread_cond_broadcast(&turned);
    (void) pthread_mutex_unlock(&mutex);
}
