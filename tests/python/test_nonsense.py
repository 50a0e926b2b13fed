"""Whatever object is handed to whatever call: an answer or an exception of Python's, never a crash."""

import random

import knackdb
from conftest import EngineFilters, EngineMetrics, EnginePattern

ODD = [None, True, False, 0, -1, 2 ** 63, -2 ** 63, 2 ** 64, 10 ** 40, 0.0, -0.0, float("nan"), float("inf"),
       -float("inf"), 1e308, "", "x", "\ud800", "\x00", "9" * 18, "9" * 19, "9" * 30, b"bytes", bytearray(b"x"), [],
       [1], ["a", 1], (), ("a",), {}, {"k": "v"}, {1: 2}, set(), {"a"}, object(), object, len, lambda: None, ..., 1j,
       range(3), memoryview(b"x"), ValueError("x"), knackdb.ExecutionPattern(), knackdb.PatternFilters(),
       knackdb.PatternType]
CALLS = ["store_execution_pattern", "store_execution_patterns", "store_performance_metric", "store_performance_metrics",
         "store_user_preference", "update_pattern_weights", "use_pattern", "delete_pattern", "retrieve_patterns",
         "retrieve_columns", "get_best_patterns", "get_pattern", "get_performance_history", "retrieve_preferences"]


def test_odd_arguments(memory_db):
    draw = random.Random(1)

    async def try_them():
        for _ in range(6000):
            call = getattr(memory_db.database, draw.choice(CALLS))
            try:
                await call(*[draw.choice(ODD) for _ in range(draw.randint(0, 4))])
            except TypeError:
                pass  # the wrong number of them
    memory_db.loop.run_until_complete(try_them())
    assert memory_db.store_execution_pattern(EnginePattern("x")) is True


def test_odd_attributes(memory_db):
    draw = random.Random(2)

    async def try_them():
        db = memory_db.database
        for _ in range(4000):
            for make, calls in ((EnginePattern, [db.store_execution_pattern]),
                                (EngineMetrics, [db.store_performance_metric]),
                                (EngineFilters, [db.retrieve_patterns, db.retrieve_columns]),
                                (knackdb.PatternFilters, [db.retrieve_patterns])):
                thing = make()
                for name in draw.sample(list(vars(thing)), draw.randint(1, 3)):
                    setattr(thing, name, draw.choice(ODD))
                for call in calls:
                    await call(thing)
        for row in await db.retrieve_patterns(EngineFilters(limit=-1)):
            row.to_dict()
    memory_db.loop.run_until_complete(try_them())


def test_objects_that_change_the_world_while_they_are_read(open_database):
    db = open_database(":memory:")
    batch = [EnginePattern(f"p{i}") for i in range(5)]

    class Treacherous(EnginePattern):
        @property
        def tools_used(self):
            batch.clear()
            db.database._close()
            return ["a"]

        @tools_used.setter
        def tools_used(self, value):
            pass

    batch.append(Treacherous("t"))
    assert db.store_execution_patterns(batch) is False
    db.initialize()
    assert db.store_execution_pattern(Treacherous("t")) is False
