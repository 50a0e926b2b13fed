"""What survives the end of a process, however it comes: return, exit, exception, fork, kill -9."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import knackdb
from conftest import EngineFilters, EnginePattern, run_python, values_of


def test_a_restart_brings_everything_back(db, open_database):
    patterns = [EnginePattern(f"p{i}", context_factors={"i": [i, None, "ü"]}) for i in range(50)]
    db.store_execution_patterns(patterns)
    db.store_user_preference("key", {"a": 1})
    db.update_pattern_weights("p7", 0.125)
    db.shutdown()
    again = open_database()
    assert {each.id for each in again.retrieve_patterns(EngineFilters())} == {f"p{i}" for i in range(50)}
    assert again.get_pattern("p7").confidence_score == 0.125
    assert values_of(again.get_pattern("p3")) == values_of(patterns[3])
    assert again.get_user_preferences() == {"key": {"a": 1}}


STORING = """
    import asyncio, os, signal, sys
    import knackdb

    async def main():
        db = knackdb.LearningDatabase(sys.argv[1])
        assert await db.initialize(), db.last_error
        i = 0
        while True:
            assert await db.store_execution_pattern(knackdb.ExecutionPattern(id=f"p{i}", tools_used=[str(i)]))
            i += 1
            print(i, flush=True)
    asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_a_call_returned(tmp_path, open_database):
    path = tmp_path / "killed.db"
    for round in range(3):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(STORING), str(path)], stdout=subprocess.PIPE,
                                 text=True)
        said = 0
        for line in child.stdout:
            said = int(line)
            if said >= 200 * (round + 1):
                child.send_signal(signal.SIGKILL)
                break
        said = max([said] + [int(line) for line in child.stdout.read().split("\n")[:-1]])
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        db = open_database(path)
        found = {each.id: each.tools_used for each in db.retrieve_patterns(EngineFilters(limit=-1))}
        assert len(found) >= said
        assert all(found[f"p{i}"] == [str(i)] for i in range(said))
        db.shutdown()


def test_an_exit_without_shutdown_loses_nothing(tmp_path, open_database):
    program = """
        import asyncio, sys
        import knackdb
        db = knackdb.LearningDatabase(sys.argv[1])
        loop = asyncio.new_event_loop()
        loop.run_until_complete(db.initialize())
        loop.run_until_complete(db.store_execution_pattern(knackdb.ExecutionPattern(id=sys.argv[2])))
        rows = loop.run_until_complete(db.retrieve_patterns(knackdb.PatternFilters()))
        kept = [db, rows, loop]
        kept.append(kept)       # a cycle that holds it all until the end
        exec(sys.argv[3])
    """
    path = tmp_path / "exit.db"
    ends = ["pass", "sys.exit(3)", "import os; os._exit(0)", "1/0", "raise SystemExit",
            "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            "import atexit; atexit.register(lambda: loop.run_until_complete(db.sync()))",
            "import builtins; builtins.kept = db; del db, kept"]
    for i, end in enumerate(ends):
        done = run_python(program, path, f"p{i}", end, check=False)
        assert done.returncode in (0, 1, 3), done.stderr
        assert "Fatal" not in done.stderr
    db = open_database(path)
    assert {each.id for each in db.retrieve_patterns(EngineFilters())} == {f"p{i}" for i in range(len(ends))}


def test_the_child_of_a_fork_is_refused_and_harms_nothing(db):
    db.store_execution_pattern(EnginePattern("before"))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert db.store_execution_pattern(EnginePattern("child")) is False and "fork" in db.last_error
            assert db.retrieve_patterns(EngineFilters()) == [] and "fork" in db.last_error
            assert db.update_pattern_weights("before", 0.1) is False
            assert db.get_database_status()["initialized"] is False
            db.shutdown()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert db.store_execution_pattern(EnginePattern("after")) is True
    assert {each.id for each in db.retrieve_patterns(EngineFilters())} == {"before", "after"}


def test_workers_may_open_the_directory_read_only(db, tmp_path):
    db.store_execution_pattern(EnginePattern("x"))
    program = """
        import asyncio, multiprocessing, sys
        import knackdb

        async def ids(path):
            async with knackdb.LearningDatabase(path, read_only=True) as db:
                return [each.id for each in await db.retrieve_patterns(knackdb.PatternFilters())]

        def worker(path):
            return asyncio.run(ids(path))

        if __name__ == "__main__":
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    assert pool.map(worker, [sys.argv[1]] * 4) == [["x"]] * 4, method
    """
    file = tmp_path / "workers.py"      # what is spawned imports it again
    file.write_text(textwrap.dedent(program))
    done = subprocess.run([sys.executable, str(file), str(tmp_path / "learning.db")], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_follower_in_another_process_sees_what_was_stored_once_it_refreshes(db, tmp_path):
    db.store_execution_pattern(EnginePattern("before"))
    program = """
        import asyncio, sys
        import knackdb

        async def follow(path):
            async with knackdb.LearningDatabase(path, follow=True) as db:
                for line in sys.stdin:
                    assert await db.refresh() is True, db.last_error
                    print(*sorted(each.id for each in await db.retrieve_patterns(knackdb.PatternFilters())), flush=True)
                assert await db.store_execution_pattern(knackdb.ExecutionPattern(id="mine")) is False
                assert "read-only" in db.last_error
                assert db.get_database_status()["refreshed_at"] > 0

        asyncio.run(follow(sys.argv[1]))
    """
    follower = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "learning.db")],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    patience = threading.Timer(120, follower.kill)
    patience.start()

    def seen():
        follower.stdin.write("now\n")
        follower.stdin.flush()
        return follower.stdout.readline().split()

    try:
        assert seen() == ["before"]
        db.store_execution_pattern(EnginePattern("later"))
        assert seen() == ["before", "later"]
        db.store_execution_pattern(EnginePattern("even later"))
        db.snapshot()
        assert seen() == ["before", "even", "later", "later"]
        follower.stdin.close()
        assert follower.wait(60) == 0
    finally:
        patience.cancel()
        follower.kill()
        follower.wait()
        follower.stdout.close()


def test_refresh_of_what_does_not_follow(db, open_database):
    assert db.refresh() is True
    reader = open_database(read_only=True)
    assert reader.refresh() is False
    assert "one moment" in reader.last_error


def test_a_backup_is_a_database_of_its_own(db, tmp_path, open_database):
    db.store_execution_pattern(EnginePattern("x"))
    assert db.backup(tmp_path / "copy.db") is True, db.last_error
    db.store_execution_pattern(EnginePattern("y"))
    copy = open_database(tmp_path / "copy.db")
    assert [each.id for each in copy.retrieve_patterns(EngineFilters())] == ["x"]
    assert db.backup(tmp_path / "copy.db") is False
    assert "not empty" in db.last_error
    memory = open_database(":memory:")
    memory.store_execution_pattern(EnginePattern("saved"))
    assert memory.backup(tmp_path / "saved.db") is True
    saved = open_database(tmp_path / "saved.db")
    assert [each.id for each in saved.retrieve_patterns(EngineFilters())] == ["saved"]


def test_rows_cross_to_another_process(db):
    import multiprocessing
    db.store_execution_pattern(EnginePattern("x"))
    rows = db.retrieve_patterns(EngineFilters())
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(type(rows[0]).to_dict, rows) == [rows[0].to_dict()]


def test_a_database_that_nobody_holds_closes_itself(tmp_path, open_database, loop):
    database = knackdb.LearningDatabase(tmp_path / "dropped.db")
    loop.run_until_complete(database.initialize())
    loop.run_until_complete(database.store_execution_pattern(EnginePattern("x")))
    database.itself = database
    gone = weakref.ref(database)
    del database
    while gone() is not None:  # the thread that opened it may not have let go of it yet
        gc.collect()
        time.sleep(0.001)
    assert [each.id for each in open_database(tmp_path / "dropped.db").retrieve_patterns(EngineFilters())] == ["x"]


def test_a_second_interpreter_is_refused(tmp_path):
    run_python("""
        import knackdb
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            raise SystemExit
        other = interpreters.create()
        try:
            interpreters.run_string(other, "import knackdb")
        except Exception as error:
            assert "one interpreter" in str(error) or "subinterpreters" in str(error), error
        else:
            raise AssertionError("imported twice")
    """)
