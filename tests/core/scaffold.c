/* scaffold.c - see scaffold.h. */
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct allocator allocator;
struct epochs    epochs;
struct store    *store;

static void
check_for_leaks(void)
{
    cr_expect_eq(atomic_load(&allocator.bytes), 0, "%llu bytes leaked",
                 (unsigned long long) atomic_load(&allocator.bytes));
}

void
scaffold_epochs_up(void)
{
    allocator_init(&allocator, NULL);
    cr_assert_eq(epochs_init(&epochs, &allocator, NULL), KNACKDB_OK);
}

void
scaffold_epochs_down(void)
{
    epochs_clear(&epochs);
    check_for_leaks();
}

void
scaffold_store_up(void)
{
    allocator_init(&allocator, NULL);
    cr_assert_eq(store_new(&allocator, schema_builtin(), &store, NULL), KNACKDB_OK);
}

void
scaffold_store_down(void)
{
    store_free(store);
    check_for_leaks();
}

static void *
get_dirty(void *context, size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory != NULL)
        memset(memory, *(const unsigned char *) context, bytes);
    return memory;
}

static void
put_back(void *context, void *memory, size_t bytes)
{
    (void) context;
    (void) bytes;
    free(memory);
}

static unsigned char dirt[SCAFFOLD_DIRTS] = { 0xA5, 0xFF };

const knackdb_allocator scaffold_dirty_memory[SCAFFOLD_DIRTS] = {
    { .context = &dirt[0], .allocate = get_dirty, .release = put_back },
    { .context = &dirt[1], .allocate = get_dirty, .release = put_back },
};
