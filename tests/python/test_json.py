"""JSON, written and read in C: strings eight bytes at a time, texts of every kind as Python's own json reads them."""

import json
import random

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


# ---- reading: what C makes of a text is what json.loads makes of it ----

FIXED = [
    "", " ", "{}", "[]", " { } ", "[ ]", "null", "true", "false", "nul", "truex", "0", "-0", "-0.0", "01", "1.", ".5",
    "-", "+1", "1e5", "1E+2", "1e-3", "1e", "1e+", "0e0", "1e999", "-1e999", "5e-324", "1.7976931348623157e308",
    "123456789012345678", "1234567890123456789", "9223372036854775808", "-9223372036854775808", "1" * 60, "0.1",
    "0.30000000000000004", "123456789012345.6", "999999999999999", "99999999999999.9", "0." + "0" * 20 + "1",
    "3.141592653589793", "1." + "0" * 30, "NaN", "Infinity", "-Infinity", "[NaN]", '"', '"a', '"a"', '"\\n"',
    '"\\u00e9"', '"\\ud800"', '"\\x"', '"tab\there"', '"\u20ac\U0001f600"', "[1,]", "[,1]", "[1 2]", '{"a"}', '{"a":}',
    '{"a":1,}', '{a:1}', '{"a":1 "b":2}', '{"a":1,"a":2}', '{"":0}', "{1:2}", "[" * 70 + "]" * 70, "[" * 30 + "]" * 29,
    "[]]", "[] x", '\n[\t1 ,\r2 ]\n', "\x0b[]", "\ufeff{}", "[\u00a01]", '{"a":{"b":{"c":[{"d":null}]}}}', "'a'",
    "[1,2", '{"a":1',
]


def by_python(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def random_value(draw, depth=0):
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return draw.choice([None, True, False])
    if kind == 1:
        return draw.choice([0, 1, -1, 10 ** draw.randrange(22), -draw.randrange(10 ** draw.randrange(1, 22))])
    if kind == 2:
        return draw.choice([draw.random(), draw.uniform(-1e6, 1e6), round(draw.uniform(-1e4, 1e4), draw.randrange(8)),
                            draw.random() * 10.0 ** draw.randrange(-320, 308), 1e15 + 0.5, -0.0])
    if kind < 6:
        return "".join(draw.choice("abc \u00fc\u20ac\"\\/\n\x7f0") for _ in range(draw.randrange(12)))
    if kind == 6:
        return [random_value(draw, depth + 1) for _ in range(draw.randrange(5))]
    return {f"k{draw.randrange(20)}": random_value(draw, depth + 1) for _ in range(draw.randrange(5))}


def mangled(draw, text):
    at = draw.randrange(len(text) + 1)
    kind = draw.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1:]
    if kind == 1:
        return text[:at] + draw.choice('{}[]",:0123456789.eE+-tfn \t\n\\x') + text[at:]
    return text[:at]


def same(a, b):
    """Equal, of the same types, and in the same order; NaN is NaN, and -0.0 not 0.0."""
    return repr(a) == repr(b)


def read_back(db, texts):
    assert db.store_execution_patterns([knackdb.ExecutionPattern(id=f"t{i}", context_factors=text, tools_used=text)
                                        for i, text in enumerate(texts)]), db.last_error
    return [db.get_pattern(f"t{i}") for i in range(len(texts))]


def test_texts_chosen_for_their_edges(memory_db):
    for text, row in zip(FIXED, read_back(memory_db, FIXED)):
        assert same(row.context_factors, by_python(text)), text
        assert same(row.tools_used, by_python(text)), text


@pytest.mark.parametrize("seed", range(4))
def test_random_texts_and_mangled_ones(memory_db, seed):
    draw = random.Random(seed)
    texts = []
    for _ in range(700):
        text = json.dumps(random_value(draw), ensure_ascii=draw.random() < 0.5,
                          indent=draw.choice([None, None, 1]), separators=draw.choice([None, (",", ":")]))
        texts += [text, mangled(draw, text), mangled(draw, mangled(draw, text))]
    sound = 0
    for text, row in zip(texts, read_back(memory_db, texts)):
        expected = by_python(text)
        assert same(row.context_factors, expected), (seed, text)
        sound += expected is not text
    assert 800 < sound < len(texts) - 400      # both kinds were there
