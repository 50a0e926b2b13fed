/* parts.c - claims about what tables are built from: epochs, dictionaries, text, lists. Others have files of their own:
 * indexes.c, postings.c. */
#include "core/dictionary.h"
#include "core/list.h"
#include "tests/core/scaffold.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(parts, .init = scaffold_epochs_up, .fini = scaffold_epochs_down);

/* ---- epochs ---- */

Test(parts, retired_memory_stays_while_a_reader_that_could_see_it_is_there)
{
    struct epoch_slot *reader = epoch_claim(&epochs);
    void              *memory = epoch_get(&epochs, 1000);
    uint64_t           before = atomic_load(&allocator.bytes);

    memset(memory, 7, 1000);
    epoch_retire(&epochs, memory);
    epoch_collect(&epochs);
    cr_expect_eq(atomic_load(&allocator.bytes), before, "freed under the reader");
    cr_expect_eq(((unsigned char *) memory)[999], 7);
    epoch_release(reader);

    reader = epoch_claim(&epochs); /* began after the memory was unlinked: it does not matter to it */
    epoch_collect(&epochs);
    cr_expect_lt(atomic_load(&allocator.bytes), before - 999);
    epoch_release(reader);
}

Test(parts, any_number_of_readers_find_a_slot)
{
    struct epoch_slot *slots[5 * EPOCH_SLOTS_PER_BLOCK];
    uint64_t           readers;
    size_t             count = sizeof slots / sizeof slots[0];

    for (size_t i = 0; i < count; i++) {
        slots[i] = epoch_claim(&epochs);
        cr_assert_not_null(slots[i]);
        atomic_store(&slots[i]->view, 100 + i + 1);
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(slots[i], slots[j]);
    }
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 100);
    cr_expect_eq(readers, count);
    atomic_store(&slots[9]->view, 0); /* it has not said yet what it sees */
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 0);
    for (size_t i = 0; i < count; i++)
        epoch_release(slots[i]);
    cr_expect_eq(epoch_oldest_view(&epochs, 1000, &readers), 1000);
    cr_expect_eq(readers, 0);
}

/* ---- dictionaries ---- */

Test(parts, a_dictionary_gives_each_text_one_code_and_each_code_its_text)
{
    struct dictionary dictionary = { 0 };
    char              name[32];
    uint32_t          code;

    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3000; i++) { /* over several segments */
            int length = snprintf(name, sizeof name, "text %u", i);

            cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { name, (size_t) length }, &code, NULL),
                         KNACKDB_OK);
            cr_assert_eq(code, i + 1);
        }
    }
    for (uint32_t i = 0; i < 3000; i++) {
        knackdb_text text = dictionary_text(&dictionary, i + 1);
        int          length = snprintf(name, sizeof name, "text %u", i);

        cr_assert(text_equal(text, (knackdb_text) { name, (size_t) length }));
        cr_assert_eq(dictionary_find(&dictionary, text), i + 1);
    }
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string(""), &code, NULL), KNACKDB_OK);
    cr_expect_eq(code, 3001, "the empty string is a text");
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { NULL, 0 }, &code, NULL), KNACKDB_OK);
    cr_expect_eq(code, DICTIONARY_CODE_NULL, "NULL is none");
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("never")), DICTIONARY_CODE_NONE);
    dictionary_clear(&dictionary, &epochs);
}

static size_t
recent_count(const struct dictionary *dictionary)
{
    size_t count = 0;

    for (int i = 0; i < DICTIONARY_RECENT; i++)
        count += dictionary->recent[i].code != DICTIONARY_CODE_NULL;
    return count;
}

/* Method: texts that are there, one that is not and a NULL are expected together. Those that are there then stand where
 * they are found first; nothing else has come, and every text has the code it had. */
Test(parts, a_dictionary_that_expects_texts_finds_those_that_are_there_and_adds_none)
{
    struct dictionary dictionary = { 0 };
    char              names[DICTIONARY_EXPECTED_MAX][32];
    knackdb_value     values[2 * DICTIONARY_EXPECTED_MAX];
    const uint32_t    texts = DICTIONARY_EXPECTED_FROM + 100;
    uint32_t          code;

    for (uint32_t i = 0; i < texts; i++) {
        int length = snprintf(names[0], sizeof names[0], "text %u", i);

        cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { names[0], (size_t) length }, &code, NULL),
                     KNACKDB_OK);
        cr_assert_eq(code, i + 1);
    }
    for (uint32_t i = 0; i < DICTIONARY_EXPECTED_MAX; i++) {
        int length = snprintf(names[i], sizeof names[i], i == 3 ? "unknown %u" : "text %u", i * 500);

        values[2 * i] = knackdb_value_text((knackdb_text) { names[i], (size_t) length });
        values[2 * i + 1] = knackdb_value_integer(7); /* of another column */
    }
    values[2 * 5] = knackdb_value_null();
    memset(dictionary.recent, 0, sizeof dictionary.recent);
    dictionary_expect(&dictionary, values, 2, DICTIONARY_EXPECTED_MAX);
    cr_expect_geq(recent_count(&dictionary), DICTIONARY_EXPECTED_MAX - 4, "%zu", recent_count(&dictionary));
    cr_expect_eq(dictionary_find(&dictionary, values[2 * 3].as.text), DICTIONARY_CODE_NONE);
    for (uint32_t i = 0; i < DICTIONARY_EXPECTED_MAX; i++) {
        if (values[2 * i].type != KNACKDB_TEXT)
            continue;
        cr_assert_eq(dictionary_intern(&dictionary, &epochs, values[2 * i].as.text, &code, NULL), KNACKDB_OK);
        cr_expect_eq(code, i == 3 ? texts + 1 : i * 500 + 1);
    }
    dictionary_clear(&dictionary, &epochs);
}

/* Else texts of a length would take each other's place, and each store of one would look for it in the index. */
Test(parts, a_dictionary_keeps_the_places_of_short_texts_apart)
{
    for (size_t length = 1; length <= 3; length++) {
        struct dictionary dictionary = { 0 };
        uint32_t          code;

        for (int i = 0; i < DICTIONARY_RECENT; i++) {
            char text[3] = { 'x', 'x', 'x' };

            text[i % (int) length] = (char) (' ' + i / (int) length);
            cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { text, length }, &code, NULL),
                         KNACKDB_OK);
        }
        cr_expect_gt(recent_count(&dictionary), DICTIONARY_RECENT / 3, "of length %zu %zu have a place", length,
                     recent_count(&dictionary));
        dictionary_clear(&dictionary, &epochs);
    }
}

/* Method: a window of texts that moves on, each held by one row. Memory is that of the window, and a code is not given
 * again while a reader that may hold it is there. */
Test(parts, a_dictionary_frees_texts_that_no_row_holds_and_gives_their_codes_again)
{
    struct dictionary  dictionary = { 0 };
    struct epoch_slot *reader;
    char               name[32];
    uint32_t           codes[500], code, again;
    uint64_t           after_warming = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        int length = snprintf(name, sizeof name, "text %u", i + 100000);

        cr_assert_eq(dictionary_intern(&dictionary, &epochs, (knackdb_text) { name, (size_t) length }, &code, NULL),
                     KNACKDB_OK);
        dictionary_hold(&dictionary, code);
        if (i >= 500)
            dictionary_release(&dictionary, &epochs, codes[i % 500]);
        codes[i % 500] = code;
        (void) dictionary_free_some(&dictionary, &epochs, 10);
        if (i == 2000)
            after_warming = dictionary_text_bytes(&dictionary);
    }
    cr_expect_leq(dictionary_text_bytes(&dictionary), after_warming);
    cr_expect_leq(dictionary.code_end, 1024);

    /* Come across a moment ago, and dying: it comes again as another. */
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string("again"), &code, NULL), KNACKDB_OK);
    dictionary_forget_unheld(&dictionary, &epochs, code);
    cr_assert_eq(dictionary_intern(&dictionary, &epochs, knackdb_string("again"), &again, NULL), KNACKDB_OK);
    cr_expect_neq(again, code);
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("again")), again);
    dictionary_forget_unheld(&dictionary, &epochs, again);

    reader = epoch_claim(&epochs);
    for (uint32_t i = 0; i < 500; i++)
        dictionary_release(&dictionary, &epochs, codes[i]);
    cr_expect_eq(dictionary_find(&dictionary, knackdb_string("text 119999")), DICTIONARY_CODE_NONE);
    for (uint32_t i = 0; i < 1000; i++)
        (void) dictionary_free_some(&dictionary, &epochs, 10);
    cr_expect_geq(dictionary_text_bytes(&dictionary), 500 * 15, "a reader may hold a code");
    epoch_release(reader);
    while (dictionary_free_some(&dictionary, &epochs, 10))
        continue;
    cr_expect_eq(dictionary_text_bytes(&dictionary), 0, "texts and segments are gone");
    cr_expect_eq(dictionary.code_end, 0);
    dictionary_clear(&dictionary, &epochs);
}

/* ---- text ---- */

Test(parts, a_text_cell_gives_back_texts_of_every_length)
{
    static const size_t lengths[] = { 0, 1, 100, 65533, 65534, 65535, 65536, 1 << 20 };
    struct text_arena   arena = { 0 };
    char               *bytes = malloc(1 << 20);

    memset(bytes, 'x', 1 << 20);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        knackdb_text text = { bytes, lengths[i] };
        text_cell    cell = text_arena_add(&arena, &allocator, text);

        cr_assert_neq(cell, TEXT_CELL_NULL);
        cr_assert(text_equal(text_cell_view(cell), text), "length %zu", lengths[i]);
    }
    cr_expect_null(text_cell_view(TEXT_CELL_NULL).data);
    text_arena_clear(&arena, &allocator);
    free(bytes);
}

Test(parts, texts_compare_by_bytes_with_null_first)
{
    knackdb_text null = { NULL, 0 };

    cr_expect_lt(text_compare(null, knackdb_string("")), 0);
    cr_expect_eq(text_compare(null, null), 0);
    cr_expect_lt(text_compare(knackdb_string("a"), knackdb_string("ab")), 0);
    cr_expect_gt(text_compare(knackdb_string("\xc3\xa4"), knackdb_string("z")), 0);
    cr_expect_not(text_equal(null, knackdb_string("")));
}

/* ---- JSON lists ---- */

Test(parts, a_list_contains_its_own_strings_and_nothing_else)
{
    static const struct {
        const char *list;
        bool        holds;
    } cases[] = {
        { "[\"cat\"]", true },
        { " [ 1 , \"cat\" ]\n", true },
        { "[\"c\\u0061t\", {}]", true },
        { "[[\"sed\"], {\"a\": [\"sed\"]}, \"cat\", true, null, -0.5e+7]", true },
        { "[\"catalog\"]", false },
        { "[\"ca\"]", false },
        { "[[\"cat\"]]", false },
        { "{\"cat\": \"cat\"}", false },
        { "\"cat\"", false },
        { "[]", false },
        { "", false },
        { "[\"cat\"", false },
        { "[\"cat\",]", false },
        { "[\"cat\"]]", false },
        { "[\"cat\" \"sed\"]", false },
        { "[\"cat\", \"\\x\"]", false },
        { "[\"cat\", \"\n\"]", false },
        { "[\"cat\", 01]", false },
        { "[\"cat\", .5]", false },
        { "[\"cat\", 1.]", false },
        { "[\"cat\", 1e]", false },
        { "[\"cat\", tru]", false },
        { "[\"cat\", {1: 2}]", false },
        { "[\"cat\", {\"a\" 2}]", false },
        { "[\"cat\", {\"a\": 2,}]", false },
        { "[\"cat\", \"\\ud800\"]", true }, /* the grammar allows half a pair */
        { "[\"cat\", \"\\u12g4\"]", false },
        { "[\"cat\", \"\\u 123\"]", false },
        { "[\"cat\", \"\\u12", false },
        { "[\"cat\", \"\\", false },
        { "[\"\\u0063\\u0061\\u0074\"]", true },
        { "[\"cat\", \"\\u006G\", \"\\u006F\\u006f\"]", false },
        { "[\"cat\", \"\\u006F\\u006f\"]", true },
        { "[\"cat\", 1E-7, 0e1, -12.25E+3, false]", true },
        { "[\"cat\", 1E]", false },
        { "[\"cat\", -]", false },
        { "[\"cat\", [1, 2}]", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(list_contains(knackdb_string(cases[i].list), knackdb_string("cat")), cases[i].holds, "%s",
                     cases[i].list);
    cr_expect(list_contains(knackdb_string("[\"\\ud83d\\ude00\"]"), knackdb_string("\xf0\x9f\x98\x80")));
    cr_expect(list_contains(knackdb_string("[\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
                            knackdb_string("\xc3\xa4\"\\/\b\f\n\r\t")));
    cr_expect(list_contains(knackdb_string("[\"\"]"), knackdb_string("")));
    cr_expect_not(list_contains((knackdb_text) { NULL, 0 }, knackdb_string("")));
    cr_expect_not(list_contains(knackdb_string("[\"\"]"), (knackdb_text) { NULL, 0 }));
}

Test(parts, nesting_of_any_depth_comes_to_an_end)
{
    char *deep = malloc(200001);

    memset(deep, '[', 200000);
    deep[200000] = '\0';
    cr_expect_not(list_contains(knackdb_string(deep), knackdb_string("cat")));
    free(deep);
}
