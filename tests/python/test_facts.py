"""The table of facts an adaptive learning engine relies on, one by one, from the engine's side: its own classes go in,
and the database is asked as the engine would ask."""

import dataclasses
import enum
import inspect
import os
import pathlib
import re
import sqlite3
import time

import pytest

import knackdb
from conftest import FIELDS, EngineFilters, EngineMetrics, EnginePattern, METRIC_FIELDS, values_of

NOW = time.time()


# ---- dataclasses ----

def test_pattern_has_the_fields_and_defaults_in_order():
    before = time.time()
    pattern = knackdb.ExecutionPattern()
    assert tuple(field.name for field in dataclasses.fields(pattern)) == FIELDS
    assert values_of(pattern)[:10] == (None, "", "", 0.0, 1.0, 0.0, 1, "simple", [], {})
    assert before <= pattern.created_at <= pattern.updated_at <= time.time()
    assert pattern.usage_count == 0


def test_pattern_goes_to_a_dict_and_back():
    pattern = knackdb.ExecutionPattern(id="x", tools_used=["a"], context_factors={"k": [1]})
    as_dict = pattern.to_dict()
    assert list(as_dict) == list(FIELDS) and as_dict["tools_used"] == ["a"]
    assert knackdb.ExecutionPattern.from_dict(as_dict) == pattern
    assert knackdb.ExecutionPattern.from_dict({"id": "y", "no_field": 1}).id == "y"
    as_dict["context_factors"]["k"].append(2)
    assert pattern.context_factors == {"k": [1]}


def test_filters_begin_with_the_seven_of_the_engine():
    filters = knackdb.PatternFilters()
    names = [field.name for field in dataclasses.fields(filters)]
    assert names[:7] == ["pattern_type", "task_type", "min_confidence", "min_success_rate", "max_age_seconds",
                         "limit", "offset"]
    assert [getattr(filters, name) for name in names[:7]] == [None, None, 0.0, 0.0, None, 100, 0]


def test_metrics_have_the_fields_and_defaults_in_order():
    metric = knackdb.PerformanceMetrics()
    assert tuple(field.name for field in dataclasses.fields(metric)) == METRIC_FIELDS
    assert values_of(metric, METRIC_FIELDS[:7]) == ("", "", 0.0, 0.0, 0.0, 1, 0.95)
    assert metric.metadata == {} and abs(metric.measured_at - time.time()) < 60


@pytest.mark.parametrize("value, baseline, improvement", [(80, 100, -20.0), (3.0, 2.0, 50.0), (1.0, -2.0, 150.0),
                                                          (5.0, 0.0, 0.0)])
def test_improvement_is_the_change_against_the_baseline(value, baseline, improvement):
    metric = knackdb.PerformanceMetrics("c", "m", value, baseline)
    metric.calculate_improvement()
    assert metric.improvement_percentage == pytest.approx(improvement)


def test_learning_metrics_count_from_nothing():
    metrics = knackdb.LearningMetrics()
    names = ["patterns_learned", "learning_accuracy", "adaptation_speed", "memory_usage_mb", "learning_overhead_ms",
             "database_performance_ms", "pattern_cache_hits", "pattern_cache_misses"]
    assert [field.name for field in dataclasses.fields(metrics)] == names + ["last_updated"]
    assert all(getattr(metrics, name) == 0 for name in names)
    assert metrics.get_cache_hit_ratio() == 0
    assert knackdb.LearningMetrics(pattern_cache_hits=1, pattern_cache_misses=3).get_cache_hit_ratio() == 0.25


def test_pattern_types_are_the_six():
    assert [each.value for each in knackdb.PatternType] == [
        "execution_pattern", "user_preference", "performance_optimization", "task_classification", "agent_selection",
        "workflow_routing"]


# ---- the eight calls ----

@pytest.mark.parametrize("call, arguments", [
    ("initialize", []), ("store_execution_pattern", ["pattern"]), ("retrieve_patterns", ["filters"]),
    ("update_pattern_weights", ["pattern_id", "weight"]), ("get_performance_history", ["component"]),
    ("cleanup_old_data", ["max_age_seconds"]), ("get_database_status", []), ("shutdown", [])])
def test_the_eight_calls_take_their_arguments_by_place_and_by_name(call, arguments):
    method = getattr(knackdb.LearningDatabase, call)
    parameters = list(inspect.signature(method).parameters)[1:]
    assert parameters[:len(arguments)] == arguments


def test_keywords_reach_the_calls_in_c(db):
    assert db.store_execution_pattern(pattern=EnginePattern("a"))
    assert db.update_pattern_weights(pattern_id="a", weight=0.5)
    assert db.update_pattern_weights("a", weight=0.5)
    assert len(db.retrieve_patterns(filters=EngineFilters())) == 1
    assert db.get_performance_history(component="none") == []
    for call in (lambda: db.store_execution_pattern(), lambda: db.store_execution_pattern(nothing=1),
                 lambda: db.store_execution_pattern(1, 2), lambda: db.store_execution_pattern(1, pattern=2)):
        with pytest.raises(TypeError):
            call()


def test_a_database_needs_no_arguments(tmp_path, monkeypatch, loop):
    monkeypatch.chdir(tmp_path)
    database = knackdb.LearningDatabase()
    assert loop.run_until_complete(database.initialize()) is True
    loop.run_until_complete(database.shutdown())
    assert os.path.isdir(tmp_path / "learning.db")


# ---- ids ----

@pytest.mark.parametrize("id", ["pattern_1a2b3c4d", "test_pattern_001", "1", "0042", "", "with space", "ünïcode",
                                "a" * 500])
def test_any_string_is_an_id(db, id):
    stored = EnginePattern(id)
    assert db.store_execution_pattern(stored) is True
    found = db.retrieve_patterns(EngineFilters())
    assert [values_of(each) for each in found] == [values_of(stored)]
    assert db.update_pattern_weights(id, 0.25) is True
    assert db.retrieve_patterns(EngineFilters())[0].confidence_score == 0.25


def test_an_id_of_none_is_replaced_on_the_object_by_one_that_begins_with_pattern(db):
    patterns = [EnginePattern() for _ in range(100)] + [knackdb.ExecutionPattern(task_type="t") for _ in range(100)]
    for pattern in patterns:
        assert db.store_execution_pattern(pattern) is True
        assert pattern.id.startswith("pattern_") and len(pattern.id) >= 16
    assert len({pattern.id for pattern in patterns}) == 200
    assert {each.id for each in db.retrieve_patterns(EngineFilters(limit=-1))} == {each.id for each in patterns}


def test_an_id_given_for_a_refused_pattern_is_taken_back(db):
    pattern = EnginePattern(success_rate=7)
    assert db.store_execution_pattern(pattern) is False and pattern.id is None
    batch = [EnginePattern(), EnginePattern("x"), EnginePattern(success_rate=-1)]
    assert db.store_execution_patterns(batch) is False
    assert [each.id for each in batch] == [None, "x", None]


def test_storing_an_id_again_replaces_the_row(db):
    db.store_execution_pattern(EnginePattern("pattern_1a2b3c4d", execution_time=1.0))
    db.store_execution_pattern(EnginePattern("pattern_1a2b3c4d", execution_time=2.0))
    found = db.retrieve_patterns(EngineFilters())
    assert [each.execution_time for each in found] == [2.0]


def test_an_unknown_id_has_no_weight(db):
    assert db.update_pattern_weights("pattern_ffffffff", 0.5) is False
    assert "pattern_ffffffff" in db.last_error


# ---- filters ----

def test_the_most_trusted_come_first(db):
    for i, (confidence, success) in enumerate([(0.2, 0.9), (0.9, 0.1), (0.9, 0.8), (0.5, 0.5)]):
        db.store_execution_pattern(EnginePattern(f"p{i}", confidence_score=confidence, success_rate=success))
    assert [each.id for each in db.retrieve_patterns(EngineFilters())] == ["p2", "p1", "p3", "p0"]


@pytest.mark.parametrize("limit, offset, count", [(100, 0, 100), (-1, 0, 150), (-7, 140, 10), (10, 0, 10), (0, 0, 0),
                                                  (10, 145, 5), (10, 500, 0)])
def test_a_negative_limit_means_none(db, limit, offset, count):
    db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(150)])
    assert len(db.retrieve_patterns(EngineFilters(limit=limit, offset=offset))) == count
    assert len(db.retrieve_patterns(knackdb.PatternFilters(limit=limit, offset=offset))) == count


class OwnFilters(knackdb.PatternFilters):
    pass


def filters_as_a_dict(**fields):
    filters = knackdb.PatternFilters(**fields)
    assert vars(filters)  # from now on its dict is what it is
    return filters


@pytest.mark.parametrize("limit", [None, -1, 10 ** 30, -10 ** 30])
@pytest.mark.parametrize("kind", [EngineFilters, knackdb.PatternFilters, OwnFilters, filters_as_a_dict])
def test_no_limit_is_none_whoever_says_it(db, kind, limit):
    db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(150)])
    assert len(db.retrieve_patterns(kind(limit=limit))) == 150
    assert len(db.get_best_patterns("sort", limit=limit)) == 150
    assert len(db.get_best_patterns("sort", limit=0)) == 0 and len(db.get_best_patterns("sort")) == 5
    db.store_performance_metrics([EngineMetrics() for i in range(7)])
    assert len(db.get_performance_history("router", limit=limit)) == 7
    assert len(db.get_performance_history("router", limit=2)) == 2
    assert db.get_performance_history("router", limit=0) == []


def test_a_bad_limit_is_named(db):
    assert db.get_best_patterns("sort", limit="many") == [] and db.last_error.startswith("limit: ")
    assert db.get_best_patterns(7) == [] and db.last_error.startswith("task_type: ")


class EngineType(enum.Enum):
    EXECUTION_PATTERN = "execution_pattern"
    AGENT_SELECTION = "agent_selection"


@pytest.mark.parametrize("pattern_type, count", [
    (None, 1), (knackdb.PatternType.EXECUTION_PATTERN, 1), (EngineType.EXECUTION_PATTERN, 1), ("execution_pattern", 1),
    (knackdb.PatternType.AGENT_SELECTION, 0), (EngineType.AGENT_SELECTION, 0),
    (knackdb.PatternType.WORKFLOW_ROUTING, 0)])
def test_patterns_are_execution_patterns(db, pattern_type, count):
    db.store_execution_pattern(EnginePattern())
    assert len(db.retrieve_patterns(EngineFilters(pattern_type=pattern_type))) == count


def test_age_counts_from_created_at(db):
    db.store_execution_pattern(EnginePattern("old", created_at=time.time() - 1000))
    db.store_execution_pattern(EnginePattern("new"))
    assert [each.id for each in db.retrieve_patterns(EngineFilters(max_age_seconds=500))] == ["new"]
    assert len(db.retrieve_patterns(EngineFilters(max_age_seconds=5000))) == 2


# ---- history ----

def test_history_is_newest_first_and_narrows_by_days_and_metric(db):
    now = time.time()
    for age_days, metric in [(3, "latency"), (0.5, "latency"), (10, "errors"), (0.1, "errors")]:
        assert db.store_performance_metric(EngineMetrics(metric_name=metric, measured_at=now - age_days * 86400))
    history = db.get_performance_history("router")
    assert [round((now - each.measured_at) / 86400, 1) for each in history] == [0.1, 0.5, 3.0, 10.0]
    assert len(db.get_performance_history("router", days=5)) == 3
    assert [each.metric_name for each in db.get_performance_history("router", metric="errors")] == ["errors"] * 2
    assert len(db.get_performance_history("router", days=1, metric="errors")) == 1
    assert db.get_performance_history("nobody") == []


def test_a_metric_comes_back_as_it_went_in(db):
    stored = EngineMetrics()
    db.store_performance_metric(stored)
    [found] = db.get_performance_history("router")
    assert isinstance(found, knackdb.PerformanceMetrics)
    assert values_of(found, METRIC_FIELDS) == values_of(stored, METRIC_FIELDS)


# ---- further calls ----

def test_a_batch_is_stored_whole_or_not_at_all(db):
    assert db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(100)]) is True
    assert db.store_execution_patterns([EnginePattern("a"), EnginePattern("b", confidence_score=2)]) is False
    assert "confidence_score" in db.last_error
    assert db.store_execution_patterns([EnginePattern("a"), None]) is False
    assert db.store_execution_patterns([]) is True
    assert db.store_execution_patterns(None) is False
    assert db.store_execution_patterns("pattern") is False
    assert len(db.retrieve_patterns(EngineFilters(limit=-1))) == 100


@pytest.mark.parametrize("value", ["dark", "", {"theme": "dark", "size": 12}, ["a", 1, None], 42, -0.5, True, None,
                                   {"deep": [{"er": ["text ü \U0001f600", "\x00\n\""]}]}, 10 ** 30])
def test_a_preference_holds_whatever_json_can(db, value):
    assert db.store_user_preference("key", value) is True
    assert db.get_user_preferences() == {"key": value}
    assert type(db.get_user_preferences()["key"]) is type(value)


def test_the_preference_last_stored_counts(db, open_database):
    for value in ["a", "b", "a", {"c": 1}, "b"]:
        db.store_user_preference("key", value)
        db.store_user_preference("other", [value])
        assert db.get_user_preferences() == {"key": value, "other": [value]}
    [first] = db.retrieve_preferences("key", '"a"')
    assert (first.preference_type, first.usage_count) == ("key", 2)
    assert [each.usage_count for each in db.retrieve_preferences("key")] == [2, 2, 1]
    db.shutdown()
    again = open_database()
    assert again.get_user_preferences() == {"key": "b", "other": ["b"]}
    again.store_user_preference("key", "a")
    assert again.get_user_preferences()["key"] == "a"


@pytest.mark.parametrize("value", [object(), {1, 2}, {"k": object()}, b"bytes"])
def test_a_preference_that_json_cannot_hold_is_refused(db, value):
    assert db.store_user_preference("key", value) is False
    assert "value" in db.last_error
    assert db.get_user_preferences() == {}


def test_the_best_are_those_by_score(db):
    now = time.time()
    db.store_execution_pattern(EnginePattern("proven", success_rate=0.9, usage_count=500, confidence_score=0.8))
    db.store_execution_pattern(EnginePattern("lucky", success_rate=1.0, usage_count=1, confidence_score=0.8))
    db.store_execution_pattern(EnginePattern("stale", success_rate=0.9, usage_count=500, confidence_score=0.8,
                                             updated_at=now - 60 * 86400))
    db.store_execution_pattern(EnginePattern("other", task_type="search"))
    best = db.get_best_patterns("sort")
    assert [each.id for each in best] == ["proven", "lucky", "stale"]
    assert [each.id for each in db.get_best_patterns("sort", limit=1)] == ["proven"]
    assert len(db.get_best_patterns(None)) == 4
    by_score = db.retrieve_patterns(knackdb.PatternFilters(task_type="sort", order_by="score"))
    assert [each.id for each in by_score] == ["proven", "lucky", "stale"]


@pytest.mark.parametrize("bound, longer, shorter", [
    (10 ** 19, ["long"], ["middling", "short"]), (10 ** 400, [], ["long", "middling", "short"]),
    (-10 ** 19, ["long", "middling", "short"], []), (-10 ** 400, ["long", "middling", "short"], [])])
def test_a_bound_may_be_an_int_of_any_size(db, bound, longer, shorter):
    for name, seconds in (("long", 1e20), ("middling", 1e18), ("short", 1.0)):
        db.store_execution_pattern(knackdb.ExecutionPattern(id=name, task_type="t", execution_time=seconds))
    found = db.retrieve_patterns(knackdb.PatternFilters(min_execution_time=bound))
    assert sorted(each.id for each in found) == longer
    found = db.retrieve_patterns(knackdb.PatternFilters(max_execution_time=bound))
    assert sorted(each.id for each in found) == shorter


def test_the_stats_have_what_an_engine_reads(open_database):
    db = open_database(pool_size=8)
    db.store_execution_pattern(EnginePattern())
    db.store_user_preference("key", 1)
    db.store_performance_metric(EngineMetrics())
    stats = db.get_database_stats()
    assert (stats["pattern_count"], stats["preference_count"], stats["metric_count"]) == (1, 1, 1)
    assert stats["database_size_mb"] > 0 and stats["uptime_seconds"] >= 0 and stats["pool_size"] == 8
    assert stats["total_operations"] >= 3
    for cache in ("pattern_cache", "query_cache"):
        assert set(stats[cache]) >= {"size", "memory_mb"}
    status = db.get_database_status()
    assert status["initialized"] is True and status["status"] == "healthy" and status["state"] == "ok"


def test_the_status_has_every_field_of_the_one_in_c(db):
    header = (pathlib.Path(__file__).resolve().parents[2] / "include" / "knackdb.h").read_text()
    body = re.search(r"typedef struct knackdb_stats \{(.*?)\} knackdb_stats;", header, re.DOTALL).group(1)
    fields = re.findall(r"(\w+)(?:\[\w+\])?;", re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL))
    assert len(fields) > 30
    # The tables are a dict, whose length needs no field.
    assert set(fields) - {"struct_size", "table_count"} <= set(db.get_database_status())


def test_metrics_are_one_and_live(db):
    metrics = db.metrics
    assert isinstance(metrics, knackdb.LearningMetrics) and db.metrics is metrics
    assert metrics.patterns_learned == 0
    db.store_execution_pattern(EnginePattern())
    assert metrics.patterns_learned == 1
    misses = metrics.pattern_cache_misses
    db.retrieve_patterns(EngineFilters())
    assert metrics.pattern_cache_misses > misses
    hits = metrics.pattern_cache_hits
    db.retrieve_patterns(EngineFilters())
    assert metrics.pattern_cache_hits > hits and 0 < metrics.get_cache_hit_ratio() < 1
    metrics.learning_accuracy = 0.75
    assert db.metrics.learning_accuracy == 0.75
    assert metrics.memory_usage_mb > 0
    told = db.get_database_status()["metrics"]
    assert list(told) == [each.name for each in dataclasses.fields(metrics)]
    assert (told["patterns_learned"], told["learning_accuracy"], told["pattern_cache_hits"]) == (1, 0.75, hits + 1)
    metrics.patterns_learned = 7
    assert db.get_database_status()["metrics"]["patterns_learned"] == metrics.to_dict()["patterns_learned"] == 7
    metrics.follow()
    assert metrics.to_dict()["patterns_learned"] == 1


# ---- foreign objects ----

def test_a_foreign_object_goes_in_and_is_left_as_it_was(db):
    stored = EnginePattern("pattern_1a2b3c4d")
    before = dict(vars(stored))
    assert db.store_execution_pattern(stored) is True
    assert vars(stored) == before
    [found] = db.retrieve_patterns(EngineFilters())
    assert isinstance(found, knackdb.ExecutionPattern) and values_of(found) == values_of(stored)


def test_attributes_may_be_computed(db):
    class Computed(EnginePattern):
        @property
        def computed(self):
            return 0.5

        def __getattribute__(self, name):
            return 0.125 if name == "confidence_score" else object.__getattribute__(self, name)

    assert db.store_execution_pattern(Computed("x")) is True
    assert db.retrieve_patterns(EngineFilters())[0].confidence_score == 0.125


def test_a_subclass_of_ours_may_override_what_it_likes(db):
    class Mine(knackdb.ExecutionPattern):
        @property
        def success_rate(self):
            return 0.5

        @success_rate.setter
        def success_rate(self, value):
            pass

    assert db.store_execution_pattern(Mine(id="x", success_rate=1.0)) is True
    assert db.retrieve_patterns(EngineFilters())[0].success_rate == 0.5


def test_enums_whose_members_are_words_are_words(db):
    class Level(enum.Enum):
        HARD = "hard"

    class Task(str, enum.Enum):
        SORT = "sort"

    assert db.store_execution_pattern(EnginePattern("x", complexity_level=Level.HARD, task_type=Task.SORT))
    [found] = db.retrieve_patterns(EngineFilters(task_type=Task.SORT))
    assert (found.complexity_level, found.task_type) == ("hard", "sort")


def test_null_empty_and_nothing_stay_three_things(db):
    db.store_execution_pattern(EnginePattern("none", task_type=None, execution_time=None, tools_used=None,
                                             context_factors=None, agent_count=None, success_rate=None))
    db.store_execution_pattern(EnginePattern("empty", task_type="", execution_time=0.0, tools_used=[],
                                             context_factors={}, agent_count=0, success_rate=0.0))
    none, empty = (db.get_pattern(id) for id in ("none", "empty"))
    names = ("task_type", "execution_time", "tools_used", "context_factors", "agent_count", "success_rate")
    assert values_of(none, names) == (None,) * 6
    assert values_of(empty, names) == ("", 0.0, [], {}, 0, 0.0)


# ---- path ----

def test_the_path_is_a_directory(tmp_path, open_database):
    open_database(tmp_path / "some.db")
    assert os.path.isdir(tmp_path / "some.db")


def test_an_empty_file_is_taken_for_a_new_database(tmp_path, open_database):
    (tmp_path / "empty.db").touch()
    db = open_database(tmp_path / "empty.db")
    assert db.store_execution_pattern(EnginePattern()) and os.path.isdir(tmp_path / "empty.db")


def test_a_sqlite_file_is_refused_with_the_import_command(tmp_path, loop):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE execution_patterns (id INTEGER PRIMARY KEY)")
    old.close()
    before = path.read_bytes()
    database = knackdb.LearningDatabase(str(path))
    assert loop.run_until_complete(database.initialize()) is False
    assert "knackdb import" in database.last_error
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", [":memory:", None])
def test_memory_keeps_nothing(tmp_path, monkeypatch, loop, path):
    monkeypatch.chdir(tmp_path)
    database = knackdb.LearningDatabase(path)

    async def store():
        async with database as db:
            assert await db.store_execution_pattern(EnginePattern())
            assert await db.sync() is True
    loop.run_until_complete(store())
    assert os.listdir(tmp_path) == []


def test_a_path_that_cannot_be_is_false_with_a_reason(tmp_path, loop):
    (tmp_path / "file").write_text("not empty")
    for path in (tmp_path / "file", tmp_path / "file" / "below", "", "a\0b"):
        database = knackdb.LearningDatabase(path)
        assert loop.run_until_complete(database.initialize()) is False
        assert database.last_error


def test_a_second_writer_is_refused_and_the_holder_named(db, tmp_path, loop):
    second = knackdb.LearningDatabase(tmp_path / "learning.db", strict=True)
    with pytest.raises(knackdb.BusyError, match=str(os.getpid())):
        loop.run_until_complete(second.initialize())


@pytest.mark.parametrize("strict", [False, True])
def test_async_with_raises_what_came(db, tmp_path, loop, strict):
    async def enter(path):
        database = knackdb.LearningDatabase(path, strict=strict)
        try:
            async with database:
                raise AssertionError("it was entered")
        except knackdb.Error as error:
            assert database.last_error and database.last_error in str(error)
            return type(error), type(error.__cause__)
    for path, came in ((tmp_path / "learning.db", (knackdb.BusyError, type(None))),
                       ("", (knackdb.InvalidError, type(None))), ("a\0b", (knackdb.Error, ValueError))):
        assert loop.run_until_complete(enter(path)) == came


def test_readers_stand_beside_the_writer(db, open_database):
    db.store_execution_pattern(EnginePattern("x"))
    reader = open_database(read_only=True)
    assert [each.id for each in reader.retrieve_patterns(EngineFilters())] == ["x"]
    assert reader.store_execution_pattern(EnginePattern("y")) is False
    assert db.store_execution_pattern(EnginePattern("z")) is True


# ---- what a retrieve returns is the caller's ----

def test_what_the_caller_changes_stays_the_callers(db):
    db.store_execution_pattern(EnginePattern("x"))
    filters = EngineFilters()
    first = db.retrieve_patterns(filters)
    first[0].tools_used.append("mine")
    first[0].context_factors["mine"] = 1
    first[0].task_type = "mine"
    first.append(None)
    [second] = db.retrieve_patterns(filters)
    assert second.tools_used == ["grep", "sed"] and "mine" not in second.context_factors and second.task_type == "sort"
    assert first[0].tools_used == ["grep", "sed", "mine"] and first[0].task_type == "mine"
    assert db.store_execution_pattern(first[0]) is True
    assert db.retrieve_patterns(filters)[0].tools_used == ["grep", "sed", "mine"]
