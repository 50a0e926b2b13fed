"""What works of a database, part by part. The directory itself is only read, beside a writer if there is one; what has
to be stored to see whether storing works is stored in a temporary directory and in memory."""

import dataclasses
import shutil
import tempfile
import time

from .checks import verify
from .database import LearningDatabase
from .records import ExecutionPattern, PatternFilters, PerformanceMetrics


@dataclasses.dataclass
class Finding:
    """One part: whether it works, and its figures, or why it does not."""

    part: str
    is_operational: bool
    figures: str


class _Wrong(Exception):
    pass


def _expect(condition, otherwise):
    if not condition:
        raise _Wrong(otherwise)


async def _p50_us(call, times=200):
    spent = []
    for i in range(times):
        begun = time.perf_counter()
        await call(i)
        spent.append(time.perf_counter() - begun)
    return sorted(spent)[times // 2] * 1e6


async def _files(path):
    report = await verify(path)
    _expect(report.is_sound, "; ".join(report.faults[:3]))
    torn = f", {report.torn_bytes} torn at the log's end" if report.torn_bytes else ""
    return f"{report.files} files, {report.bytes:,} bytes, {report.records} log records sound{torn}"


async def _opening(path):
    begun = time.perf_counter()
    async with LearningDatabase(path, read_only=True, create=False) as db:
        spent_ms = (time.perf_counter() - begun) * 1e3
        status = db.get_database_status()
        _expect(status["state"] == "ok", f"{status['state']}: {status['reason']}")
        return f"opened in {spent_ms:.1f} ms, schema version {status['schema_version']}"


async def _patterns(path):
    async with LearningDatabase(path, read_only=True, create=False, strict=True) as db:
        count = db.get_database_status()["pattern_count"]
        found = await db.retrieve_patterns(PatternFilters(limit=100))
        _expect(len(found) == min(count, 100), f"{len(found)} found of {count}")
        for each in found:
            each.to_dict()
        p50 = await _p50_us(lambda i: db.retrieve_patterns(PatternFilters()))
        return f"{count:,} patterns, retrieve p50 {p50:.1f} us"


async def _preferences(path):
    async with LearningDatabase(path, read_only=True, create=False, strict=True) as db:
        return f"{len(await db.get_user_preferences()):,} keys"


async def _metrics(path):
    async with LearningDatabase(path, read_only=True, create=False, strict=True) as db:
        return f"{db.get_database_status()['metric_count']:,} measurements"


async def _storing(path):
    async with LearningDatabase(":memory:", strict=True) as db:
        pattern = ExecutionPattern(id="pattern_00000000", tools_used=["a"], context_factors={"k": 1})
        p50 = await _p50_us(lambda i: db.store_execution_pattern(pattern))
        _expect(await db.retrieve_patterns(PatternFilters()) == [pattern], "what was stored is not what came back")
        await db.store_performance_metric(PerformanceMetrics("c", "m"))
        _expect(len(await db.get_performance_history("c")) == 1, "a measurement is not in the history")
        _expect(await db.update_pattern_weights(pattern.id, 0.5), "a weight could not be updated")
        return f"store p50 {p50:.1f} us"


async def _durability(path):
    folder = tempfile.mkdtemp(prefix="knackdb-")
    try:
        async with LearningDatabase(folder, durability="sync", strict=True) as db:
            await db.store_execution_pattern(ExecutionPattern(id="x"))
            begun = time.perf_counter()
            await db.snapshot()
            spent_ms = (time.perf_counter() - begun) * 1e3
        async with LearningDatabase(folder, strict=True) as db:
            _expect(await db.get_pattern("x") is not None, "what was stored is gone after a restart")
        return f"survives a restart, snapshot in {spent_ms:.1f} ms"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_PARTS = (("files", _files), ("opening", _opening), ("patterns", _patterns), ("preferences", _preferences),
          ("metrics", _metrics), ("storing", _storing), ("durability", _durability))


async def diagnose(path):
    """A Finding for each part."""
    findings = []
    for part, examine in _PARTS:
        try:
            findings.append(Finding(part, True, await examine(path)))
        except Exception as error:
            findings.append(Finding(part, False, str(error) or type(error).__name__))
    return findings
