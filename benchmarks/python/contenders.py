"""Who does the work: each class stores, retrieves, updates and tells history as its users would write it.

All take the same objects in and give dataclass instances out. The SQLite ones keep indexes on what is asked for, WAL
and synchronous=NORMAL, which survives a killed process as knackdb's default does; `dict` and `:memory:` keep
nothing."""

import dataclasses
import json
import os
import sqlite3
import time

import knackdb

try:
    import aiosqlite
except ImportError:
    aiosqlite = None

TASKS = 20


@dataclasses.dataclass
class Pattern:
    """An engine's own pattern."""

    id: str
    task_type: str
    pattern_used: str
    execution_time: float
    success_rate: float
    confidence_score: float
    agent_count: int
    complexity_level: str
    tools_used: list
    context_factors: dict
    created_at: float
    updated_at: float
    usage_count: int


FIELDS = tuple(each.name for each in dataclasses.fields(Pattern) if each.name != "updated_at") + ("updated_at",)
METRIC_FIELDS = tuple(each.name for each in dataclasses.fields(knackdb.PerformanceMetrics))


def pattern(i):
    return Pattern(
        f"pattern_{i:08x}", f"task{i % TASKS}", f"way{i % 7}", 0.5 + i % 13, (i * 37 % 100) / 100, (i * 61 % 997) / 997,
        1 + i % 4, ("simple", "medium", "complex")[i % 3], ["read_file", "run_tests", f"tool_{i % 50}", "apply_patch"],
        {"language": "python", "files": i % 40, "lines": i * 7 % 9000, "ratio": i / 10000, "branch": f"work/{i}",
         "cached": bool(i % 2)}, 1.7e9 + i, 1.7e9 + i, i % 90)


def metric(i):
    return knackdb.PerformanceMetrics(f"component{i % 50}", "latency", float(i), 1.0, 0.0, 1, 0.95, 1.7e9 + i, {"i": i})


def question(task, least):
    return f"task{task}", least


class Knackdb:
    async def open(self, folder):
        self.db = knackdb.LearningDatabase(os.path.join(folder, "learning.db"), strict=True)
        await self.db.initialize()
        self.store, self.store_many = self.db.store_execution_pattern, self.db.store_execution_patterns
        self.store_metrics, self.history = self.db.store_performance_metrics, self.db.get_performance_history
        self.update_weight = self.db.update_pattern_weights

    def retrieve(self, question, limit):
        return self.db.retrieve_patterns(knackdb.PatternFilters(None, question[0], question[1], 0.0, None, limit))

    async def close(self):
        await self.db.shutdown()


class Dict:
    """What a programmer writes in an afternoon, in Python."""

    async def open(self, folder):
        self.patterns, self.metrics = {}, {}

    async def store(self, pattern):
        self.patterns[pattern.id] = dataclasses.replace(pattern, tools_used=list(pattern.tools_used),
                                                        context_factors=dict(pattern.context_factors))

    async def store_many(self, patterns):
        for each in patterns:
            await self.store(each)

    async def retrieve(self, question, limit):
        task, least = question
        found = [each for each in self.patterns.values()
                 if each.task_type == task and each.confidence_score >= least]
        found.sort(key=lambda each: (each.confidence_score, each.success_rate), reverse=True)
        return [dataclasses.replace(each, tools_used=list(each.tools_used),
                                    context_factors=dict(each.context_factors)) for each in found[:limit]]

    async def update_weight(self, id, weight):
        pattern = self.patterns[id]
        pattern.confidence_score, pattern.updated_at = weight, time.time()

    async def store_metrics(self, metrics):
        for each in metrics:
            self.metrics.setdefault(each.component_name, []).append(each)

    async def history(self, component):
        return [dataclasses.replace(each) for each in reversed(self.metrics[component])]

    async def close(self):
        pass


SCHEMA = """
CREATE TABLE execution_patterns (id TEXT PRIMARY KEY, task_type TEXT, pattern_used TEXT, execution_time REAL,
    success_rate REAL, confidence_score REAL, agent_count INTEGER, complexity_level TEXT, tools_used TEXT,
    context_factors TEXT, created_at REAL, updated_at REAL, usage_count INTEGER);
CREATE INDEX by_task ON execution_patterns (task_type, confidence_score DESC, success_rate DESC);
CREATE TABLE performance_metrics (component_name TEXT, metric_name TEXT, metric_value REAL, baseline_value REAL,
    improvement_percentage REAL, sample_count INTEGER, confidence_interval REAL, measured_at REAL, metadata TEXT);
CREATE INDEX by_component ON performance_metrics (component_name, measured_at DESC);
"""
PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
STORE = f"INSERT OR REPLACE INTO execution_patterns VALUES ({', '.join('?' * 13)})"
RETRIEVE = ("SELECT * FROM execution_patterns WHERE task_type = ? AND confidence_score >= ? "
            "ORDER BY confidence_score DESC, success_rate DESC LIMIT ?")
WEIGHT = "UPDATE execution_patterns SET confidence_score = ?, updated_at = ? WHERE id = ?"
STORE_METRIC = f"INSERT INTO performance_metrics VALUES ({', '.join('?' * 9)})"
HISTORY = "SELECT * FROM performance_metrics WHERE component_name = ? ORDER BY measured_at DESC"


def row_of(p):
    return (p.id, p.task_type, p.pattern_used, p.execution_time, p.success_rate, p.confidence_score, p.agent_count,
            p.complexity_level, json.dumps(p.tools_used), json.dumps(p.context_factors), p.created_at, p.updated_at,
            p.usage_count)


def pattern_of(row):
    return Pattern(*row[:8], json.loads(row[8]), json.loads(row[9]), *row[10:])


def metric_row_of(m):
    return (m.component_name, m.metric_name, m.metric_value, m.baseline_value, m.improvement_percentage,
            m.sample_count, m.confidence_interval, m.measured_at, json.dumps(m.metadata))


def metric_of(row):
    return knackdb.PerformanceMetrics(*row[:8], json.loads(row[8]))


class Sqlite:
    file = "learning.sqlite"

    async def open(self, folder):
        path = self.file if self.file == ":memory:" else os.path.join(folder, self.file)
        self.connection = sqlite3.connect(path)
        self.connection.executescript(PRAGMAS + SCHEMA)

    async def store(self, pattern):
        with self.connection:
            self.connection.execute(STORE, row_of(pattern))

    async def store_many(self, patterns):
        with self.connection:
            self.connection.executemany(STORE, [row_of(each) for each in patterns])

    async def retrieve(self, question, limit):
        return [pattern_of(row) for row in self.connection.execute(RETRIEVE, (*question, limit))]

    async def update_weight(self, id, weight):
        with self.connection:
            self.connection.execute(WEIGHT, (weight, time.time(), id))

    async def store_metrics(self, metrics):
        with self.connection:
            self.connection.executemany(STORE_METRIC, [metric_row_of(each) for each in metrics])

    async def history(self, component):
        return [metric_of(row) for row in self.connection.execute(HISTORY, (component,))]

    async def close(self):
        self.connection.close()


class SqliteMemory(Sqlite):
    file = ":memory:"


class Aiosqlite:
    async def open(self, folder):
        self.connection = await aiosqlite.connect(os.path.join(folder, "learning.sqlite"))
        await self.connection.executescript(PRAGMAS + SCHEMA)

    async def store(self, pattern):
        await self.connection.execute(STORE, row_of(pattern))
        await self.connection.commit()

    async def store_many(self, patterns):
        await self.connection.executemany(STORE, [row_of(each) for each in patterns])
        await self.connection.commit()

    async def retrieve(self, question, limit):
        rows = await self.connection.execute_fetchall(RETRIEVE, (*question, limit))
        return [pattern_of(row) for row in rows]

    async def update_weight(self, id, weight):
        await self.connection.execute(WEIGHT, (weight, time.time(), id))
        await self.connection.commit()

    async def store_metrics(self, metrics):
        await self.connection.executemany(STORE_METRIC, [metric_row_of(each) for each in metrics])
        await self.connection.commit()

    async def history(self, component):
        return [metric_of(row) for row in await self.connection.execute_fetchall(HISTORY, (component,))]

    async def close(self):
        await self.connection.close()


ALL = {"knackdb": Knackdb, "dict": Dict, "sqlite3 WAL": Sqlite, "sqlite3 :memory:": SqliteMemory}
if aiosqlite is not None:
    ALL["aiosqlite"] = Aiosqlite
