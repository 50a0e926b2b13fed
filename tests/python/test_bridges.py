"""In from an old SQLite file, out to pandas and numpy and back, and the diagnosis of a directory."""

import ctypes
import io
import json
import os
import sqlite3

import pytest

import _knackdb
import knackdb
from conftest import EngineFilters, EngineMetrics, EnginePattern, run_python

OLD_SCHEMA = """
CREATE TABLE execution_patterns (id TEXT PRIMARY KEY, task_type TEXT, pattern_used TEXT, execution_time REAL,
    success_rate REAL, confidence_score REAL, agent_count INTEGER, complexity_level TEXT, tools_used TEXT,
    context_factors TEXT, created_at REAL, updated_at REAL, usage_count INTEGER, mood TEXT);
CREATE TABLE user_preferences (preference_type TEXT, preference_value TEXT);
CREATE TABLE performance_metrics (id INTEGER PRIMARY KEY, component_name TEXT, metric_name TEXT, metric_value REAL,
    baseline_value REAL, improvement_percentage REAL, measured_at REAL);
"""


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(OLD_SCHEMA)
        old.executemany("INSERT INTO execution_patterns VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", [
            (f"pattern_{i:08x}", "sort", None, i / 2, 0.5, i / 3000, 1, "simple", json.dumps(["a", "ü"]),
             json.dumps({"i": i}), 1.7e9, 1.7e9, i, "fine") for i in range(2500)])
        old.executemany("INSERT INTO user_preferences VALUES (?,?)",
                        [("theme", '"dark"'), ("size", "12"), ("name", "Jo")])
        old.execute("INSERT INTO performance_metrics VALUES (1, 'router', 'latency', 2.0, 1.0, NULL, 1.7e9)")
    old.close()
    return path


@pytest.mark.parametrize("far_off", ["1e10", "1e12", "1e300", "1.7976931348623157e308"])
def test_a_preference_stored_after_one_of_a_time_far_off_is_the_latest(import_csv, far_off):
    """By a microsecond, if a double can tell it; else by the next double, and not even that behind the largest."""
    db = import_csv("user_preferences", ["preference_type,preference_value,last_used",
                                         f'theme,"""far off""",{far_off}', 'theme,"""first""",5', 'theme,"""second""",6'])
    for value in ("first", "second", "first", "second", "far off", "first"):
        assert db.store_user_preference("theme", value), db.last_error
        if float(far_off) < 1e308:
            assert db.get_user_preferences()["theme"] == value


def test_an_old_sqlite_file_comes_in(db, old_file):
    before = old_file.read_bytes()
    report = db.loop.run_until_complete(knackdb.import_sqlite(db.database, old_file))
    assert report == {"execution_patterns": 2500, "performance_metrics": 1, "user_preferences": 3,
                      "left_out": ["execution_patterns.mood"]}
    assert old_file.read_bytes() == before
    pattern = db.get_pattern("pattern_000009c3")
    assert (pattern.context_factors, pattern.tools_used, pattern.pattern_used) == ({"i": 2499}, ["a", "ü"], None)
    assert db.get_user_preferences() == {"theme": "dark", "size": 12, "name": "Jo"}
    assert db.get_performance_history("router")[0].improvement_percentage == 100.0


def test_what_is_no_sqlite_file_is_refused(db, tmp_path):
    (tmp_path / "text").write_text("not a database, and long enough to be looked at as one" * 20)
    for path in (tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(knackdb.Error):
            db.loop.run_until_complete(knackdb.import_sqlite(db.database, path))
    assert not os.path.exists(tmp_path / "absent")


def test_rows_to_pandas_and_back(db):
    pandas = pytest.importorskip("pandas")
    db.store_execution_patterns([EnginePattern(f"p{i}", execution_time=None if i == 3 else i / 2) for i in range(10)])
    rows = db.retrieve_patterns(EngineFilters())
    frame = knackdb.to_pandas(rows)
    assert list(frame.columns) == [f for f in knackdb.ExecutionPattern.__dataclass_fields__] and len(frame) == 10
    assert frame["execution_time"].isna().sum() == 1 and frame["agent_count"].dtype.kind == "i"
    assert knackdb.patterns_from_pandas(frame) == rows
    assert len(knackdb.to_pandas([])) == 0
    assert db.store_execution_patterns(knackdb.patterns_from_pandas(pandas.DataFrame({"task_type": ["a", "b"]})))
    with pytest.raises(ValueError):
        knackdb.patterns_from_pandas(pandas.DataFrame({"nothing": [1]}))
    db.store_performance_metric(EngineMetrics())
    history = db.get_performance_history("router")
    assert knackdb.metrics_from_pandas(knackdb.to_pandas(history)) == history


def test_a_frame_of_a_thousand_rows_keeps_every_value(db):
    pytest.importorskip("pandas")
    patterns = [EnginePattern(f"p{i}", execution_time=None if i % 7 == 3 else i / 3,
                              task_type=None if i % 5 == 0 else "ü", agent_count=None if i % 11 == 0 else i,
                              usage_count=2 ** 62 + i,
                              tools_used=None if i % 13 == 0 else ["a"] * (i % 3)) for i in range(1000)]
    assert db.store_execution_patterns(patterns)
    rows = db.retrieve_patterns(EngineFilters(limit=-1))
    frame = knackdb.to_pandas(rows)
    assert frame["usage_count"].dtype == "int64" and frame["agent_count"].dtype == "float64"
    assert knackdb.patterns_from_pandas(frame) == rows
    assert knackdb.patterns_from_pandas(frame.iloc[::-1]) == rows[::-1]
    rows[4].success_rate = "excellent"  # no number: that column goes into the frame as it is
    assert list(knackdb.to_pandas(rows)["success_rate"])[3:5] == [0.9, "excellent"]


def test_a_frame_with_gaps_of_every_kind_comes_in(db):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "task_type": ["a", None, pandas.NA], "agent_count": pandas.array([1, None, 3], dtype="Int64"),
        "execution_time": [0.5, float("nan"), None], "tools_used": [["x"], [], None], "created_at": [1, 2, 3],
        "mood": "fine"})
    rows = knackdb.patterns_from_pandas(frame)
    assert [(row.task_type, row.agent_count, row.execution_time, row.tools_used, row.created_at) for row in rows] == [
        ("a", 1, 0.5, ["x"], 1), (None, None, None, [], 2), (None, 3, None, None, 3)]
    assert [row.complexity_level for row in rows] == ["simple"] * 3 and db.store_execution_patterns(rows)
    assert knackdb.patterns_from_pandas(frame.iloc[:0]) == []


def column_is_in_place(array):
    return array.strides != (8,)


def test_a_column_of_rows_is_read_where_the_rows_lie(db):
    numpy = pytest.importorskip("numpy")
    db.store_execution_patterns([EnginePattern(f"p{i:03}", confidence_score=i / 1000, usage_count=i,
                                               execution_time=None if i % 10 == 0 else i / 2) for i in range(300)])
    db.store_performance_metrics([EngineMetrics(metric_value=float(i), measured_at=1e9 + i) for i in range(50)])
    rows = db.retrieve_patterns(EngineFilters(limit=-1))
    def values(rows, name):
        return [getattr(row, name) for row in rows]
    for run in (rows, rows[:1], rows[100:200]):
        for name in ("confidence_score", "usage_count", "created_at"):
            array = knackdb.column(run, name)
            assert array.tolist() == values(run, name) and column_is_in_place(array), name
            assert not array.flags.writeable and not array.flags.owndata
    times = knackdb.column(rows, "execution_time")
    assert column_is_in_place(times)
    assert [None if numpy.isnan(each) else each for each in times] == values(rows, "execution_time")
    for picked in (rows[::-1], rows[::2], rows[:3] + rows[2:5],
                   rows[:5] + db.retrieve_patterns(EngineFilters(limit=5))):
        array = knackdb.column(picked, "usage_count")
        assert array.tolist() == values(picked, "usage_count") and not column_is_in_place(array)
        assert not array.flags.writeable and array.dtype == numpy.int64
    history = db.get_performance_history("router")
    newest = knackdb.column(history, "metric_value")
    assert newest.tolist() == [float(i) for i in range(49, -1, -1)] and column_is_in_place(newest)
    del rows, run, history, picked
    assert newest.sum() == 1225 and numpy.nansum(times) == sum(i / 2 for i in range(300) if i % 10)


def test_a_column_shows_what_was_set_before_and_not_what_is_set_later(db):
    numpy = pytest.importorskip("numpy")
    db.store_execution_patterns([EnginePattern(f"p{i}", usage_count=i, confidence_score=i / 10) for i in range(5)])
    rows = db.retrieve_patterns(EngineFilters())
    before = knackdb.column(rows, "usage_count")
    rows[1].usage_count = 77
    vars(rows[2])
    assert before.tolist() == [4, 3, 2, 1, 0]
    assert knackdb.column(rows, "usage_count").tolist() == [4, 77, 2, 1, 0]
    rows[1].usage_count = None
    assert numpy.isnan(knackdb.column(rows, "usage_count")).tolist() == [False, True, False, False, False]
    rows[1].usage_count = 2 ** 70
    assert knackdb.column(rows, "usage_count").tolist() == [4, 2 ** 70, 2, 1, 0]
    assert db.retrieve_patterns(EngineFilters())[1].usage_count == 3


def test_a_column_of_an_engines_own_objects():
    pytest.importorskip("numpy")
    assert knackdb.column([EnginePattern(usage_count=i) for i in range(3)], "usage_count").tolist() == [0, 1, 2]
    assert knackdb.column([], "usage_count").tolist() == []
    metrics = (knackdb.PerformanceMetrics(sample_count=i) for i in (1, 2))
    assert knackdb.column(metrics, "sample_count").tolist() == [1, 2]


@pytest.mark.parametrize("rows, name, error", [
    (5, "usage_count", TypeError), ([], "task_type", ValueError), ([], "nulls", ValueError), ([], 5, ValueError),
    ([None], "usage_count", AttributeError), ([EnginePattern(usage_count="x")], "usage_count", TypeError),
    ([knackdb.PerformanceMetrics()], "usage_count", ValueError),
    ([knackdb.ExecutionPattern(), knackdb.PerformanceMetrics()], "usage_count", AttributeError)])
def test_what_has_no_such_column_is_refused(rows, name, error):
    pytest.importorskip("numpy")
    with pytest.raises(error):
        knackdb.column(rows, name)


def test_a_column_as_an_array(db):
    numpy = pytest.importorskip("numpy")
    db.store_execution_patterns([EnginePattern(f"p{i}", confidence_score=i / 10, execution_time=None)
                                 for i in range(5)])
    rows = db.retrieve_patterns(EngineFilters())
    scores = knackdb.column(rows, "confidence_score")
    assert scores.tolist() == [0.4, 0.3, 0.2, 0.1, 0.0] and not scores.flags.writeable
    assert numpy.isnan(knackdb.column(rows, "execution_time")).all()


def test_columns_are_views_without_a_copy(db):
    numpy = pytest.importorskip("numpy")
    db.store_execution_patterns([EnginePattern(f"p{i}", confidence_score=i / 10, usage_count=i,
                                               execution_time=None if i == 4 else 0.5) for i in range(5)])
    columns = db.retrieve_columns(EngineFilters())
    arrays = {name: numpy.asarray(column) for name, column in columns.items()}
    assert arrays["confidence_score"].tolist() == [0.4, 0.3, 0.2, 0.1, 0.0]
    assert arrays["usage_count"].tolist() == [4, 3, 2, 1, 0] and arrays["usage_count"].dtype == numpy.int64
    assert numpy.isnan(arrays["execution_time"]).tolist() == [True] + [False] * 4
    assert (arrays["nulls"] != 0).tolist() == [True] + [False] * 4
    assert not arrays["created_at"].flags.writeable and not arrays["created_at"].flags.owndata
    with pytest.raises((BufferError, TypeError)):
        memoryview(columns["created_at"])[0] = 1.0
    with pytest.raises((BufferError, TypeError)):
        io.BytesIO(b"12345678").readinto(columns["created_at"])
    assert db.retrieve_patterns(EngineFilters())[0].execution_time is None  # the same answer, still NULL
    del columns, db
    assert arrays["confidence_score"].sum() == pytest.approx(1.0)


def get_buffer(column, flags):
    """As a consumer written in C asks for it."""
    view = (ctypes.c_byte * 256)()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(column), view, flags)
    ctypes.pythonapi.PyBuffer_Release(view)


STRIDES, C_CONTIGUOUS, F_CONTIGUOUS, ANY_CONTIGUOUS = 0x18, 0x38, 0x58, 0x98


def test_who_asks_for_contiguous_memory_is_not_given_what_has_gaps(db):
    db.store_execution_patterns([EnginePattern(f"p{i}", usage_count=i) for i in range(5)])
    rows = db.retrieve_patterns(EngineFilters())
    gaps, one, none = (_knackdb.column(some, "usage_count") for some in (rows, rows[:1], []))
    gathered = _knackdb.column(rows[::-1], "usage_count")
    assert memoryview(gaps).strides != (8,) and memoryview(gathered).strides == (8,)
    for flags in (C_CONTIGUOUS, F_CONTIGUOUS, ANY_CONTIGUOUS):
        for columns in (gaps, db.retrieve_columns(EngineFilters())["nulls"]):
            with pytest.raises(BufferError):
                get_buffer(columns, flags)
        for contiguous in (one, none, gathered):
            get_buffer(contiguous, flags)
    get_buffer(gaps, STRIDES)
    for refused in (0, STRIDES | 1):  # no strides, and to write to
        with pytest.raises(BufferError):
            get_buffer(gathered, refused)


def test_columns_of_a_kept_answer_are_those_of_the_first_time(db):
    db.store_execution_patterns([EnginePattern(f"p{i}", confidence_score=i / 10, agent_count=None if i % 2 else 3,
                                               execution_time=None if i == 4 else 0.5) for i in range(5)])
    rows = db.retrieve_patterns(EngineFilters())  # the answer is kept from here on
    shown = [{name: memoryview(column).tolist() for name, column in db.retrieve_columns(EngineFilters()).items()}
             for _ in range(2)]
    assert repr(shown[0]) == repr(shown[1]) and shown[0]["agent_count"] == [3, 0, 3, 0, 3]
    assert repr(shown[0]["execution_time"]) == "[nan, 0.5, 0.5, 0.5, 0.5]"
    assert db.get_database_status()["answer_hits"] == 2
    assert [row.execution_time for row in rows] == [None, 0.5, 0.5, 0.5, 0.5]


def test_columns_of_nothing_and_of_nonsense(db):
    assert {len(memoryview(column)) for column in db.retrieve_columns(EngineFilters()).values()} == {0}
    assert db.retrieve_columns(42) is None and db.last_error
    with pytest.raises(TypeError):
        type(db.retrieve_columns()["nulls"])()


@pytest.mark.parametrize("names, columns", [
    ((), ()), (("id",), ()), (("id",), ([1], [2])), (("id",), ((1,),)), ((1,), ([1],)),
    (("id", "task_type"), ([1], []))])
def test_records_need_a_column_for_each_name(names, columns):
    with pytest.raises((TypeError, ValueError)):
        _knackdb.records(knackdb.ExecutionPattern, names, columns)


def test_a_class_that_takes_its_columns_away_is_noticed():
    column = [1, 2, 3]
    with pytest.raises(RuntimeError):
        _knackdb.records(lambda id: column.clear(), ("id",), (column,))


DIAGNOSE = "import sys, runpy; sys.argv = ['knackdb'] + sys.argv[1:]; runpy.run_module('knackdb', run_name='__main__')"


def test_a_sound_database_is_diagnosed_as_such(db, tmp_path):
    db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(20)])
    done = run_python(DIAGNOSE, tmp_path / "learning.db")  # beside the writer
    assert "100 % operational" in done.stdout and "20 patterns" in done.stdout


def test_a_damaged_one_is_below_100(db, tmp_path):
    db.store_execution_patterns([EnginePattern(f"p{i}") for i in range(2000)])
    db.snapshot()
    db.shutdown()
    folder = tmp_path / "learning.db"
    parts = [path for path in folder.iterdir() if path.stat().st_size > 100]
    for path in parts:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    done = run_python(DIAGNOSE, folder, check=False)
    assert done.returncode == 1 and "NOT OPERATIONAL" in done.stdout


def test_a_call_at_fault_is_2(tmp_path):
    assert run_python(DIAGNOSE, tmp_path / "absent", check=False).returncode == 2
    assert run_python(DIAGNOSE, check=False).returncode == 2
    assert run_python(DIAGNOSE, "--help", check=False).returncode == 0
