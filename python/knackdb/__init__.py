"""knackdb - an embedded store for what software agents learn.

    from knackdb import ExecutionPattern, LearningDatabase, PatternFilters

    async with LearningDatabase("learning.db") as db:
        await db.store_execution_pattern(ExecutionPattern(task_type="sort", pattern_used="radix"))
        best = await db.get_best_patterns("sort")

docs/PYTHON.md tells the whole.
"""

import json as _json

import _knackdb

from .checks import Loss, RepairReport, VerifyReport, repair, verify
from .database import LearningDatabase
from .errors import BY_STATUS as _BY_STATUS
from .errors import (BusyError, ClosedError, CorruptError, DiskError, Error, ExistsError, ForkedError, FullError,
                     InvalidError, NotFoundError, OutOfMemoryError, ReadOnlyError, UnsupportedError)
from .frames import column, metrics_from_pandas, patterns_from_pandas, to_pandas
from .logs import log as _log
from .logs import logger
from .old_sqlite import import_sqlite
from .records import (ExecutionPattern, LearningMetrics, PatternFilters, PatternType, PerformanceMetrics,
                      Summary, UserPreference)

__version__ = _knackdb.version
__all__ = ["BusyError", "ClosedError", "CorruptError", "DiskError", "Error", "ExecutionPattern", "ExistsError",
           "ForkedError", "FullError", "InvalidError", "LearningDatabase", "LearningMetrics", "Loss", "NotFoundError",
           "OutOfMemoryError", "PatternFilters", "PatternType", "PerformanceMetrics", "ReadOnlyError", "RepairReport",
           "Summary", "UnsupportedError", "UserPreference", "VerifyReport", "column", "import_sqlite", "logger",
           "metrics_from_pandas", "patterns_from_pandas", "repair", "to_pandas", "verify"]

_knackdb.setup(error_classes=_BY_STATUS, error=Error, log=_log, json_loads=_json.loads, json_dumps=_json.dumps,
               pattern=ExecutionPattern, metric=PerformanceMetrics, filters=PatternFilters)
