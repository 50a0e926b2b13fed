"""What the tests of the Python package share: databases, a loop to drive them, and an engine's own classes."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time

import pytest

import knackdb


class Fleeting:
    """Drives a database from plain code: db.store_execution_pattern(p) is awaited at once."""

    def __init__(self, database, loop):
        self.database, self.loop = database, loop

    def __getattr__(self, name):
        member = getattr(self.database, name)
        if not callable(member) or name.startswith("_") or name in ("get_database_status", "slow_operations"):
            return member

        def call(*arguments, **keywords):
            async def awaited():
                return await member(*arguments, **keywords)
            return self.loop.run_until_complete(awaited())
        return call


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def open_database(tmp_path, loop):
    """open_database(path=None, **options): a database that is open until the test ends."""
    opened = []

    def open_one(path=None, **options):
        database = Fleeting(knackdb.LearningDatabase(str(path or tmp_path / "learning.db"), **options), loop)
        assert database.initialize() is True, database.last_error
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        database.shutdown()


@pytest.fixture
def db(open_database):
    return open_database()


@pytest.fixture
def import_csv(tmp_path, open_database):
    """import_csv(table, lines): a database with what the command takes out of a CSV of these lines."""
    tool = os.environ.get("KNACKDB_TOOL", "")
    if not os.path.exists(tool):
        pytest.skip("the command was not built")

    def import_lines(table, lines):
        (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
        subprocess.run([tool, "import", tmp_path / "imported.db", table, tmp_path / "rows.csv"], check=True,
                       capture_output=True)
        return open_database(tmp_path / "imported.db")
    return import_lines


@pytest.fixture
def memory_db(open_database):
    return open_database(":memory:")


class EnginePattern:
    """A pattern as an engine might define it itself: the attributes, and nothing of ours."""

    def __init__(self, id=None, **attributes):
        self.id = id
        self.task_type = "sort"
        self.pattern_used = "radix"
        self.execution_time = 0.25
        self.success_rate = 0.9
        self.confidence_score = 0.8
        self.agent_count = 2
        self.complexity_level = "complex"
        self.tools_used = ["grep", "sed"]
        self.context_factors = {"language": "c", "lines": 120}
        self.created_at = self.updated_at = time.time()
        self.usage_count = 3
        self.__dict__.update(attributes)


class EngineFilters:
    """The filters of an engine that knows of the first seven fields only."""

    def __init__(self, **attributes):
        self.pattern_type = None
        self.task_type = None
        self.min_confidence = 0.0
        self.min_success_rate = 0.0
        self.max_age_seconds = None
        self.limit = 100
        self.offset = 0
        self.__dict__.update(attributes)


class EngineMetrics:
    def __init__(self, **attributes):
        self.component_name = "router"
        self.metric_name = "latency"
        self.metric_value = 80.0
        self.baseline_value = 100.0
        self.improvement_percentage = -20.0
        self.sample_count = 5
        self.confidence_interval = 0.9
        self.measured_at = time.time()
        self.metadata = {"host": "a"}
        self.__dict__.update(attributes)


FIELDS = ("id", "task_type", "pattern_used", "execution_time", "success_rate", "confidence_score", "agent_count",
          "complexity_level", "tools_used", "context_factors", "created_at", "updated_at", "usage_count")
METRIC_FIELDS = ("component_name", "metric_name", "metric_value", "baseline_value", "improvement_percentage",
                 "sample_count", "confidence_interval", "measured_at", "metadata")


def values_of(thing, fields=FIELDS):
    return tuple(getattr(thing, field) for field in fields)


def run_python(program, *arguments, check=True, timeout=120):
    """Runs a program in an interpreter of its own. What it says goes to the test's report where it fails."""
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program), *map(str, arguments)],
                          capture_output=True, text=True, timeout=timeout, env=os.environ)
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
