"""What the calls return can be awaited, made a task of, gathered, and driven by hand; none of it visits the loop."""

import asyncio
import collections.abc
import inspect

import pytest

import knackdb
from conftest import EngineFilters, EnginePattern


@pytest.fixture
def database(memory_db):
    return memory_db.database


def test_it_is_a_coroutine_for_who_asks(database):
    awaitable = database.store_execution_pattern(EnginePattern("x"))
    assert isinstance(awaitable, collections.abc.Coroutine) and inspect.isawaitable(awaitable)
    assert asyncio.iscoroutine(awaitable)


def test_the_work_is_done_when_the_call_returns(database, loop):
    database.store_execution_pattern(EnginePattern("x"))
    assert len(loop.run_until_complete(database.retrieve_patterns(EngineFilters()))) == 1


def test_awaiting_never_visits_the_loop(database, loop):
    async def both():
        order = []
        asyncio.get_running_loop().call_soon(order.append, "loop")
        for _ in range(100):
            await database.store_execution_pattern(EnginePattern("x"))
            await database.retrieve_patterns(EngineFilters())
        order.append("done")
        await asyncio.sleep(0)
        return order
    assert loop.run_until_complete(both()) == ["done", "loop"]


def test_every_way_to_drive_it(database, loop):
    async def drive():
        call = lambda: database.retrieve_patterns(EngineFilters())
        assert await call() == []
        assert await asyncio.create_task(call()) == []
        assert await asyncio.gather(call(), call()) == [[], []]
        assert await asyncio.wait_for(call(), 1) == []
        assert await asyncio.shield(call()) == []
        done, _ = await asyncio.wait([asyncio.ensure_future(call())])
        assert [each.result() for each in done] == [[]]
        task = asyncio.create_task(call())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    loop.run_until_complete(drive())
    assert asyncio.run(database.retrieve_patterns(EngineFilters())) == []


def test_by_hand(database):
    with pytest.raises(StopIteration) as stop:
        database.retrieve_patterns(EngineFilters()).send(None)
    assert stop.value.value == []
    with pytest.raises(StopIteration) as stop:
        next(iter(database.update_pattern_weights("none", 0.5)))
    assert stop.value.value is False
    awaitable = database.get_pattern("none")
    assert awaitable.__await__() is awaitable and awaitable.close() is None
    with pytest.raises(KeyError):
        awaitable.throw(KeyError("x"))
    with pytest.raises(KeyError):
        awaitable.throw(KeyError, "x", None)
    for nonsense in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError):
            awaitable.throw(*nonsense)


def test_it_may_be_awaited_again(database, loop):
    awaitable = database.retrieve_patterns(EngineFilters())

    async def twice():
        return await awaitable is await awaitable
    assert loop.run_until_complete(twice())


def test_nobody_else_makes_them():
    import _knackdb
    with pytest.raises(TypeError):
        _knackdb.Ready()


def test_waiting_calls_work_without_a_loop(tmp_path):
    """Whoever drives coroutines by another library, or by hand, gets an answer, too."""
    database = knackdb.LearningDatabase(tmp_path / "x")
    for call in (database.initialize, database.sync, database.snapshot, database.shutdown):
        with pytest.raises(StopIteration) as stop:
            call().send(None)
        assert stop.value.value in (True, None)
