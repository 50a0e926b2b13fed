/* damage_found.c - a bit flipped, a byte taken out, an end cut off, at every place of ends, of history and of the log's
 * open segment: verify names the file, or an opening says what it has cut, and no row is ever another. */
#include "tests/persist/repair_origin.h"

#include "persist/repairing.h"
#include "persist/verification.h"
#include "tests/api/scratch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct found {
    char     file[64];
    uint64_t offset;
    uint64_t elsewhere;
};

static void
hear_fault(void *context, const knackdb_fault *fault)
{
    struct found *found = context;

    if (found->file[0] == '\0')
        (void) snprintf(found->file, sizeof found->file, "%s", fault->file);
    found->elsewhere += strcmp(found->file, fault->file) != 0;
    found->offset = fault->offset;
}

static knackdb_status
verify_path(const char *path, struct found *found)
{
    struct allocator      allocator;
    struct verify_options options = {
        .disk = disk_posix(),
        .history = bench_history(),
        .schema = bench_schema(1),
        .on_fault = hear_fault,
        .context = found,
    };
    knackdb_status status;

    memset(found, 0, sizeof *found);
    allocator_init(&allocator, NULL);
    status = verify_directory(&allocator, path, &options, NULL, NULL);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    return status;
}

/* Each place of a file in turn: found, in that file, and nowhere else. `is_needed`: to open the store. */
static void
must_find_each(struct origin *origin, const char *name, bool is_needed)
{
    struct keeper_options reading = kept_options();
    struct bytes          file = bytes_read(origin->sound, name);
    struct found          found;
    struct kept           kept;

    reading.read_only = true;
    origin_damage_again(origin);
    for (enum damage damage = DAMAGE_FLIP; damage <= DAMAGE_CUT; damage++) {
        for (size_t at = 0; at < file.count; at++) {
            knackdb_status status;

            write_damaged(origin->damaged, name, &file, damage, at);
            status = verify_path(origin->damaged, &found);
            cr_assert(status == KNACKDB_CORRUPT || status == KNACKDB_UNSUPPORTED, "%s, byte %zu, damage %d: status %d",
                      name, at, (int) damage, (int) status);
            cr_assert_str_eq(found.file, name, "byte %zu, damage %d", at, (int) damage);
            cr_assert_eq(found.elsewhere, 0, "byte %zu, damage %d", at, (int) damage);
            cr_assert_leq(found.offset, file.count);
            if (at % 8 != 0)
                continue;
            status = kept_open(&kept, origin->damaged, 1, &reading);
            cr_assert_eq(status == KNACKDB_OK, !is_needed, "%s, byte %zu, damage %d: %s", name, at, (int) damage,
                         kept.error.message);
            if (status != KNACKDB_OK) {
                cr_assert_not_null(strstr(kept.error.message, name), "%s", kept.error.message);
                continue;
            }
            cr_assert(bench_same(kept.store, origin->dump));
            kept_close(&kept);
        }
    }
    bytes_free(&file);
}

Test(damage, of_ends_is_found_at_every_place)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_ENDS);
    (void) names_count(origin.sound, "part-", name);
    must_find_each(&origin, name, true);
    origin_remove(&origin);
}

Test(damage, of_history_is_found_at_every_place_and_keeps_nobody_from_the_store)
{
    struct origin origin;
    char          name[64];

    origin_make(&origin, ORIGIN_WITH_HISTORY);
    cr_assert_gt(names_count(origin.sound, "past-", name), 1);
    must_find_each(&origin, name, false);
    origin_remove(&origin);
}

/* In the segment that a killed writer was at, a byte that is missing is a torn end, or damage where something behind it
 * says so. What opens holds the commits before it and no other row, and says what it has cut. */
Test(damage, of_a_byte_taken_out_of_the_open_log_costs_no_commit_before_it)
{
    struct keeper_options options = kept_options();
    struct origin         origin;
    struct bytes          file;
    char                  name[64];
    uint64_t              refused = 0;
    uint64_t              torn = 0;

    options.by_hand = true;
    origin_make(&origin, ORIGIN_KILLED);
    for (uint64_t serial = 1; serial < 20; serial++) {
        size_t used;

        (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
        if (names_count(origin.sound, name, NULL) == 0)
            continue;
        file = bytes_read(origin.sound, name);
        for (used = file.count; used > 0 && file.data[used - 1] == 0;)
            used--;
        for (size_t at = 0; at < used; at += 5) {
            struct keeper_figures figures;
            struct difference     difference;
            struct kept           kept;

            origin_damage_again(&origin);
            write_damaged(origin.damaged, name, &file, DAMAGE_REMOVE, at);
            if (kept_open(&kept, origin.damaged, 1, &options) != KNACKDB_OK) {
                cr_assert_not_null(strstr(kept.error.message, name), "byte %zu of %s: %s", at, name,
                                   kept.error.message);
                refused++;
                continue;
            }
            keeper_get_figures(kept.keeper, &figures);
            difference = origin_compare(&origin, kept.store);
            cr_assert_eq(difference.cells_null, 0);
            cr_assert_eq(difference.rows_gone, ALL_ROWS - store_sequence(kept.store), "byte %zu of %s", at, name);
            cr_assert(difference.rows_gone == 0 || figures.torn_bytes > 0, "byte %zu of %s: cut in silence", at, name);
            torn += figures.torn_bytes > 0;
            kept_close(&kept);
        }
        bytes_free(&file);
    }
    cr_assert_gt(torn + refused, 200);
    origin_remove(&origin);
}

/* ---- many places ---- */

#define LONG_TEXT_BYTES ((size_t) 16 * 1024)
#define LONG_COMMITS    500
#define DAMAGE_STRIDE   ((size_t) 64 * 1024) /* more than a record */

/* What passing one damaged record may cost: some windows of the reader. */
#define BYTES_A_PLACE ((uint64_t) 512 * 1024)

static uint64_t bytes_read_so_far;

static ssize_t
counting_read_at(const struct disk *self, int file, void *to, size_t bytes, uint64_t offset)
{
    ssize_t read = disk_posix()->read_at(disk_posix(), file, to, bytes, offset);

    (void) self;
    bytes_read_so_far += read > 0 ? (uint64_t) read : 0;
    return read;
}

/* A closed store whose log is some segments of some mebibytes. */
static void
make_long_log(const char *path)
{
    char         *text = malloc(LONG_TEXT_BYTES);
    knackdb_value values[6] = { knackdb_value_null() };
    struct kept   kept;

    cr_assert_not_null(text);
    memset(text, 'x', LONG_TEXT_BYTES);
    kept_must_open(&kept, path, 1, NULL);
    for (int64_t id = 1; id <= LONG_COMMITS; id++) {
        values[0] = knackdb_value_integer(id);
        values[5] = knackdb_value_text((knackdb_text) { text, LONG_TEXT_BYTES });
        cr_assert_eq(store_put_rows(kept.store, 0, values, 6, 1, 0, NULL, NULL, NULL), KNACKDB_OK);
    }
    kept_close(&kept);
    free(text);
}

/* A byte every so often, in the texts. *ret_bytes: of all segments. */
static uint64_t
damage_long_log(const char *path, uint64_t *ret_bytes)
{
    uint64_t places = 0;

    *ret_bytes = 0;
    for (uint64_t serial = 1; serial < 20; serial++) {
        struct bytes file;
        char         name[64];

        (void) snprintf(name, sizeof name, "log-%016" PRIx64 ".knl", serial);
        if (names_count(path, name, NULL) == 0)
            continue;
        file = bytes_read(path, name);
        for (size_t at = DAMAGE_STRIDE; at < file.count; at += DAMAGE_STRIDE) {
            while (file.data[at] != 'x')
                at++;
            file.data[at] = 'y';
            places++;
        }
        *ret_bytes += file.count;
        bytes_write(path, name, file.data, file.count);
        bytes_free(&file);
    }
    return places;
}

/* To pass a damaged record is not to read all that lies behind it: verify and repair would else take as long as there
 * are such places, times what there is. */
Test(damage, in_many_places_costs_no_reading_of_all_the_rest_for_each)
{
    struct disk           disk = *disk_posix();
    struct verify_options verifying = { .disk = &disk, .history = bench_history(), .schema = bench_schema(1) };
    struct repair_options repairing = { .disk = &disk, .history = bench_history(), .schema = bench_schema(1) };
    knackdb_verify_report verified = { 0 };
    knackdb_repair_report repaired = { 0 };
    struct allocator      allocator;
    char                  folder[SCRATCH_PATH_MAX];
    char                  path[SCRATCH_PATH_MAX];
    char                  saved[SCRATCH_PATH_MAX];
    uint64_t              log_bytes;
    uint64_t              places;
    knackdb_error         error = { 0 };

    disk.read_at = counting_read_at;
    allocator_init(&allocator, NULL);
    scratch_make(folder);
    scratch_join(path, folder, "store");
    scratch_join(saved, folder, "saved");
    make_long_log(path);
    places = damage_long_log(path, &log_bytes);
    cr_assert_gt(places, 100);

    bytes_read_so_far = 0;
    cr_assert_eq(verify_directory(&allocator, path, &verifying, &verified, &error), KNACKDB_CORRUPT, "%s",
                 error.message);
    cr_assert_eq(verified.fault_count, places, "%" PRIu64 " faults of %" PRIu64, verified.fault_count, places);
    cr_assert_leq(bytes_read_so_far, 2 * log_bytes + places * BYTES_A_PLACE, "verify: %" PRIu64, bytes_read_so_far);

    bytes_read_so_far = 0;
    cr_assert_eq(repair_directory(&allocator, path, saved, &repairing, &repaired, &error), KNACKDB_OK, "%s",
                 error.message);
    cr_assert_eq(repaired.commits_lost, places, "%" PRIu64 " commits of %" PRIu64, repaired.commits_lost, places);
    cr_assert_leq(bytes_read_so_far, 4 * log_bytes + places * BYTES_A_PLACE, "repair: %" PRIu64, bytes_read_so_far);
    cr_assert_eq(atomic_load(&allocator.bytes), 0);
    scratch_remove(folder);
}
