"""The options of a database reach the store, and what no option can be is refused at once."""

import stat

import pytest

import knackdb
from conftest import EngineFilters, EnginePattern, run_python

WHOLE = ["flush_interval_ms", "snapshot_log_bytes", "snapshot_interval_s", "snapshots_kept", "memory_bytes_max",
         "cache_bytes_max", "slow_operation_us", "file_mode", "as_of_sequence", "log_history_bytes",
         "log_segment_bytes_max"]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value, error", [(-2, ValueError), (2 ** 64, ValueError), ("1", TypeError), (1.0, TypeError),
                                          (None, TypeError)])
def test_a_number_that_cannot_be_is_refused_by_name(name, value, error):
    with pytest.raises(error, match=name):
        knackdb.LearningDatabase("x", **{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_minus_one_means_no_end_where_there_may_be_none(name):
    if name in ("snapshot_log_bytes", "cache_bytes_max", "log_history_bytes"):
        knackdb.LearningDatabase("x", **{name: -1})
    else:
        with pytest.raises(ValueError, match=name):
            knackdb.LearningDatabase("x", **{name: -1})


@pytest.mark.parametrize("options", [{"durability": "async "}, {"durability": None}, {"log_io": "mmap"},
                                     {"log_io": None}, {"as_of_time": "now"}, {"no_such_option": 1}])
def test_a_word_that_is_none_is_refused(options):
    with pytest.raises((ValueError, TypeError)):
        knackdb.LearningDatabase("x", **options)


@pytest.mark.parametrize("path", [5, ["learning.db"], object()])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(TypeError):
        knackdb.LearningDatabase(path)


@pytest.mark.parametrize("options", [{"file_mode": 0o100000}, {"as_of_time": float("nan")}, {"as_of_time": -1.0},
                                     {"as_of_sequence": 3}, {"follow": True, "durability": "memory"}])
def test_what_the_store_refuses_is_false_with_a_reason(tmp_path, loop, options):
    database = knackdb.LearningDatabase(tmp_path / "x", **options)
    assert loop.run_until_complete(database.initialize()) is False
    assert database.last_error


def test_a_memory_limit_is_kept(open_database):
    db = open_database(memory_bytes_max=2 << 20, strict=True)
    with pytest.raises(knackdb.FullError):
        for i in range(100):
            db.store_execution_pattern(EnginePattern(f"p{i}", context_factors={"text": f"{i}" * 50_000}))
    assert 10 < len(db.retrieve_patterns(EngineFilters())) < 40


def test_a_mode_opens_the_files_to_others(tmp_path, open_database):
    open_database(tmp_path / "own").store_execution_pattern(EnginePattern())
    open_database(tmp_path / "shared", file_mode=0o640).store_execution_pattern(EnginePattern())
    for name, folder, file in (("own", 0o700, 0o600), ("shared", 0o750, 0o640)):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == folder
        assert {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / name).iterdir()} == {file}


def test_slow_operations_are_those_slower_than_told(open_database):
    never = open_database(":memory:", slow_operation_us=4_000_000_000)
    always = open_database(":memory:", slow_operation_us=1)
    for db in (never, always):
        db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(500)])
    assert never.slow_operations() == [] and always.slow_operations()[0]["operation"]


def test_no_cache_is_no_cache(open_database):
    for size, kept in ((0, True), (-1, False)):
        db = open_database(":memory:", cache_bytes_max=size)
        db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(50)])
        db.retrieve_patterns(EngineFilters(task_type="sort"))
        assert (db.get_database_status()["cache_entries"] > 0) is kept


@pytest.mark.parametrize("log_io", ["map", "write"])
def test_the_log_is_written_either_way(tmp_path, open_database, log_io):
    db = open_database(log_io=log_io, log_segment_bytes_max=1 << 16)
    for i in range(300):
        assert db.store_execution_pattern(EnginePattern(f"p{i}")) is True
    db.shutdown()
    assert len(open_database().retrieve_patterns(EngineFilters(limit=-1))) == 300


def test_the_snapshot_alone(open_database):
    db = open_database()
    db.store_execution_pattern(EnginePattern("in it"))
    db.snapshot()
    db.store_execution_pattern(EnginePattern("behind it"))
    alone = open_database(snapshot_only=True)
    assert [each.id for each in alone.retrieve_patterns(EngineFilters())] == ["in it"]


# In a process of its own: a limit on the size of files is what makes its disk fail, and cannot be lifted again.
FAILING_DISK = """
    import asyncio, resource, sys
    import knackdb

    large = {"text": "x" * 200_000}

    async def main(path, refuses):
        db = knackdb.LearningDatabase(path, refuse_degraded=refuses, log_io="write")
        assert await db.initialize(), db.last_error
        assert await db.store_execution_pattern(knackdb.ExecutionPattern(id="before")) is True
        assert await db.sync() is True
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        outcomes = [await db.store_execution_pattern(knackdb.ExecutionPattern(id=f"p{i}", context_factors=large))
                    for i in range(200)]
        status = db.get_database_status()
        assert status["state"] == status["status"] == ("failed" if refuses else "degraded"), status["state"]
        assert status["reason"]
        if refuses:
            assert outcomes[-1] is False and db.last_error.startswith("refused"), db.last_error
            known = await db.retrieve_patterns(knackdb.PatternFilters(limit=-1))
            assert len(known) == 1 + sum(outcomes)      # what was refused is nowhere
            db.strict = True
            try:
                await db.store_execution_pattern(knackdb.ExecutionPattern(id="late"))
            except knackdb.DiskError:
                print("refused")
        else:
            assert all(outcomes) and await db.sync() is False
            assert len(await db.retrieve_patterns(knackdb.PatternFilters(limit=-1))) == 201
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            for _ in range(1000):       # it heals by itself
                if db.get_database_status()["state"] == "ok":
                    break
                await asyncio.sleep(0.05)
            assert await db.sync() is True, db.last_error
            print("healed")
        await db.shutdown()

    asyncio.run(main(sys.argv[1], sys.argv[2] == "refuses"))
"""


def test_a_failing_disk_refuses_where_asked_to(tmp_path):
    assert run_python(FAILING_DISK, tmp_path / "x", "refuses").stdout == "refused\n"


def test_a_failing_disk_is_gone_on_without_and_made_good(tmp_path, open_database):
    assert run_python(FAILING_DISK, tmp_path / "x", "goes on").stdout == "healed\n"
    assert len(open_database(tmp_path / "x").retrieve_patterns(EngineFilters(limit=-1))) == 201
