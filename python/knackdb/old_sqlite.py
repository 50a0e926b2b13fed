"""From the SQLite database an engine used before: its rows go into ours, once.

    await import_sqlite(db, "learning.sqlite")

Tables and columns are found by name. A table or column that is not there is left out; one of which we know nothing is
named in the answer, so that nothing goes missing unseen. Ids that are text are kept as they are; numbers become the
same number as text. JSON columns are passed on as the text they hold.
"""

import contextlib
import os
import pathlib
import sqlite3
from typing import Any, Dict, Union

from .database import LearningDatabase, _without_json
from .errors import Error, InvalidError
from .records import ExecutionPattern, PerformanceMetrics

_BATCH_ROWS = 1000
_PATTERN_FIELDS = tuple(ExecutionPattern.__dataclass_fields__)
_METRIC_FIELDS = tuple(PerformanceMetrics.__dataclass_fields__)


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


def _columns(connection, table):
    return [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")]


def _batches(connection, table, names):
    cursor = connection.execute(f"SELECT {', '.join(map(_quoted, names))} FROM {_quoted(table)} ORDER BY rowid")
    while True:
        rows = cursor.fetchmany(_BATCH_ROWS)
        if not rows:
            return
        yield rows


async def _copy(db, connection, table, fields, cls, store, report):
    present = _columns(connection, table)
    names = [name for name in fields if name in present]
    report["left_out"] += [f"{table}.{name}" for name in present if name not in fields and name != "id"]
    if not names:
        return 0
    count = 0
    for rows in _batches(connection, table, names):
        things = [cls(**dict(zip(names, row))) for row in rows]
        if not await store(things):
            raise Error(f"{table}: after {count} rows: {db.last_error}")
        count += len(things)
    return count


async def _copy_preferences(db, connection, report):
    present = _columns(connection, "user_preferences")
    key, value = (next((name for name in names if name in present), None)
                  for names in (("preference_type", "preference_key", "key"), ("preference_value", "value")))
    if key is None or value is None:
        report["left_out"].append("user_preferences")
        return 0
    count = 0
    for rows in _batches(connection, "user_preferences", [key, value]):
        for row in rows:
            held = _without_json(row[1]) if isinstance(row[1], str) else row[1]
            if not await db.store_user_preference(str(row[0]), held):
                raise Error(f"user_preferences: after {count} rows: {db.last_error}")
            count += 1
    return count


async def import_sqlite(db: LearningDatabase, path: Union[str, "os.PathLike[str]"]) -> Dict[str, Any]:
    """Copies the three tables of an SQLite file into an open database; the file is only read. Answers a dict: rows
    of each table, and `left_out`, the columns it had no place for. Raises knackdb.Error where a row is refused; the
    rows before it are stored."""
    if not os.path.isfile(path):
        raise InvalidError(f"{path}: no such file")
    report: Dict[str, Any] = {"left_out": []}
    address = pathlib.Path(path).absolute().as_uri() + "?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "execution_patterns" in tables:
                report["execution_patterns"] = await _copy(db, connection, "execution_patterns", _PATTERN_FIELDS,
                                                           ExecutionPattern, db.store_execution_patterns, report)
            if "performance_metrics" in tables:
                report["performance_metrics"] = await _copy(db, connection, "performance_metrics", _METRIC_FIELDS,
                                                            PerformanceMetrics, db.store_performance_metrics, report)
            if "user_preferences" in tables:
                report["user_preferences"] = await _copy_preferences(db, connection, report)
    except sqlite3.Error as error:
        raise Error(f"{path}: {error}") from error
    return report
