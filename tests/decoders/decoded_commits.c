/* decoded_commits.c - commits that do not fit: into the memory that is there, into the bytes that one may have. */
#include "mishaps.h"

#include "core/commit.h"

#include <criterion/criterion.h>

Test(decoded_commits, a_commit_that_found_no_memory_says_so)
{
    static struct mishaps mishaps;
    static const char     text[3000] = "";
    knackdb_value         value = knackdb_value_text((knackdb_text) { text, sizeof text });
    uint32_t              column = 1;

    for (mishaps_begin(&mishaps, "", 0); mishaps_next(&mishaps);) {
        struct commit_writer writer;
        knackdb_status       status = KNACKDB_OK;

        commit_writer_init(&writer, &mishaps.allocator);
        commit_writer_begin(&writer);
        for (int64_t id = 1; id < 5 && status == KNACKDB_OK; id++)
            status = commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, id, &column, &value, 1, NULL);
        commit_writer_clear(&writer);
        mishaps_end(&mishaps, status, KNACKDB_OK);
    }
    cr_assert_gt(mishaps.fail_at, 2);
}

/* Told by the lengths alone, before a byte is copied. */
Test(decoded_commits, a_commit_of_more_bytes_than_one_may_have_is_refused)
{
    struct allocator     allocator;
    struct commit_writer writer;
    uint32_t             column = 1;
    knackdb_value        small = knackdb_value_text(knackdb_string("small"));
    knackdb_value        large = knackdb_value_text((knackdb_text) { "", COMMIT_BYTES_MAX - 50 });

    allocator_init(&allocator, NULL);
    commit_writer_init(&writer, &allocator);
    commit_writer_begin(&writer);
    for (int64_t id = 1; id < 5; id++)
        cr_assert_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, id, &column, &small, 1, NULL), KNACKDB_OK);
    cr_expect_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 5, &column, &large, 1, NULL), KNACKDB_INVALID);
    large.as.text.length = COMMIT_BYTES_MAX;
    cr_expect_eq(commit_writer_put(&writer, KNACKDB_LOG_PUT, 0, 5, &column, &large, 1, NULL), KNACKDB_INVALID);
    commit_writer_clear(&writer);
    cr_expect_eq(atomic_load(&allocator.bytes), 0);
}
