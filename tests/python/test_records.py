"""Rows that were retrieved behave as the dataclasses they are, whatever of them was looked at before."""

import copy
import dataclasses
import gc
import inspect
import pickle
import weakref

import pytest

import knackdb
from conftest import FIELDS, EngineFilters, EngineMetrics, EnginePattern, METRIC_FIELDS, values_of


@pytest.fixture
def stored():
    return knackdb.ExecutionPattern(id="x", task_type="sort", tools_used=["a", "ü"],
                                    context_factors={"k": [1, {"l": None}]},
                                    created_at=1.5, updated_at=2.5)


@pytest.fixture
def row(memory_db, stored):
    memory_db.store_execution_pattern(stored)
    return memory_db.retrieve_patterns(EngineFilters())[0]


def test_a_row_equals_what_was_stored(row, stored):
    assert row == stored and stored == row
    assert repr(row) == repr(stored)
    assert row != knackdb.ExecutionPattern(id="x") and row != EnginePattern("x") and row != None  # noqa: E711


def test_a_row_is_unhashable_like_every_dataclass_that_can_change(row):
    with pytest.raises(TypeError):
        hash(row)


def test_the_dataclass_tools_take_a_row(row, stored):
    assert dataclasses.is_dataclass(row) and [each.name for each in dataclasses.fields(row)] == list(FIELDS)
    assert dataclasses.asdict(row) == dataclasses.asdict(stored)
    assert dataclasses.astuple(row) == dataclasses.astuple(stored)
    changed = dataclasses.replace(row, task_type="search")
    assert (changed.task_type, changed.id, row.task_type) == ("search", "x", "sort")
    with pytest.raises(TypeError):
        dataclasses.replace(row, no_field=1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_row_is_pickled_and_outlives_its_database(row, stored, protocol):
    again = pickle.loads(pickle.dumps(row, protocol))
    assert again == stored and type(again) is knackdb.ExecutionPattern


def test_copies_are_shallow_or_deep_as_asked(row):
    tools = row.tools_used
    assert copy.copy(row).tools_used is tools
    deep = copy.deepcopy(row)
    assert deep == row and deep.tools_used is not tools


def test_a_row_can_be_changed_in_every_way(row):
    row.task_type = "search"
    row.tools_used.append("b")
    row.extra = "kept"
    assert (row.task_type, row.tools_used, row.extra) == ("search", ["a", "ü", "b"], "kept")
    del row.extra
    with pytest.raises(AttributeError):
        row.extra
    del row.task_type
    with pytest.raises(AttributeError):
        row.task_type
    with pytest.raises(AttributeError):
        del row.task_type
    row.task_type = "again"
    assert row.task_type == "again" and row.id == "x"


def test_the_dict_of_a_row_is_the_row(row, stored):
    assert vars(row) == dataclasses.asdict(stored)
    vars(row)["task_type"] = "search"
    assert row.task_type == "search"
    row.usage_count = 9
    assert vars(row)["usage_count"] == 9
    assert knackdb.ExecutionPattern(**vars(row)) == row
    row.__dict__ = {"id": "y"}
    assert row.id == "y"
    with pytest.raises(AttributeError):
        row.task_type
    with pytest.raises(TypeError):
        row.__dict__ = None


def test_a_row_outlives_everything(tmp_path, loop):
    async def retrieve():
        async with knackdb.LearningDatabase(tmp_path / "x") as db:
            await db.store_execution_pattern(EnginePattern("x"))
            return await db.retrieve_patterns(EngineFilters())
    [row] = loop.run_until_complete(retrieve())
    gc.collect()
    assert row.tools_used == ["grep", "sed"]


def test_rows_can_be_referred_to_weakly_and_cycles_are_collected(memory_db, stored):
    memory_db.store_execution_pattern(stored)
    rows = memory_db.retrieve_patterns(EngineFilters())
    rows[0].context_factors["self"] = rows[0]
    rows[0].me = rows[0]
    gone = weakref.ref(rows[0])
    del rows
    gc.collect()
    assert gone() is None
    row = memory_db.retrieve_patterns(EngineFilters())[0]
    row.extra = row
    gone = weakref.ref(row)
    del row
    gc.collect()
    assert gone() is None


def test_making_one_is_as_with_any_dataclass():
    parameters = inspect.signature(knackdb.ExecutionPattern).parameters
    assert list(parameters) == list(FIELDS) and parameters["success_rate"].default == 1.0
    made = knackdb.ExecutionPattern("x", "sort", usage_count=3)
    assert (made.id, made.task_type, made.usage_count, made.success_rate) == ("x", "sort", 3, 1.0)
    for wrong in (lambda: knackdb.ExecutionPattern(no_field=1), lambda: knackdb.ExecutionPattern("x", id="y"),
                  lambda: knackdb.ExecutionPattern(*range(14))):
        with pytest.raises(TypeError):
            wrong()
    first, second = knackdb.ExecutionPattern(), knackdb.ExecutionPattern()
    first.tools_used.append("a")
    assert second.tools_used == []
    first.__init__("again")
    assert (first.id, first.tools_used, first.usage_count) == ("again", [], 0)


@pytest.mark.parametrize("limit, count", [(None, 120), (100, 100)])
def test_a_limit_of_none_is_none(memory_db, limit, count):
    memory_db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(120)])
    filters = knackdb.PatternFilters(limit=limit)
    assert len(memory_db.retrieve_patterns(filters)) == count
    filters = knackdb.PatternFilters()
    filters.limit = limit
    assert len(memory_db.retrieve_patterns(filters)) == count


def test_subclasses_are_dataclasses_of_their_own(memory_db):
    @dataclasses.dataclass
    class Mine(knackdb.ExecutionPattern):
        note: str = "mine"
    mine = Mine(id="m", task_type="sort", note="kept")
    assert list(inspect.signature(Mine).parameters) == [*FIELDS, "note"]
    assert mine == copy.deepcopy(mine) and mine.note == "kept" and "note='kept'" in repr(mine)
    assert memory_db.store_execution_pattern(mine)
    assert values_of(memory_db.get_pattern("m")) == values_of(mine)


def test_an_object_without_its_init_is_refused_not_a_crash(memory_db):
    bare = knackdb.ExecutionPattern.__new__(knackdb.ExecutionPattern)
    assert bare.task_type == ""  # as a dataclass's class attribute would say
    with pytest.raises(AttributeError):
        bare.tools_used
    assert memory_db.store_execution_pattern(bare) is False
    assert "tools_used" not in vars(bare) and vars(bare)["usage_count"] == 0
    bare_filter = knackdb.PatternFilters.__new__(knackdb.PatternFilters)
    assert memory_db.retrieve_patterns(bare_filter) == []


def test_a_row_stored_again_is_unchanged(memory_db, row, stored):
    assert memory_db.store_execution_pattern(row) is True
    assert memory_db.retrieve_patterns(EngineFilters()) == [stored]


def test_text_that_is_not_json_is_kept_as_it_is(memory_db):
    memory_db.store_execution_pattern(EnginePattern("x", context_factors="a transcript,\r\n\"quoted\"",
                                                    tools_used="{half"))
    row = memory_db.get_pattern("x")
    assert (row.context_factors, row.tools_used) == ("a transcript,\r\n\"quoted\"", "{half")


@pytest.mark.parametrize("value", [
    {}, {"": ""}, {"a": {"b": [[], {}, [None, True, False]]}}, {"n": [0, -1, 2 ** 62, -2 ** 63, 2 ** 63, 10 ** 40]},
    {"f": [0.1, -0.0, 1e300, 5e-324, 1.0, 1e16, 123456789.123]}, {"s": "\x00\x1f\x7f\"\\/\n\t\r\b\f"},
    {"u": "ü€\U0001f600\u2028"}, {"lone": "\ud800x\udfff"}, {"k\"ey\n": 1}, {"deep": [[[[[[[[[[1]]]]]]]]]]}])
def test_context_comes_back_as_json_would_give_it(memory_db, value):
    import json
    memory_db.store_execution_pattern(EnginePattern("x", context_factors=value))
    found = memory_db.get_pattern("x").context_factors
    assert found == json.loads(json.dumps(value)) and repr(found) == repr(json.loads(json.dumps(value)))


def test_floats_are_written_as_python_writes_them(memory_db):
    import json
    import random
    draw = random.Random(5)
    floats = [digits / 10 ** k for k in range(9) for digits in [1, 5, 10, 99, 123456, 999999999, 10 ** 15 - 1]]
    floats += [draw.uniform(-1, 1) * 10 ** draw.randint(-6, 18) for _ in range(2000)]
    floats += [round(draw.uniform(-1e5, 1e5), draw.randint(0, 8)) for _ in range(5000)]
    floats += [each + ulp for each in (0.1, 2.5, 1e7) for ulp in (2 ** -56, 2 ** -30, -2 ** -54)]
    memory_db.store_execution_pattern(EnginePattern("x", context_factors={"k": floats}))
    assert memory_db.get_pattern("x").context_factors["k"] == floats
    memory_db.store_user_preference("k", floats)
    assert memory_db.retrieve_preferences("k")[0].preference_value == json.dumps(floats, separators=(",", ":"))


def test_what_json_coerces_is_coerced_the_same(memory_db):
    import json
    value = {2: "int", None: "none", True: "true", 2.5: "float", "t": (1, 2), "deep": None}
    for _ in range(200):
        value = {"deeper": value}
    memory_db.store_execution_pattern(EnginePattern("x", context_factors=value, tools_used=("a", "b")))
    row = memory_db.get_pattern("x")
    assert row.context_factors == json.loads(json.dumps(value)) and row.tools_used == ["a", "b"]


def test_a_context_that_holds_itself_is_refused(memory_db):
    context = {}
    context["self"] = context
    assert memory_db.store_execution_pattern(EnginePattern("x", context_factors=context)) is False
    assert "context_factors" in memory_db.last_error


def test_text_of_every_width_and_length(memory_db):
    for text in ("", "a", "é", "€", "\U0001f600", "\x00", "x" * 100_000, "ü" * 100_000, "\U0001f600" * 30_000):
        assert memory_db.store_execution_pattern(EnginePattern("x", task_type=text, tools_used=[text]))
        row = memory_db.get_pattern("x")
        assert row.task_type == text and row.tools_used == [text]


def test_text_past_the_limit_is_refused(memory_db):
    assert memory_db.store_execution_pattern(EnginePattern("x", context_factors={"k": "x" * (17 << 20)})) is False
    assert "context_factors" in memory_db.last_error


def test_metric_rows_are_dataclasses_too(memory_db):
    memory_db.store_performance_metric(EngineMetrics())
    [row] = memory_db.get_performance_history("router")
    assert pickle.loads(pickle.dumps(row)) == row and dataclasses.replace(row, metric_value=1.0).metric_value == 1.0
    assert row.calculate_improvement() == -20.0 and list(row.to_dict()) == list(METRIC_FIELDS)


def test_an_improvement_of_none_is_computed(memory_db):
    memory_db.store_performance_metric(EngineMetrics(improvement_percentage=None))
    assert memory_db.get_performance_history("router")[0].improvement_percentage == pytest.approx(-20.0)
