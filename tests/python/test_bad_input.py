"""Bad input, from the engine's side: false with a reason in words, an exception where strict, and nothing stored."""

import logging

import pytest

import knackdb
from conftest import EngineFilters, EngineMetrics, EnginePattern


class Unreadable(EnginePattern):
    @property
    def task_type(self):
        raise RuntimeError("no task today")

    @task_type.setter
    def task_type(self, value):
        pass


BAD = [(None, "None"), (object(), "id"), (42, "id"), ("pattern", "id"), ({"id": "x"}, "id"),
       (EnginePattern(success_rate=1.5), "success_rate"), (EnginePattern(confidence_score=-0.1), "confidence_score"),
       (EnginePattern(execution_time=float("nan")), "execution_time"),
       (EnginePattern(execution_time=float("inf")), "execution_time"),
       (EnginePattern(execution_time="fast"), "execution_time"), (EnginePattern(agent_count=1.5), "agent_count"),
       (EnginePattern(agent_count=2 ** 64), "agent_count"), (EnginePattern(agent_count="two"), "agent_count"),
       (EnginePattern(task_type=7), "task_type"), (EnginePattern(task_type="\ud800"), "task_type"),
       (EnginePattern(tools_used=7), "tools_used"), (EnginePattern(tools_used=[object()]), "tools_used"),
       (EnginePattern(tools_used={"a": 1}), "tools_used"), (EnginePattern(context_factors=[1]), "context_factors"),
       (EnginePattern(context_factors={"k": object()}), "context_factors"),
       (EnginePattern(id=3.5), "id"), (Unreadable(), "no task today"), (EnginePattern, "id")]


@pytest.mark.parametrize("pattern, reason", BAD, ids=range(len(BAD)))
def test_bad_input_is_false_with_a_reason_in_words(db, caplog, pattern, reason):
    with caplog.at_level(logging.WARNING, logger="knackdb"):
        assert db.store_execution_pattern(pattern) is False
    assert reason in db.last_error
    assert db.last_error in [record.getMessage() for record in caplog.records if record.name == "knackdb"]
    assert db.retrieve_patterns(EngineFilters()) == []


@pytest.mark.parametrize("pattern, reason", BAD, ids=range(len(BAD)))
def test_bad_input_raises_where_strict(open_database, pattern, reason):
    db = open_database(":memory:", strict=True)
    with pytest.raises(knackdb.Error, match=reason):
        db.store_execution_pattern(pattern)


def test_strict_raises_when_awaited_and_not_before(open_database, loop):
    db = open_database(":memory:", strict=True)
    awaitable = db.database.store_execution_pattern(None)

    async def await_it():
        with pytest.raises(knackdb.InvalidError):
            await awaitable
    loop.run_until_complete(await_it())


def test_the_cause_of_a_failure_is_kept(open_database):
    db = open_database(":memory:", strict=True)
    with pytest.raises(knackdb.InvalidError) as caught:
        db.store_execution_pattern(Unreadable())
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_what_is_no_exception_passes_through(db):
    class Interrupting(EnginePattern):
        def __getattribute__(self, name):
            if name == "complexity_level":
                raise KeyboardInterrupt
            return object.__getattribute__(self, name)

    with pytest.raises(KeyboardInterrupt):
        db.store_execution_pattern(Interrupting())


@pytest.mark.parametrize("filters", [42, "sort", [1], EngineFilters(limit="many"), EngineFilters(task_type=7),
                                     EngineFilters(min_confidence="high"), EngineFilters(min_confidence=float("nan")),
                                     knackdb.PatternFilters(order_by="beauty"), EngineFilters(max_age_seconds="old"),
                                     knackdb.PatternFilters(half_life_seconds=-1), EngineFilters(task_type="\udfff")])
def test_bad_filters_find_nothing_and_say_why(db, filters):
    db.store_execution_pattern(EnginePattern())
    assert db.retrieve_patterns(filters) == []
    assert db.last_error


@pytest.mark.parametrize("call", [
    lambda db: db.store_execution_pattern(EnginePattern()), lambda db: db.update_pattern_weights("x", 0.5),
    lambda db: db.store_performance_metric(EngineMetrics()), lambda db: db.store_user_preference("k", 1),
    lambda db: db.store_execution_patterns([EnginePattern()]), lambda db: db.sync(), lambda db: db.snapshot()])
def test_a_closed_database_says_false(tmp_path, loop, call):
    from conftest import Fleeting
    db = Fleeting(knackdb.LearningDatabase(str(tmp_path / "x")), loop)
    assert call(db) is False and "initialize" in db.last_error
    assert db.initialize() is True
    db.shutdown()
    assert call(db) is False and "initialize" in db.last_error
    assert db.retrieve_patterns(EngineFilters()) == [] and db.get_performance_history("x") == []
    assert db.get_user_preferences() == {} and db.get_database_stats() == {} and db.cleanup_old_data() == 0
    assert db.get_database_status()["initialized"] is False
    db.shutdown()
