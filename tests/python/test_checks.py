"""verify() and repair(): faults are named, what can be read is saved, what was lost is told."""

import asyncio
import gc
import os
import shutil
import sys

import pytest

import _knackdb
import knackdb
from conftest import EngineFilters, EnginePattern


def filled(open_database, path, count=20):
    db = open_database(path)
    for i in range(count):
        assert db.store_execution_pattern(EnginePattern(f"p{i}", task_type="sort" if i % 2 else "search")) is True
    db.shutdown()
    return path


def flip_where(path, content):
    """Flips one bit of the file that holds these bytes, in the last place where it does."""
    for name in sorted(os.listdir(path)):
        with open(path / name, "r+b") as file:
            at = file.read().rfind(content)
            if at >= 0:
                file.seek(at)
                file.write(bytes([content[0] ^ 1]))
                return name
    raise AssertionError("nowhere")


def ids_of(open_database, path):
    return sorted(each.id for each in open_database(path).retrieve_patterns(EngineFilters(limit=-1)))


def test_a_sound_directory_has_no_faults(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a")
    report = loop.run_until_complete(knackdb.verify(path))
    assert report.is_sound and report.faults == [] and report.files >= 1 and report.records >= 20
    assert report.bytes >= 20 * 100


def test_rows_without_a_manifest_are_no_sound_directory(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a")
    for name in os.listdir(path):
        if name.startswith("manifest-"):
            (path / name).unlink()
    report = loop.run_until_complete(knackdb.verify(path))
    assert not report.is_sound and report.fault_count == 1
    assert "there are rows here, but no manifest" in report.faults[0]


def test_a_flipped_bit_is_named_by_file_and_offset(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a")
    name = flip_where(path, b"p7")
    report = loop.run_until_complete(knackdb.verify(str(path)))
    assert not report.is_sound and report.fault_count == len(report.faults) >= 1
    assert report.faults[0].startswith(f"{name}: offset ")


def test_repair_saves_all_but_the_commit_that_was_hit(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a")
    name = flip_where(path, b"p7")
    before = {each: (path / each).read_bytes() for each in os.listdir(path)}
    report = loop.run_until_complete(knackdb.repair(path, tmp_path / "b"))
    assert {each: (path / each).read_bytes() for each in os.listdir(path)} == before
    assert (report.rows_saved, report.commits_lost, report.loss_count) == (19, 1, 1)
    [loss] = [each for each in report.losses if each.kind not in ("torn", "frame")]
    assert (loss.kind, loss.file, loss.first_sequence, loss.last_sequence) == ("commits", name, 8, 8)
    assert loss.offset > 0 and loss.reason and str(loss).startswith(f"{name}:{loss.offset}: ")
    assert ids_of(open_database, tmp_path / "b") == sorted(f"p{i}" for i in range(20) if i != 7)


def test_repair_tells_of_a_column_by_name(tmp_path, open_database, loop):
    path = tmp_path / "a"
    db = open_database(path)
    assert db.store_execution_patterns([EnginePattern(f"p{i}", pattern_used="never seen elsewhere")
                                        for i in range(20)]) is True
    assert db.snapshot() is True
    db.shutdown()
    flip_where(path, b"never seen elsewhere")
    report = loop.run_until_complete(knackdb.repair(path, tmp_path / "b"))
    columns = {each.column for each in report.losses if each.kind == "values"}
    assert columns == {"pattern_used"} and report.values_lost == 20 and report.rows_saved == 20
    saved = open_database(tmp_path / "b").retrieve_patterns(EngineFilters())
    assert {(each.pattern_used, each.task_type) for each in saved} == {(None, "sort")}


def test_what_cannot_be_looked_at_raises(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a", 1)
    (tmp_path / "empty").mkdir()
    for call, error in [(lambda: knackdb.verify(tmp_path / "none"), knackdb.Error),
                        (lambda: knackdb.repair(tmp_path / "none", tmp_path / "b"), knackdb.Error),
                        (lambda: knackdb.repair(tmp_path / "empty", tmp_path / "b"), knackdb.NotFoundError),
                        (lambda: knackdb.repair(path, path), knackdb.InvalidError),
                        (lambda: knackdb.repair(path, None), TypeError), (lambda: knackdb.verify(7), TypeError),
                        (lambda: knackdb.repair("a\0b", tmp_path / "b"), ValueError)]:
        with pytest.raises(error):
            loop.run_until_complete(call())
    assert not (tmp_path / "b").exists()


def test_the_loop_runs_on_meanwhile(tmp_path, open_database, loop):
    path = filled(open_database, tmp_path / "a")

    async def both():
        looking = asyncio.ensure_future(knackdb.verify(path))
        await asyncio.sleep(0)  # one round of the loop: a call that blocked it would be at its end
        ran_on = not looking.done()
        return ran_on, (await looking).is_sound
    assert loop.run_until_complete(both()) == (True, True)


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(os.environ.get("KNACKDB_SANITIZED") == "1", reason="a sanitizer keeps what was freed")
def test_they_leak_nothing(tmp_path, open_database):
    """Findings are a hundred kilobytes a call, of memory that Python's allocator does not count."""
    path = filled(open_database, tmp_path / "a", 300)
    log = max(path.glob("log-*"), key=lambda each: each.stat().st_size)
    log.write_bytes(log.read_bytes().replace(b"search", b"seared"))  # every other commit

    def repair():
        report = _knackdb.repair(path, tmp_path / "b")
        shutil.rmtree(tmp_path / "b")
        return len(report["losses"])

    for call in (lambda: len(_knackdb.verify(path)["faults"]), repair):
        blocks, bytes_resident = [], []
        for _ in range(3):
            for _ in range(10):
                assert call() == 150
            gc.collect()
            blocks.append(sys.getallocatedblocks())
            bytes_resident.append(resident())
        for figures, bound in (blocks, 20), (bytes_resident, 512 << 10):
            assert min(after - before for before, after in zip(figures, figures[1:])) < bound
