"""What an engine's own test suite asks of its database, under the names such suites use."""

import asyncio
import os
import random
import threading
import time

import pytest

import knackdb
from conftest import EngineFilters, EngineMetrics, EnginePattern, values_of

SANITIZED = os.environ.get("KNACKDB_SANITIZED") == "1"


def test_database_initialization(tmp_path, loop):
    async def initialize():
        database = knackdb.LearningDatabase(str(tmp_path / "learning.db"))
        assert database.get_database_status()["initialized"] is False
        assert await database.initialize() is True
        assert await database.initialize() is True
        assert database.get_database_status()["initialized"] is True
        await database.shutdown()
        await database.shutdown()
        assert await database.initialize() is True
        await database.shutdown()
    loop.run_until_complete(initialize())


# Of the thread's own time, and generous: a machine with other work on it still passes.
def test_pattern_storage_performance(db, loop):
    patterns = [EnginePattern(f"pattern_{i:08x}") for i in range(1000)]

    async def store():
        begun = time.thread_time()
        for pattern in patterns:
            await db.database.store_execution_pattern(pattern)
        return time.thread_time() - begun
    assert loop.run_until_complete(store()) < (2.0 if SANITIZED else 0.1)
    assert len(db.retrieve_patterns(EngineFilters(limit=-1))) == 1000


# ---- retrieval against a plain model ----

TASKS, USED, LEVELS = ["sort", "search", "", "ü"], ["a", "b", "c"], ["simple", "complex", None]
TOOLS = ["grep", "sed", "awk", "a\"b", "ö"]


def random_pattern(draw, i):
    maybe = lambda value: None if draw.random() < 0.1 else value
    return knackdb.ExecutionPattern(
        id=f"p{i % 150}", task_type=maybe(draw.choice(TASKS)), pattern_used=maybe(draw.choice(USED)),
        execution_time=maybe(draw.choice([0.0, 0.5, 1.0, 2.5])), success_rate=maybe(draw.choice([0, 0.25, 0.5, 1])),
        confidence_score=maybe(draw.choice([0, 0.3, 0.6, 0.9])), agent_count=maybe(draw.randint(0, 4)),
        complexity_level=draw.choice(LEVELS), tools_used=maybe(draw.sample(TOOLS, draw.randint(0, 3))),
        context_factors=maybe({"i": i}), created_at=maybe(1000.0 + draw.randint(0, 20)),
        updated_at=maybe(2000.0 + draw.randint(0, 20)), usage_count=maybe(draw.randint(0, 5)))


def random_filter(draw):
    fields = {}
    some = lambda: draw.random() < 0.25
    for name, words in (("task_type", TASKS), ("pattern_used", USED), ("complexity_level", LEVELS[:2])):
        if some():
            fields[name] = draw.choice([draw.choice(words), draw.sample(words, draw.randint(0, 2))])
    if some():
        fields["tool"] = draw.choice([draw.choice(TOOLS), draw.sample(TOOLS, 2), "gre"])
    for name, bounds in BOUNDS.items():
        if draw.random() < 0.12:
            fields[name] = draw.choice(bounds)
    if some():
        fields["order_by"] = draw.choice(["execution_time", "success_rate", "agent_count", "usage_count", "created_at",
                                          "updated_at", "confidence_score"])
        fields["descending"] = draw.random() < 0.5
    fields["limit"], fields["offset"] = draw.choice([-1, 1, 5, 100]), draw.choice([0, 0, 3])
    return knackdb.PatternFilters(**fields)


BOUNDS = {"min_confidence": [0.3, 0.5], "min_success_rate": [0.25, 0.6], "max_confidence": [0.3, 0.8],
          "max_success_rate": [0.25, 0.5], "min_execution_time": [0.5, 1], "max_execution_time": [0.5, 1.0],
          "min_agent_count": [1, 2], "max_agent_count": [2, 2.5], "min_usage_count": [1, 3], "max_usage_count": [3],
          "min_created_at": [1005], "max_created_at": [1015.0], "min_updated_at": [2005], "max_updated_at": [2015]}
COLUMN_OF = {"confidence": "confidence_score"}


def matches(filters, row):
    for name in ("task_type", "pattern_used", "complexity_level"):
        asked = getattr(filters, name)
        if isinstance(asked, list) and getattr(row, name) not in asked or \
                isinstance(asked, str) and getattr(row, name) != asked:
            return False
    for tool in [filters.tool] if isinstance(filters.tool, str) else filters.tool or []:
        if tool not in (row.tools_used or []):
            return False
    for name in BOUNDS:
        bound, column = getattr(filters, name), COLUMN_OF.get(name[4:], name[4:])
        if bound is None or name in ("min_confidence", "min_success_rate") and bound == 0:
            continue
        value = getattr(row, column)
        if value is None or (value < bound if name.startswith("min") else value > bound):
            return False
    return True


def in_order(filters, rows):
    """Rows equal under all keys come in the order they were first stored, as a dict keeps them. The last key is sorted
    by first; falling, the rows are turned around before and after, so that equal ones are not."""
    keys = [(filters.order_by, filters.descending)] if filters.order_by else [("success_rate", True),
                                                                              ("confidence_score", True)]
    for name, descending in keys:
        value = lambda row: (getattr(row, name) is not None, getattr(row, name) or 0)
        rows = sorted(rows, key=value) if not descending else sorted(rows[::-1], key=value)[::-1]
    limit = None if filters.limit < 0 else filters.offset + filters.limit
    return rows[filters.offset:limit]


@pytest.mark.parametrize("seed", range(6))
def test_pattern_retrieval_accuracy(db, open_database, seed):
    draw = random.Random(seed)
    model = {}
    for i in range(300):
        pattern = random_pattern(draw, i)
        assert db.store_execution_pattern(pattern), db.last_error
        model[pattern.id] = pattern
        if i % 7 == 0:
            victim = draw.choice(list(model))
            assert db.delete_pattern(victim)
            del model[victim]
    for question in range(150):
        if question == 75:
            db.shutdown()
            db = open_database()
        filters = random_filter(draw)
        expected = in_order(filters, [row for row in model.values() if matches(filters, row)])
        found = db.retrieve_patterns(filters)
        assert [row.id for row in found] == [row.id for row in expected], (seed, filters)
        for row in found:
            assert values_of(row) == values_of(model[row.id])


# ---- many at once ----

def test_concurrent_operations(db, loop):
    async def worker(number):
        for i in range(50):
            assert await db.database.store_execution_pattern(EnginePattern(f"task_{number}_{i}"))
            assert await db.database.retrieve_patterns(EngineFilters(limit=3))

    async def everything():
        await asyncio.gather(*[worker(number) for number in range(10)])
        stored = [asyncio.create_task(db.database.store_execution_pattern(EnginePattern(f"created_{i}")))
                  for i in range(50)]
        assert all(await asyncio.gather(*stored))
        found = await asyncio.gather(*[db.database.retrieve_patterns(EngineFilters(limit=-1)) for _ in range(10)])
        assert {len(each) for each in found} == {550}
        assert await asyncio.wait_for(db.database.update_pattern_weights("task_1_1", 0.5), 1) is True
    loop.run_until_complete(everything())


def test_concurrent_threads_each_with_a_loop(db):
    failures = []

    async def work(number):
        for i in range(200):
            pattern = EnginePattern(f"thread_{number}_{i}", execution_time=float(i))
            ok = await db.database.store_execution_pattern(pattern)
            found = await db.database.retrieve_patterns(knackdb.PatternFilters(limit=10, min_execution_time=i))
            if not ok or not found:
                failures.append((number, i))
        await db.database.sync()

    def in_a_loop(number):
        try:
            asyncio.run(work(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=in_a_loop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(db.retrieve_patterns(EngineFilters(limit=-1))) == 800


def test_shutdown_under_load_neither_hangs_nor_crashes(tmp_path):
    for round in range(5):
        database = knackdb.LearningDatabase(tmp_path / f"{round}.db")
        asyncio.run(database.initialize())
        stop = threading.Event()

        async def load():
            while not stop.is_set():
                await database.store_execution_patterns([EnginePattern() for _ in range(20)])
                await database.retrieve_patterns(EngineFilters(limit=-1))
                await database.get_user_preferences()

        threads = [threading.Thread(target=lambda: asyncio.run(load())) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.03)
        asyncio.run(database.shutdown())
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()


def test_a_cancelled_call_leaves_the_database_whole(open_database, loop):
    db = open_database(durability="sync")

    async def cancel_them():
        tasks = [asyncio.create_task(db.database.store_execution_pattern(EnginePattern(f"c{i}"))) for i in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)
    outcomes = loop.run_until_complete(cancel_them())
    assert all(each is True for each in outcomes[1::2])
    stored = {each.id for each in db.retrieve_patterns(EngineFilters(limit=-1))}
    assert {f"c{i}" for i in range(1, 20, 2)} <= stored


def test_a_store_that_never_began_leaves_the_object_as_it_was(open_database, monkeypatch):
    db = open_database(durability="sync")
    pattern = EnginePattern()

    async def refuse(_self, _call):
        raise RuntimeError("cannot schedule new futures after shutdown")
    monkeypatch.setattr(knackdb.LearningDatabase, "_elsewhere", refuse)
    assert not db.store_execution_pattern(pattern)
    assert pattern.id is None


def test_the_loop_runs_on_while_the_disk_is_waited_for(open_database, loop):
    db = open_database(durability="sync")

    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)
        ticking = asyncio.create_task(tick())
        for i in range(20):
            assert await db.database.store_execution_pattern(EnginePattern(f"s{i}"))
        ticking.cancel()
        return ticks
    assert loop.run_until_complete(both()) > 20


def test_database_cleanup(db):
    old = time.time() - 2 * 86400
    db.store_execution_patterns([EnginePattern(f"old{i}", created_at=old) for i in range(30)])
    db.store_execution_patterns([EnginePattern(f"new{i}") for i in range(20)])
    db.store_performance_metric(EngineMetrics(measured_at=old))
    db.store_performance_metric(EngineMetrics())
    db.store_user_preference("key", "value")
    assert db.cleanup_old_data() == 31
    assert db.cleanup_old_data(max_age_seconds=86400) == 0
    stats = db.get_database_stats()
    assert (stats["pattern_count"], stats["metric_count"], stats["preference_count"]) == (20, 1, 1)
    assert db.cleanup_old_data("old") == 0 and db.last_error


def test_a_large_cleanup(db):
    old = time.time() - 2 * 86400
    db.store_execution_patterns([EnginePattern(f"old{i}", created_at=old) for i in range(3000)])
    assert db.cleanup_old_data() == 3000
    assert db.retrieve_patterns(EngineFilters()) == []


@pytest.mark.parametrize("durability, waits", [("async", False), ("sync", True)])
def test_a_small_cleanup_is_done_elsewhere_where_it_waits_for_the_disk(open_database, loop, durability, waits):
    db = open_database(durability=durability)
    db.store_execution_pattern(EnginePattern(created_at=1.0))

    async def clean_up():
        cleaning = asyncio.ensure_future(db.database.cleanup_old_data())
        await asyncio.sleep(0)  # one round of the loop: a call that blocked it would be at its end
        return not cleaning.done(), await cleaning
    assert loop.run_until_complete(clean_up()) == (waits, 1)


def test_performance_benchmarks(db, loop):
    """The promises an engine's suite checks, in the thread's own time and with ten times the room: this is no place to
    measure."""
    patterns = [EnginePattern(f"pattern_{i:08x}", confidence_score=i / 1000) for i in range(1000)]
    room = 100 if SANITIZED else 10

    async def measure(call, times):
        spent = []
        for i in range(times):
            begun = time.thread_time()
            await call(i)
            spent.append(time.thread_time() - begun)
        return sorted(spent)[times // 2]

    async def run():
        filters = knackdb.PatternFilters(limit=10)
        assert await measure(lambda i: db.database.store_execution_pattern(patterns[i]), 1000) < 5e-6 * room
        assert await measure(lambda i: db.database.retrieve_patterns(filters), 1000) < 3e-6 * room
        assert await measure(lambda i: db.database.store_execution_patterns(patterns[:100]), 30) < 100e-6 * room
        assert await measure(lambda i: db.database.retrieve_patterns(EngineFilters(limit=100)), 30) < 3e-3 * room
    loop.run_until_complete(run())
    assert db.get_database_status()["memory_usage_mb"] < 5
