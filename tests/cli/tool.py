"""tool.py - what the tests of the command share: running it, looking at its answers, comparing rows.

A test program is a list of unittest classes. It is run as `PROGRAM [TOOL]` or with KNACKDB_TOOL in the environment, and
ends with `N passed, N failed, N skipped`, as meson's summary reads it."""

import csv
import hashlib
import io
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

csv.field_size_limit(1 << 30)

SOURCE_ROOT = pathlib.Path(os.environ.get("KNACKDB_SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
DATA = pathlib.Path(os.environ.get("KNACKDB_DATA", SOURCE_ROOT.parent / "shared" / "data"))
CONVERTED = DATA / "converted"
SQLITE3 = shutil.which("sqlite3")

PATTERN_COLUMNS = ("id task_type pattern_used execution_time success_rate confidence_score agent_count complexity_level "
                   "tools_used context_factors created_at updated_at usage_count external_id").split()
PREFERENCE_COLUMNS = "id preference_type preference_value weight usage_count last_used".split()
METRIC_COLUMNS = ("id component_name metric_name metric_value baseline_value improvement_percentage measured_at "
                  "sample_count confidence_interval metadata").split()
COLUMNS = {"execution_patterns": PATTERN_COLUMNS, "user_preferences": PREFERENCE_COLUMNS,
           "performance_metrics": METRIC_COLUMNS}
INTEGERS = {"id", "agent_count", "usage_count", "sample_count"}
REALS = {"execution_time", "success_rate", "confidence_score", "created_at", "updated_at", "weight", "last_used",
         "metric_value", "baseline_value", "improvement_percentage", "measured_at", "confidence_interval"}

# Patterns that most questions can be asked of.
ROWS = [
    {"id": 1, "task_type": "sort", "pattern_used": "radix", "execution_time": 0.5, "success_rate": 0.9,
     "confidence_score": 0.8, "usage_count": 10, "tools_used": '["a","b"]', "external_id": "p1"},
    {"id": 2, "task_type": "sort", "pattern_used": "quick", "execution_time": 1.0, "success_rate": 0.5,
     "usage_count": 100, "tools_used": '["b"]'},
    {"id": 3, "task_type": "search", "pattern_used": "", "success_rate": 0.0, "tools_used": "[]"},
    {"id": 4, "task_type": None, "pattern_used": "it's", "usage_count": 9007199254740993},
    {"id": 10, "task_type": "less often", "execution_time": -2.0, "usage_count": -5},
]

# knackdb: WHAT: WHERE: WHY, or without the WHERE
COMPLAINT = re.compile(r"\Aknackdb: [^:\n]+: [^\n]+\n\Z")


def tool_path():
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KNACKDB_TOOL", "knackdb")
    found = shutil.which(path)
    if not found:
        sys.exit(f"no such tool: {path} (KNACKDB_TOOL, or the first argument, names it)")
    return os.path.abspath(found)


TOOL = None  # set by main()


def run(*arguments, given=None, text=True, **options):
    """Runs the tool; output as text with its line ends kept."""
    if isinstance(given, str):
        given = given.encode()
    done = subprocess.run([TOOL, *map(str, arguments)], input=given, capture_output=True, timeout=120, **options)
    if text:
        done.stdout = done.stdout.decode("utf-8", "surrogateescape")
        done.stderr = done.stderr.decode("utf-8", "surrogateescape")
    return done


def open_terminal():
    try:
        return pty.openpty()
    except OSError as error:  # a root without /dev/pts
        raise unittest.SkipTest(f"no pseudo-terminal: {error}") from error


def digest(path):
    """Names and contents of everything below a path; None where there is nothing."""
    path = pathlib.Path(path)
    if not path.exists():
        return None
    entries = [path, *sorted(path.rglob("*"))]
    return [(str(entry), hashlib.sha256(entry.read_bytes()).hexdigest() if entry.is_file() else "") for entry in entries]


def parse_csv(text):
    """Rows of RFC 4180 text as lists, NULL as None and "" as the empty string; Python's csv module cannot tell them
    apart, so its own answer is compared as well."""
    data = text if isinstance(text, str) else text.decode()
    rows, row, at = [], [], 0
    while at < len(data):
        if data[at] == '"':
            end = at + 1
            while True:
                end = data.index('"', end)
                if data[end + 1:end + 2] != '"':
                    break
                end += 2
            row.append(data[at + 1:end].replace('""', '"'))
            at = end + 1
        else:
            end = at
            while data[end] not in ",\r\n":
                end += 1
            row.append(data[at:end] or None)
            at = end
        if data[at] == ",":
            at += 1
            continue
        assert data[at:at + 2] == "\r\n", f"row {len(rows)} does not end with CRLF"
        at += 2
        rows.append(row)
        row = []
    assert not row, "the last row does not end"
    module = list(csv.reader(io.StringIO(data, newline="")))
    assert [[value or "" for value in values] for values in rows] == module, "Python's csv module reads something else"
    return rows


def typed(table, header, values):
    """A CSV row as a JSON row would have it."""
    row = dict.fromkeys(COLUMNS[table])
    for name, value in zip(header, values):
        if value is not None and name in INTEGERS:
            value = int(value)
        elif value is not None and name in REALS:
            value = float(value)
        row[name] = value
    return row


def csv_rows(table, text):
    header, *rows = parse_csv(text)
    return [typed(table, header, values) for values in rows]


def json_rows(table, text):
    rows = []
    for line in text.split("\n"):
        if line:
            rows.append({**dict.fromkeys(COLUMNS[table]), **json.loads(line)})
    return rows


def differences(left, right, at_most=3):
    """Where two lists of rows differ: in a value, in its type, in a bit of a float, in NULL against ''."""
    found = []
    if len(left) != len(right):
        found.append(f"{len(left)} rows and {len(right)}")
    for number, (a, b) in enumerate(zip(left, right), 1):
        if list(a) != list(b):
            found.append(f"row {number}: columns {list(a)} and {list(b)}")
        for name in a:
            x, y = a[name], b.get(name)
            if type(x) is not type(y) or (x.hex() != y.hex() if isinstance(x, float) else x != y):
                found.append(f"row {number}: {name}: {str(x)[:80]!r} and {str(y)[:80]!r}")
        if len(found) >= at_most:
            break
    return found


class ToolCase(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="knackdb-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.directory = self.folder / "memory.knack"

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def works(self, *arguments, **options):
        done = run(*arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def fails(self, status, complaint, *arguments, **options):
        """The call ends with this status, one line on standard error that holds these words, nothing on standard
        output, and nothing changed on disk."""
        before = digest(self.folder)
        done = run(*arguments, **options)
        self.assertEqual(done.returncode, status, (arguments, done.stderr))
        self.assertRegex(done.stderr, COMPLAINT, arguments)
        self.assertIn(complaint, done.stderr, arguments)
        self.assertEqual(done.stdout, "", arguments)
        self.assertEqual(digest(self.folder), before, f"{arguments} changed something")
        return done.stderr

    def load(self, table, rows):
        """Stores rows given as dicts."""
        return self.works("import", self.directory, table, "-", "--format", "jsonl",
                          given="".join(json.dumps(row) + "\n" for row in rows))

    def store_and_die(self, table, lines, last_id, while_it_lives=lambda writer: None):
        """A writer stores JSON lines and is killed with SIGKILL once a reader beside it has seen the last one."""
        writer = subprocess.Popen([TOOL, "import", self.directory, table, "-", "--format", "jsonl", "--skip-bad"],
                                  stdin=subprocess.PIPE)
        # blank lines push the last rows out of the writer's window; its standard input stays open
        writer.stdin.write(lines + b"\n" * (8 << 20))
        writer.stdin.flush()
        deadline = time.monotonic() + 60
        while run("query", self.directory, table, "--order-by", "id:desc", "--limit", 1, "--columns", "id",
                  "--format", "csv").stdout.split()[1:] != [str(last_id)]:
            self.assertLess(time.monotonic(), deadline, "the writer's rows are not seen by a reader beside it")
            time.sleep(0.02)
        while_it_lives(writer)
        writer.kill()
        writer.wait()
        writer.stdin.close()

    def dump(self, table, *options):
        return json_rows(table, self.works("dump", self.directory, table, "--format", "jsonl", *options))

    def same(self, left, right):
        self.assertEqual(differences(left, right), [])


def main():
    global TOOL
    TOOL = tool_path()
    run_tests()
