"""Strings within lists and dicts: written in C, eight bytes at a time, and read back as they were."""

import pytest

import knackdb

ODD = ['"', "\\", "\n", "\0", "\x1f", "\x7f", "/", " ", "!", "]", "\u20ac", "\U0001f600", "\ud800"]


@pytest.mark.parametrize("odd", ODD)
def test_a_character_is_kept_wherever_it_stands(memory_db, odd):
    words = []
    for length in range(28):
        plain = "abcdefghijklmnopqrstuvwxyz01"[:length]
        words += [plain] + [plain[:place] + odd + plain[place + 1:] for place in range(length)]
        words += [plain[:place] + odd * 2 + plain[place + 2:] for place in range(length - 1)]
    context = {word: i for i, word in enumerate(words)}
    assert memory_db.store_execution_pattern(knackdb.ExecutionPattern(id="x", tools_used=words,
                                                                      context_factors=context))
    row = memory_db.get_pattern("x")
    assert row.tools_used == words
    assert row.context_factors == context
