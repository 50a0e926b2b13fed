/* replay_inputs.c FOLDER... - gives a fuzz target every input that is committed for it, without a fuzzer.
 *
 * seeds/ holds what fuzzing begins with, found/ what it once tripped over. Each is given whole, then every prefix
 * of it, and then with a few bytes changed, some thousand times from a fixed seed: so a compiler that has no
 * libFuzzer tries the decoders behind the checksums, too. Ends like any plain test: `N passed, N failed`, of inputs. */
#include "target.h"

#include <dirent.h>
#include <string.h>

#define CHANGED_RUNS 2000
#define BYTES_MAX    ((size_t) 1024 * 1024)

struct counts {
    unsigned long inputs;
    unsigned long runs;
};

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A block of its own for each run, so that a byte read too far is seen. */
static void
give(const uint8_t *data, size_t size, struct counts *counts)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    CLAIM(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    (void) LLVMFuzzerTestOneInput(copy, size);
    counts->runs++;
    free(copy);
}

static void
give_all(const uint8_t *data, size_t size, struct counts *counts)
{
    uint64_t random = 20261122 + size;
    uint8_t *changed = malloc(size > 0 ? size : 1);

    CLAIM(changed != NULL);
    give(data, size, counts);
    for (size_t cut = 0; cut < size; cut += 1 + size / 500)
        give(data, cut, counts);
    for (int run = 0; run < CHANGED_RUNS && size > 0; run++) {
        memcpy(changed, data, size);
        for (int i = 0; i < 1 + run % 4; i++)
            changed[next_random(&random) % size] = (uint8_t) next_random(&random);
        give(changed, size, counts);
    }
    free(changed);
}

/* False where the file does not read. */
static int
read_input(const char *path, struct counts *counts)
{
    static uint8_t data[BYTES_MAX];
    FILE          *file = fopen(path, "rb");
    size_t         size;

    if (file == NULL)
        return 0;
    size = fread(data, 1, sizeof data, file);
    (void) fclose(file);
    (void) fprintf(stderr, "%s\n", path); /* the last one before a crash is the one */
    give_all(data, size, counts);
    counts->inputs++;
    return 1;
}

int
main(int argc, char **argv)
{
    struct counts counts = { 0 };
    unsigned long failed = 0;

    for (int i = 1; i < argc; i++) {
        DIR           *folder = opendir(argv[i]);
        struct dirent *entry;
        char           path[4096];

        while (folder != NULL && (entry = readdir(folder)) != NULL) {
            if (entry->d_name[0] == '.')
                continue;
            (void) snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            failed += !read_input(path, &counts);
        }
        if (folder != NULL)
            (void) closedir(folder);
    }
    if (counts.inputs == 0) {
        (void) fprintf(stderr, "no inputs\n");
        return 1;
    }
    printf("%lu runs of %lu inputs\n%lu passed, %lu failed\n", counts.runs, counts.inputs, counts.inputs, failed);
    return failed > 0;
}
