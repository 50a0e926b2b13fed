"""Rows to and from pandas, and columns as numpy arrays.

Neither is needed for the rest; each is imported where it is used. Nothing here loops over rows in Python. Number
columns of rows that lie in one answer, as a retrieve gave them, are read where they lie; of other rows they are
gathered in C.
"""

from operator import attrgetter
from typing import Any, List, Sequence

import _knackdb

from .records import ExecutionPattern, PerformanceMetrics

_PATTERN_FIELDS = tuple(ExecutionPattern.__dataclass_fields__)
_METRIC_FIELDS = tuple(PerformanceMetrics.__dataclass_fields__)
_TEXTS = {"id", "task_type", "pattern_used", "complexity_level", "tools_used", "context_factors", "component_name",
          "metric_name", "metadata"}


def _fields_of(rows):
    return _METRIC_FIELDS if rows and isinstance(rows[0], PerformanceMetrics) else _PATTERN_FIELDS


def _series(rows, name):
    if name not in _TEXTS:
        try:
            return column(rows, name)
        except (TypeError, ValueError, OverflowError):
            pass  # somebody put something else there; it goes into the frame as it is
    return list(map(attrgetter(name), rows))


def to_pandas(rows: Sequence[Any]) -> Any:
    """Patterns or metrics as a DataFrame with a column for each field; NULL numbers are NaN.

    The frame is a copy: it stays when the rows go.
    """
    import pandas

    rows = list(rows)
    return pandas.DataFrame({name: _series(rows, name) for name in _fields_of(rows)})


def patterns_from_pandas(frame: Any) -> List[ExecutionPattern]:
    """Patterns of a frame's rows, for store_execution_patterns(). A column the frame lacks has its default."""
    return _from_pandas(frame, ExecutionPattern, _PATTERN_FIELDS)


def metrics_from_pandas(frame: Any) -> List[PerformanceMetrics]:
    """Measurements of a frame's rows, for store_performance_metrics()."""
    return _from_pandas(frame, PerformanceMetrics, _METRIC_FIELDS)


def _objects(series):
    """A frame's column as a list of Python's own objects, with None for what is missing."""
    objects = series.astype(object)
    return objects.where(series.notna(), None).tolist()


def _from_pandas(frame, cls, fields):
    names = tuple(name for name in fields if name in frame.columns)
    if not names:
        raise ValueError(f"the frame has none of the columns {', '.join(fields)}")
    return _knackdb.records(cls, names, tuple(_objects(frame[name]) for name in names))


def column(rows: Sequence[Any], name: str) -> Any:
    """One number column of rows as a read-only numpy array: of doubles, NULL being NaN, or, for whole numbers none of
    which is NULL, of int64. Rows as a retrieve gave them, or a run of them, are not copied: the array shows, and keeps,
    the answer that they lie in. What is done to the rows later it does not show.
    """
    import numpy

    return numpy.asarray(_knackdb.column(rows, name))
