"""An earlier moment of a database, opened beside its writer: what it held then, and nothing later."""

import datetime
import itertools
import time

import pytest

import knackdb
from conftest import EngineFilters, EnginePattern, values_of

EVERY = EngineFilters(limit=-1)


def rows_of(db):
    return {row.id: values_of(row) for row in db.retrieve_patterns(EVERY)}


def later_than(moment):
    while time.time() <= moment + 0.001:
        pass


@pytest.fixture
def past(db):
    """[(commit, time, what was there)], of which the last is now."""
    moments = []
    for i in range(12):
        assert db.store_execution_patterns([EnginePattern(f"p{i}"), EnginePattern(f"p{i // 2}", usage_count=i)])
        if i % 3 == 2:
            assert db.delete_pattern(f"p{i}")
        now = time.time()
        moments.append((db.get_database_status()["sequence"], now, rows_of(db)))
        later_than(now)
    return moments


def test_a_moment_by_the_number_of_its_last_commit(past, open_database):
    for sequence, _, expected in past:
        then = open_database(as_of=sequence)
        assert rows_of(then) == expected
        assert then.get_database_status()["sequence"] == sequence


@pytest.mark.parametrize("told", [
    lambda moment: moment, datetime.datetime.fromtimestamp,
    lambda moment: datetime.datetime.fromtimestamp(moment, datetime.timezone(datetime.timedelta(hours=5, minutes=30)))])
def test_a_moment_by_its_time(past, open_database, told):
    for _, moment, expected in past:
        assert rows_of(open_database(as_of=told(moment))) == expected


def test_the_past_does_not_change_and_cannot_be_changed(past, db, open_database):
    sequence, _, expected = past[3]
    then = open_database(as_of=sequence)
    assert then.store_execution_pattern(EnginePattern("new")) is False and "read" in then.last_error
    assert then.update_pattern_weights("p0", 0.1) is False
    assert db.store_execution_pattern(EnginePattern("p0", task_type="changed"))
    assert rows_of(then) == expected


def test_a_moment_that_is_yet_to_come_is_refused(past, tmp_path, loop):
    ahead = knackdb.LearningDatabase(tmp_path / "learning.db", as_of=past[-1][0] + 1)
    assert loop.run_until_complete(ahead.initialize()) is False and str(past[-1][0] + 1) in ahead.last_error


def test_nothing_is_made_where_there_is_no_past(tmp_path, loop):
    nowhere = knackdb.LearningDatabase(tmp_path / "absent", as_of=1)
    assert loop.run_until_complete(nowhere.initialize()) is False and nowhere.last_error
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("as_of, error", [("yesterday", TypeError), (True, TypeError), (0, ValueError),
                                          (-1.5, ValueError), (float("nan"), ValueError), (float("inf"), ValueError),
                                          (2 ** 63, ValueError)])
def test_what_is_no_moment_is_refused(as_of, error):
    with pytest.raises(error, match="as_of"):
        knackdb.LearningDatabase("learning.db", as_of=as_of)


def test_one_moment_at_a_time():
    asked = {"as_of": 1, "as_of_sequence": 2, "as_of_time": 3.0, "snapshot_only": True}
    for one, other in itertools.combinations(asked, 2):
        with pytest.raises(ValueError, match="one moment"):
            knackdb.LearningDatabase("learning.db", **{one: asked[one], other: asked[other]})


def test_history_kept_reaches_behind_snapshots(open_database):
    db = open_database(log_history_bytes=-1)
    moments = []
    for i in range(5):
        assert db.store_execution_patterns([EnginePattern(f"p{i}"), EnginePattern("same", usage_count=i)])
        moments.append((db.get_database_status()["sequence"], rows_of(db)))
        assert db.snapshot() is True
    for sequence, expected in moments:
        assert rows_of(open_database(as_of=sequence)) == expected


def test_without_history_what_a_snapshot_has_swallowed_is_no_moment_any_more(open_database, tmp_path, loop):
    db = open_database()
    for i in range(3):
        assert db.store_execution_pattern(EnginePattern(f"p{i}")) and db.snapshot()
    before = knackdb.LearningDatabase(tmp_path / "learning.db", as_of=1)
    assert loop.run_until_complete(before.initialize()) is False and before.last_error
