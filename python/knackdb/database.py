"""LearningDatabase: what is left to do in Python. The calls that answer at once are in C, in _knackdb.Database."""

import datetime
import json
import operator
import os
import time
from typing import Any, Dict, Iterable, List, Optional, Union

import _knackdb

from .elsewhere import elsewhere, others_begin
from .errors import Error, InvalidError
from .live_metrics import LiveMetrics
from .records import LearningMetrics, Summary, UserPreference

__all__ = ["LearningDatabase"]

_MEGABYTE = 1024 * 1024
_DURABILITIES = {"async": _knackdb.ASYNC, "sync": _knackdb.SYNC, "memory": _knackdb.MEMORY_ONLY}

_LOG_IOS = {"auto": _knackdb.LOG_AUTO, "map": _knackdb.LOG_MAP, "write": _knackdb.LOG_WRITE}
_BITS = {"snapshot_log_bytes": 64, "memory_bytes_max": 64, "cache_bytes_max": 64, "as_of_sequence": 63,
         "log_history_bytes": 64, "log_segment_bytes_max": 64}
_MAY_BE_ENDLESS = {"snapshot_log_bytes", "cache_bytes_max", "log_history_bytes"}

# A clean-up of a table this small takes less than the trip to another thread and back.
_CLEAN_UP_IS_QUICK_ROWS = 2000


def _whole_numbers(**options):
    """The options, each a whole number that its place in the store's own options can hold. -1 is the largest there is,
    where the store takes that for "no end" or "none"."""
    for name, value in options.items():
        largest = 2 ** _BITS.get(name, 32) - 1
        try:
            value = operator.index(value)
        except TypeError:
            raise TypeError(f"{name} must be a whole number, not {value!r}") from None
        if not (0 <= value <= largest or value == -1 and name in _MAY_BE_ENDLESS):
            raise ValueError(f"{name} must be between 0 and {largest}, not {value}")
        options[name] = value if value >= 0 else largest
    return options


def _without_json(text):
    """What a stored preference holds: the value, or the text itself where it never was JSON."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _moment(as_of):
    """The moment a caller means, as options of the store."""
    if isinstance(as_of, datetime.datetime):
        as_of = as_of.timestamp()
    if isinstance(as_of, bool) or not isinstance(as_of, (int, float)):
        raise TypeError(f"as_of must be the number of a commit, a time in seconds or a datetime, not {as_of!r}")
    if not 0 < as_of < float("inf"):
        raise ValueError(f"as_of must be more than 0, not {as_of!r}")
    return _whole_numbers(as_of_sequence=as_of) if isinstance(as_of, int) else {"as_of_time": as_of}


def _summaries(groups, percentiles):
    return {key: Summary(*figures, dict(zip(percentiles, values))) for key, *figures, values in groups}


class LearningDatabase(_knackdb.Database):
    """A store for what agents learn, in this process.

    db_path       a directory, made where it is absent; ":memory:" or None keeps nothing
    durability    "async": what a call stored survives the process, and a power cut 10 ms later;
                  "sync": a power cut, too, as soon as the call returns; "memory": keeps nothing
    strict        a call that fails raises knackdb.Error instead of saying False
    read_only     beside a writer, too
    as_of         an earlier moment, read-only: the number of its last commit (an int, as in
                  get_database_status()["sequence"]), a datetime, or seconds since 1970 (a float)
    follow        read-only, and refresh() shows what the writer, in another process, has stored since

    refuse_degraded   while the disk fails stores are refused, instead of being kept in memory alone
    log_history_bytes how much of the log is kept for as_of beyond what the snapshots need; -1: all

    migrate           False: a directory of an older schema is refused, not brought to the current one
    snapshot_only     read-only: what the newest snapshot holds, without the log behind it
    log_io            "map" or "write": how the log is written; "auto" maps it where the file system does that well

    The other options are those of knackdb.h, each with a default: flush_interval_ms, snapshot_log_bytes,
    snapshot_interval_s, snapshots_kept, memory_bytes_max, cache_bytes_max, slow_operation_us, file_mode,
    as_of_sequence, as_of_time, log_segment_bytes_max. What cannot be raises ValueError or TypeError here, at once.
    pool_size is accepted and means nothing: readers need no pool.

    Most calls do their work when they are called; what they return is there to be awaited, and costs nothing more.

    >>> import asyncio, knackdb
    >>> async def learn():
    ...     async with knackdb.LearningDatabase(":memory:") as db:
    ...         await db.store_execution_pattern(knackdb.ExecutionPattern(
    ...             id="pattern_1a2b3c4d", task_type="sort", pattern_used="radix", confidence_score=0.9))
    ...         found = await db.retrieve_patterns(knackdb.PatternFilters(task_type="sort"))
    ...         return [(each.id, each.pattern_used) for each in found]
    >>> asyncio.run(learn())
    [('pattern_1a2b3c4d', 'radix')]
    """

    def __init__(self, db_path: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", None] = "learning.db", *,
                 durability: str = "async", strict: bool = False, pool_size: int = 0, read_only: bool = False,
                 as_of: Union[int, float, datetime.datetime, None] = None, follow: bool = False, create: bool = True,
                 flush_interval_ms: int = 0, snapshot_log_bytes: int = 0, snapshot_interval_s: int = 0,
                 snapshots_kept: int = 0, memory_bytes_max: int = 0, cache_bytes_max: int = 0,
                 slow_operation_us: int = 0, file_mode: int = 0, as_of_sequence: int = 0, as_of_time: float = 0.0,
                 log_history_bytes: int = 0, refuse_degraded: bool = False, log_io: str = "auto",
                 log_segment_bytes_max: int = 0, migrate: bool = True, snapshot_only: bool = False):
        if durability not in _DURABILITIES:
            raise ValueError(f"durability must be one of {', '.join(_DURABILITIES)}, not {durability!r}")
        if log_io not in _LOG_IOS:
            raise ValueError(f"log_io must be one of {', '.join(_LOG_IOS)}, not {log_io!r}")
        if (as_of is not None) + bool(as_of_sequence) + bool(as_of_time) + bool(snapshot_only) > 1:
            raise ValueError("one moment: as_of, as_of_sequence, as_of_time or snapshot_only")
        self.db_path = ":memory:" if db_path is None else db_path
        os.fspath(self.db_path)  # TypeError where it is no path
        self.strict = strict
        self.pool_size = pool_size
        self.durability = durability
        self._options = {
            "durability": _DURABILITIES[durability], "log_io": _LOG_IOS[log_io],
            "flags": (_knackdb.READ_ONLY if read_only or snapshot_only or as_of is not None else 0) |
                     (_knackdb.FOLLOW if follow else 0) | (0 if create else _knackdb.NO_CREATE) |
                     (_knackdb.REFUSE_DEGRADED if refuse_degraded else 0) | (0 if migrate else _knackdb.NO_MIGRATE) |
                     (_knackdb.SNAPSHOT if snapshot_only else 0),
            "as_of_time": float(as_of_time),
        }
        self._options.update(_whole_numbers(
            flush_interval_ms=flush_interval_ms, snapshot_log_bytes=snapshot_log_bytes,
            snapshot_interval_s=snapshot_interval_s, snapshots_kept=snapshots_kept, memory_bytes_max=memory_bytes_max,
            cache_bytes_max=cache_bytes_max, slow_operation_us=slow_operation_us, file_mode=file_mode,
            as_of_sequence=as_of_sequence, log_history_bytes=log_history_bytes,
            log_segment_bytes_max=log_segment_bytes_max))
        if as_of is not None:
            self._options.update(_moment(as_of))
        self._metrics = LiveMetrics(self)

    def __repr__(self):
        return f"<knackdb.LearningDatabase {os.fspath(self.db_path)!r} {'open' if self.is_open else 'closed'}>"

    def __reduce_ex__(self, protocol):
        raise TypeError("a database cannot be copied or pickled; open the directory again")

    # ---- life ----

    async def _elsewhere(self, call, *arguments):
        """As elsewhere(); but in a fork, where the executor's threads did not come along, the store refuses at once."""
        if self._opened_by not in (0, os.getpid()):
            return call(*arguments)
        return await elsewhere(call, *arguments)

    def _open_now(self):
        if os.fspath(self.db_path) == "":
            raise InvalidError("the path of a database must not be empty")
        return self._open(self.db_path, **self._options)

    async def _open_somewhere(self):
        if self.db_path == ":memory:" or self.durability == "memory":
            return self._open_now()
        return await self._elsewhere(self._open_now)

    async def initialize(self) -> bool:
        """Opens the database, creating it where it is absent. True, or False with the reason in last_error."""
        try:
            return await self._open_somewhere()
        except Exception as error:
            return self._failed(error)

    async def shutdown(self) -> None:
        """Brings everything to stable storage and closes. May be called again, and at any time."""
        try:
            await others_begin()  # a task of initialize() that was made before would open what is closed here
            await self._elsewhere(self._close)
        except Exception as error:
            self._failed(error)

    async def __aenter__(self):
        try:
            await self._open_somewhere()
        except Exception as error:
            self._failed(error)
            if isinstance(error, Error):
                raise
            raise Error(self.last_error) from error
        return self

    async def __aexit__(self, *exception):
        await self.shutdown()

    async def _wait_for(self, job):
        """A store that waits for the disk, with durability "sync"."""
        try:
            return await self._elsewhere(job)
        except Exception as error:
            return self._failed(error)

    async def sync(self) -> bool:
        """Waits until all that was stored before is on stable storage."""
        try:
            return await self._elsewhere(self._sync)
        except Exception as error:
            return self._failed(error)

    async def snapshot(self) -> bool:
        """Writes a snapshot now, and waits until it is on stable storage."""
        try:
            return await self._elsewhere(self._snapshot)
        except Exception as error:
            return self._failed(error)

    async def refresh(self) -> bool:
        """With follow=True: what the writer had stored before is seen from now on. True at once elsewhere, but for a
        database that was opened read-only at one moment."""
        try:
            await self._elsewhere(self._refresh)
            return True
        except Exception as error:
            return self._failed(error)

    async def backup(self, path: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]) -> bool:
        """Copies the database as it is now to another directory, which must not be there or be empty, and waits until
        the copy is on stable storage and has been checked. One that is in memory only is saved by it."""
        try:
            return await self._elsewhere(self._backup, path)
        except Exception as error:
            return self._failed(error)

    async def cleanup_old_data(self, max_age_seconds: float = 86400) -> int:
        """Deletes patterns created and metrics measured longer ago; preferences stay. How many went."""
        try:
            tables = self._stats()["tables"].values()
            is_small = sum(table["rows"] for table in tables) <= _CLEAN_UP_IS_QUICK_ROWS
            if is_small and self.durability != "sync":
                return self._clean_up(max_age_seconds)
            return await self._elsewhere(self._clean_up, max_age_seconds)
        except Exception as error:
            return int(self._failed(error))

    # ---- preferences ----

    async def get_user_preferences(self) -> Dict[Optional[str], Any]:
        """The value last stored for each key.

        >>> import asyncio, knackdb
        >>> async def choose():
        ...     async with knackdb.LearningDatabase(":memory:") as db:
        ...         await db.store_user_preference("editor", "vi")
        ...         await db.store_user_preference("editor", {"name": "ed", "verbose": False})
        ...         return await db.get_user_preferences()
        >>> asyncio.run(choose())
        {'editor': {'name': 'ed', 'verbose': False}}
        """
        try:
            latest = {row[0]: row[1] for row in self._preference_rows(None, None)}
            return {key: _without_json(text) for key, text in latest.items()}
        except Exception as error:
            self._failed(error)
            return {}

    async def retrieve_preferences(self, preference_type: Optional[str] = None,
                                   preference_value: Optional[str] = None) -> List[UserPreference]:
        """Preferences of a type, or of a type and value (its text), the most used first; all without a type."""
        try:
            rows = [UserPreference(*row) for row in self._preference_rows(preference_type, preference_value)]
        except Exception as error:
            self._failed(error)
            return []
        rows.sort(key=lambda row: row.usage_count or 0, reverse=True)
        return rows

    # ---- figures ----

    async def aggregate(self, value: str, by: Optional[str] = None, filters: Any = None,
                        percentiles: Iterable[float] = ()) -> Dict[Optional[str], Summary]:
        """Figures of a number or time column of the patterns that match, for each value of the text column `by`;
        without one, those of all under None. A filter's order, limit and offset play no part. At most 16 percentiles.

        >>> import asyncio, knackdb
        >>> async def how_fast():
        ...     async with knackdb.LearningDatabase(":memory:") as db:
        ...         await db.store_execution_patterns(
        ...             [knackdb.ExecutionPattern(task_type="sort", pattern_used=way, execution_time=seconds)
        ...              for way, seconds in (("radix", 1.0), ("radix", 2.0), ("merge", 4.0))])
        ...         figures = await db.aggregate("execution_time", by="pattern_used", percentiles=[50, 99])
        ...         return {way: (each.mean, each.percentiles[50]) for way, each in figures.items()}
        >>> asyncio.run(how_fast())
        {'merge': (4.0, 4.0), 'radix': (1.5, 1.5)}
        """
        try:
            percentiles = tuple(percentiles)
            return _summaries(self._aggregate_patterns(filters, value, by, percentiles), percentiles)
        except Exception as error:
            self._failed(error)
            return {}

    async def get_metric_summary(self, component: Optional[str] = None, days: Optional[float] = None,
                                 metric: Optional[str] = None, percentiles: Iterable[float] = (50, 95, 99),
                                 by: Optional[str] = "metric_name",
                                 value: str = "metric_value") -> Dict[Optional[str], Summary]:
        """Figures of what a component measured, or all of them did, for each of its metrics; of the last days, of one
        metric where told. `by` may also be "component_name", or None for all together.

        >>> import asyncio, knackdb
        >>> async def latency():
        ...     async with knackdb.LearningDatabase(":memory:") as db:
        ...         await db.store_performance_metrics(
        ...             [knackdb.PerformanceMetrics("router", "latency_ms", float(i)) for i in range(101)])
        ...         return await db.get_metric_summary("router", percentiles=[50, 95])
        >>> asyncio.run(latency())["latency_ms"]
        Summary(row_count=101, value_count=101, mean=50.0, minimum=0.0, maximum=100.0, percentiles={50: 50.0, 95: 95.0})
        """
        try:
            percentiles = tuple(percentiles)
            since = None if days is None else time.time() - days * 86400
            return _summaries(self._aggregate_metrics(component, metric, since, value, by, percentiles), percentiles)
        except Exception as error:
            self._failed(error)
            return {}

    # ---- health ----

    @property
    def metrics(self) -> LearningMetrics:
        """Live: always the same object, with the figures of the moment."""
        return self._metrics

    def _stats_or_none(self):
        try:
            return self._stats()
        except Error:
            return None

    def _disk_bytes(self):
        if self.db_path == ":memory:" or self.durability == "memory":
            return 0
        try:
            with os.scandir(self.db_path) as files:
                return sum(each.stat(follow_symlinks=False).st_blocks * 512 for each in files)
        except OSError:
            return 0

    def get_database_status(self) -> Dict[str, Any]:
        """State, counts and figures of the moment, as one dict; before initialize() and after shutdown(), the little
        there is to say."""
        return self._status_of(self._stats_or_none())

    def _status_of(self, stats):
        status = {
            "initialized": stats is not None,
            "status": "closed" if stats is None else "healthy" if stats["state"] == "ok" else stats["state"],
            "db_path": os.fspath(self.db_path), "durability": self.durability, "version": _knackdb.version,
            "last_error": self.last_error, "pool_size": self.pool_size,
        }
        if stats is None:
            return status
        tables = stats["tables"]
        status.update(stats)
        status.update(
            pattern_count=tables["execution_patterns"]["rows"],
            preference_count=tables["user_preferences"]["rows"],
            metric_count=tables["performance_metrics"]["rows"],
            database_size_mb=(self._disk_bytes() or stats["memory_bytes"]) / _MEGABYTE,
            memory_usage_mb=stats["memory_bytes"] / _MEGABYTE,
            total_operations=sum(each["count"] for each in stats["operations"].values()) + stats["answer_hits"],
            uptime_seconds=max(0.0, time.time() - stats["opened_at"]),
            pattern_cache={"size": stats["answer_entries"], "memory_mb": stats["answer_bytes"] / _MEGABYTE,
                           "hits": stats["answer_hits"], "misses": stats["answer_misses"]},
            query_cache={"size": stats["cache_entries"], "memory_mb": stats["memory_cache_bytes"] / _MEGABYTE,
                         "hits": stats["cache_hits"], "misses": stats["cache_misses"]},
            metrics=self._metrics.to_dict(stats),
        )
        return status

    async def get_database_stats(self) -> Dict[str, Any]:
        """The same as get_database_status(), for who awaits it. {} where the database is not open."""
        try:
            return self._status_of(self._stats())
        except Exception as error:
            self._failed(error)
            return {}

    def slow_operations(self) -> List[Dict[str, Any]]:
        """The last operations slower than slow_operation_us, newest first."""
        return [dict(zip(("operation", "at", "seconds", "what"), row)) for row in self._slow_operations()]
