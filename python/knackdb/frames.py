"""Rows to and from pandas, and columns as numpy arrays.

Neither is needed for the rest; each is imported where it is used. Nothing here loops over rows in Python: rows go into
a frame column by column, through the C attributes, and a frame's columns come out as lists.
"""

from operator import attrgetter

from .records import ExecutionPattern, PerformanceMetrics

_PATTERN_FIELDS = tuple(ExecutionPattern.__dataclass_fields__)
_METRIC_FIELDS = tuple(PerformanceMetrics.__dataclass_fields__)


def _fields_of(rows):
    return _METRIC_FIELDS if rows and isinstance(rows[0], PerformanceMetrics) else _PATTERN_FIELDS


def to_pandas(rows):
    """Patterns or metrics as a DataFrame with a column for each field; NULL numbers are NaN.

    The frame is a copy: it stays when the rows go.
    """
    import pandas

    rows = list(rows)
    return pandas.DataFrame({name: list(map(attrgetter(name), rows)) for name in _fields_of(rows)})


def patterns_from_pandas(frame):
    """Patterns of a frame's rows, for store_execution_patterns(). A column the frame lacks has its default."""
    return _from_pandas(frame, ExecutionPattern, _PATTERN_FIELDS)


def metrics_from_pandas(frame):
    """Measurements of a frame's rows, for store_performance_metrics()."""
    return _from_pandas(frame, PerformanceMetrics, _METRIC_FIELDS)


def _from_pandas(frame, cls, fields):
    import pandas

    names = [name for name in fields if name in frame.columns]
    if not names:
        raise ValueError(f"the frame has none of the columns {', '.join(fields)}")
    columns = []
    for name in names:
        column = frame[name].astype(object)
        columns.append(column.where(pandas.notna(column), None).tolist())
    keywords = map(dict, map(zip, (names,) * len(frame), zip(*columns)))
    return [cls(**each) for each in keywords]


def column(rows, name):
    """One number column of retrieved rows as a read-only numpy array of doubles; NULL is NaN."""
    import numpy

    values = numpy.fromiter((numpy.nan if value is None else value for value in map(attrgetter(name), rows)),
                            dtype=float)
    values.flags.writeable = False
    return values
