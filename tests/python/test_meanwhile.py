"""What other threads, tasks and the collector do while a call is under way: it neither crashes nor forgets anything.

Some of it is tried in a process of its own, as what it finds is a crash. There memory that is given back is
overwritten (MALLOC_PERTURB_), so that whoever reads on reads nonsense."""

import asyncio
import concurrent.futures
import os
import threading
import time

import pytest

import knackdb
from conftest import EnginePattern, run_python


class ClosesFirst:
    """A path, and a number, in Python code: it closes the database before it says what it is."""

    def __init__(self, database):
        self.database = database

    def __fspath__(self):
        self.database._close()
        return "/nowhere/at/all"

    def __float__(self):
        self.database._close()
        return 1.0


def test_a_path_that_closes_the_database_is_answered():
    run_python("""
        import sys
        sys.path.insert(0, sys.argv[1])
        import asyncio, knackdb
        from test_meanwhile import ClosesFirst

        async def main():
            db = knackdb.LearningDatabase(":memory:")
            for call in (db.backup, db.cleanup_old_data):
                assert await db.initialize()
                assert not await call(ClosesFirst(db)) and "not open" in db.last_error, db.last_error
        asyncio.run(main())
    """, os.path.dirname(__file__))


READ_WHILE_THE_ROW_CHANGES = """
    import asyncio, gc, sys
    import knackdb

    factors = {f"key{i}": {"name": f"value{i}" * 3, "of": [i]} for i in range(3000)}

    async def main():
        async with knackdb.LearningDatabase(":memory:") as db:
            assert await db.store_execution_pattern(knackdb.ExecutionPattern(id="x", context_factors=factors))
            for change in (lambda row: vars(row), lambda row: row.__init__(), lambda row: setattr(row, "__dict__", {})):
                row = await db.get_pattern("x")
                changed = []

                def collected(phase, info):
                    if not changed:
                        changed.append(True)
                        change(row)
                gc.callbacks.append(collected)
                gc.set_threshold(50)
                try:
                    read = row.context_factors
                except AttributeError:
                    read = factors          # the row has another dict now, and no such field
                finally:
                    gc.callbacks.remove(collected)
                    gc.set_threshold(700)
                assert read in (factors, {}) and (changed or sys.version_info >= (3, 12)), (changed, len(read))
    asyncio.run(main())
"""


def test_a_row_that_changes_while_its_json_is_read(monkeypatch):
    monkeypatch.setenv("MALLOC_PERTURB_", "165")
    run_python(READ_WHILE_THE_ROW_CHANGES)


def test_a_rows_dict_is_the_row_from_then_on(memory_db):
    memory_db.store_execution_pattern(EnginePattern("x"))
    row = memory_db.get_pattern("x")
    assert vars(row) is vars(row) and vars(row)["id"] == "x"
    del row.id
    with pytest.raises(AttributeError):
        row.id
    with pytest.raises(AttributeError):
        del row.id
    vars(row)["id"] = "y"
    assert row.id == "y"


def test_keys_that_give_the_row_another_dict_while_they_are_compared():
    run_python("""
        import knackdb
        row = knackdb.ExecutionPattern(id="x")

        class Key:
            def __hash__(self):
                return hash("task_type")
            def __eq__(self, other):
                row.__dict__ = {}
                return False
        for act in (lambda: row.task_type, lambda: setattr(row, "task_type", "y"), lambda: delattr(row, "task_type")):
            row.__dict__ = {Key(): i for i in range(5)}
            try:
                act()
            except AttributeError:
                pass
    """)


def test_figures_are_of_one_moment_though_the_database_is_shut_down_meanwhile(loop):
    class ShutDownMeanwhile(knackdb.LearningDatabase):
        def _stats(self):
            stats = super()._stats()
            self._close()
            return stats

    database = ShutDownMeanwhile(":memory:")
    for ask in (database.get_database_stats, database.get_database_status):
        assert loop.run_until_complete(database.initialize())
        figures = ask() if ask == database.get_database_status else loop.run_until_complete(ask())
        assert figures["initialized"] is True and figures["pattern_count"] == 0 and figures["metrics"]


def opened_elsewhere(path):
    """A database, and the thread that opens it, which has begun: the directory is there."""
    database = knackdb.LearningDatabase(path)
    thread = threading.Thread(target=database._open_now)
    thread.start()
    while not path.exists():
        time.sleep(0)
    return database, thread


def test_who_opens_what_is_being_opened_waits_for_it(tmp_path):
    for i in range(20):
        database, thread = opened_elsewhere(tmp_path / str(i))
        assert database._open_now() is True and database.is_open
        thread.join()
        database._close()


def test_who_closes_what_is_being_opened_waits_for_it(tmp_path, open_database):
    for i in range(20):
        database, thread = opened_elsewhere(tmp_path / str(i))
        database._close()
        thread.join()
        assert not database.is_open
        open_database(tmp_path / str(i)).shutdown()  # nobody holds its lock


def test_what_is_shut_down_stays_so_though_a_task_was_to_open_it(tmp_path, loop):
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))  # what comes first is done first

    async def opened_and_shut_down(database):
        opening = asyncio.create_task(database.initialize())
        await database.shutdown()
        assert await opening is True and not database.is_open

    async def opened_too_slowly(database):
        try:
            await asyncio.wait_for(database.initialize(), 1e-4)
        except asyncio.TimeoutError:
            pass
        await database.shutdown()
        assert not database.is_open

    for case in (opened_and_shut_down, opened_too_slowly):
        for i in range(20):
            loop.run_until_complete(case(knackdb.LearningDatabase(tmp_path / f"{case.__name__}{i}")))


def test_how_long_it_is_open_is_counted_from_the_last_opening(tmp_path):
    database, thread = opened_elsewhere(tmp_path / "x")
    database._close()
    thread.join()
    assert database._opened_by == 0
    time.sleep(0.02)
    before = time.time()
    database._open_now()
    uptime = database.get_database_status()["uptime_seconds"]
    assert 0 <= uptime <= time.time() - before and database._opened_by == os.getpid()
    database._close()


def test_two_tasks_that_open_and_one_that_closes(tmp_path, loop):
    async def both(database):
        assert await asyncio.gather(database.initialize(), database.initialize()) == [True, True]
        assert await database.store_execution_pattern(EnginePattern("x")) is True, database.last_error
        await database.shutdown()
        assert not database.is_open

    for i in range(20):
        loop.run_until_complete(both(knackdb.LearningDatabase(tmp_path / str(i))))
