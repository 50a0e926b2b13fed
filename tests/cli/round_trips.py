#!/usr/bin/env python3
"""round_trips.py - rows in, rows out: nothing is lost between the command, its files, Python and SQLite.

The real data is found through KNACKDB_DATA or beside the source tree; what needs it is skipped where it is absent."""

import csv
import gzip
import json
import sqlite3
import subprocess
import unittest

import tool
from tool import CONVERTED, SQLITE3, ToolCase, csv_rows, json_rows, parse_csv, run

REAL_FILES = {
    "execution_patterns": "execution_patterns",
    "execution_patterns_aggregated": "execution_patterns",
    "execution_patterns_longtext": "execution_patterns",
    "execution_patterns_longjson": "execution_patterns",
    "user_preferences": "user_preferences",
    "performance_metrics": "performance_metrics",
}

has_data = unittest.skipUnless(CONVERTED.is_dir(), f"no real data at {CONVERTED}; KNACKDB_DATA may name it")
has_sqlite3 = unittest.skipUnless(SQLITE3, "no sqlite3 shell")

ODD_TEXTS = ["", " ", "NULL", "null", "a,b", 'a"b', '"', '""', "'", "a\nb", "a\r\nb", "\r", "\n", ",", "\t", "\0", "a\0b",
             "\x1b[31m", "\x7f", "\x85", "é", "日本語", "😀", "\ufeff", "\ufffe", "e\u0301", "\u202e", "-", "0", "1e5", "nan",
             "\\N", "\\", "{}", '["a"]', "x" * 100000, '"' * 70000, "é" * 40000, "\x80" * 40000, "\n" * 30000]
ODD_REALS = [0.0, -0.0, 0.1, -1.5, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e21, 1e22, 1e23, 1e16, 1e-7,
             123456789012345680.0, 9007199254740993.0, 0.30000000000000004, 1 / 3, 1727222400.0, 1700000000.123456,
             5.684341886080802e-14, 4.35, 2.0 ** -1022, 2.0 ** 1023, 1e-320]
ODD_INTEGERS = [0, -1, 2 ** 63 - 1, -2 ** 63, 2 ** 53 + 1]


def odd_rows():
    """Rows with whatever is hard to write down, and NULL in each column in turn."""
    rows = []
    for text in ODD_TEXTS:
        rows.append({"pattern_used": text, "context_factors": text})
    for real in ODD_REALS:
        rows.append({"execution_time": real, "created_at": -real})
    for integer in ODD_INTEGERS:
        rows.append({"agent_count": integer, "usage_count": integer})
    for rate in (0.0, 1.0, 5e-324, 0.9999999999999999):
        rows.append({"success_rate": rate, "confidence_score": rate})
    whole = {"task_type": "t", "pattern_used": "", "execution_time": 0.0, "success_rate": 0.0, "confidence_score": 0.0,
             "agent_count": 0, "complexity_level": "", "tools_used": "", "context_factors": "", "created_at": 0.0,
             "updated_at": 0.0, "usage_count": 0}
    rows.append(whole)
    rows += [{**whole, name: None} for name in whole]
    full = dict.fromkeys(tool.PATTERN_COLUMNS)
    return [{**full, **row, "id": number} for number, row in enumerate(rows, 1)]


class OddValues(ToolCase):
    """No value changes on its way, whichever format it takes."""

    def setUp(self):
        super().setUp()
        self.rows = odd_rows()
        self.load("execution_patterns", self.rows)

    def test_json_lines_come_back(self):
        self.same(self.dump("execution_patterns"), self.rows)

    def test_csv_comes_back_and_is_read_by_the_csv_module(self):
        text = run("dump", self.directory, "execution_patterns", text=False).stdout
        self.same(csv_rows("execution_patterns", text), self.rows)
        copy = self.write("copy.csv", text)
        self.works("import", self.folder / "other", "execution_patterns", copy)
        self.assertEqual(run("dump", self.folder / "other", "execution_patterns", text=False).stdout, text)

    def test_json_lines_written_are_read(self):
        text = self.works("dump", self.directory, "execution_patterns", "--format", "jsonl")
        copy = self.write("copy.jsonl", text)
        self.works("import", self.folder / "other", "execution_patterns", copy)
        self.assertEqual(self.works("dump", self.folder / "other", "execution_patterns", "--format", "jsonl"), text)

    def test_gzip_is_unpacked(self):
        text = run("dump", self.directory, "execution_patterns", text=False).stdout
        # several gzip members one behind the other are one file
        copy = self.write("copy.csv.gz", gzip.compress(text[:1000]) + gzip.compress(text[1000:]))
        self.works("import", self.folder / "other", "execution_patterns", copy)
        self.assertEqual(run("dump", self.folder / "other", "execution_patterns", text=False).stdout, text)

    def test_the_snapshot_alone_holds_them(self):
        self.works("snapshot", self.directory)
        self.load("execution_patterns", [{"id": 100000, "task_type": "behind the snapshot"}])
        self.same(self.dump("execution_patterns", "--snapshot"), self.rows)
        self.assertEqual(len(self.dump("execution_patterns")), len(self.rows) + 1)

    def test_every_table_goes_into_a_folder(self):
        target = self.folder / "out"
        self.works("dump", self.directory, "-o", target)
        self.assertEqual(sorted(path.name for path in target.iterdir()),
                         ["execution_patterns.csv", "performance_metrics.csv", "user_preferences.csv"])
        self.same(csv_rows("execution_patterns", (target / "execution_patterns.csv").read_bytes()), self.rows)
        self.assertEqual((target / "user_preferences.csv").read_bytes(),
                         b",".join(name.encode() for name in tool.PREFERENCE_COLUMNS) + b"\r\n")

    def test_a_file_is_replaced_whole(self):
        target = self.write("out.csv", "what was there before")
        self.works("dump", self.directory, "execution_patterns", "-o", target)
        self.same(csv_rows("execution_patterns", target.read_bytes()), self.rows)
        self.works("dump", self.directory, "execution_patterns", "-o", self.folder / "out.jsonl", "--format=jsonl")
        self.same(json_rows("execution_patterns", (self.folder / "out.jsonl").read_text()), self.rows)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["memory.knack", "out.csv", "out.jsonl"])

    def test_python_writes_csv_that_is_read(self):
        path = self.folder / "python.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["pattern_used", "id", "execution_time", "agent_count"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)
        self.works("import", self.folder / "other", "execution_patterns", path)
        self.directory = self.folder / "other"
        expected = [{**dict.fromkeys(tool.PATTERN_COLUMNS), "id": row["id"], "execution_time": row["execution_time"],
                     "agent_count": row["agent_count"],
                     # Python writes None and '' alike
                     "pattern_used": row["pattern_used"] or None} for row in self.rows]
        self.same(self.dump("execution_patterns"), expected)

    @has_sqlite3
    def test_the_sqlite3_shell_reads_our_csv(self):
        path = self.folder / "ours.csv"
        self.works("dump", self.directory, "execution_patterns", "-o", path)
        # the shell, a C program, ends a text at a NUL character
        rows = [values for values in parse_csv(path.read_bytes())[1:]]
        # no types: every field stays the text it was in the file
        done = subprocess.run([SQLITE3, self.folder / "theirs.db", f"CREATE TABLE t ({', '.join(tool.PATTERN_COLUMNS)});",
                               f".import --csv --skip 1 {path} t"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        theirs = sqlite3.connect(self.folder / "theirs.db").execute("SELECT * FROM t ORDER BY CAST(id AS INTEGER)").fetchall()
        self.assertEqual([list(row) for row in theirs],
                         [[(value or "").split("\0")[0] for value in values] for values in rows])

    @has_sqlite3
    def test_we_read_the_sqlite3_shells_csv(self):
        database = sqlite3.connect(self.folder / "theirs.db")
        # the shell ends a text at a NUL, and rounds the largest doubles up to what is none any more
        rows = [row for row in self.rows
                if "\0" not in (row["pattern_used"] or "") and abs(row["execution_time"] or 0) < 1.7e308]
        database.execute("CREATE TABLE t (id INTEGER, pattern_used TEXT, execution_time REAL, agent_count INTEGER)")
        database.executemany("INSERT INTO t VALUES (:id, :pattern_used, :execution_time, :agent_count)", rows)
        database.commit()
        text = subprocess.run([SQLITE3, self.folder / "theirs.db", ".mode csv", ".headers on", "SELECT * FROM t"],
                              capture_output=True, check=True).stdout
        path = self.write("theirs.csv", text)
        self.works("import", self.folder / "other", "execution_patterns", path)
        self.directory = self.folder / "other"
        header, *theirs = parse_csv(text)
        # the shell writes 15 digits of a REAL; what it wrote is what must come in
        self.same(self.dump("execution_patterns"),
                  [tool.typed("execution_patterns", header, values) for values in theirs])
        self.assertEqual([row["pattern_used"] for row in self.dump("execution_patterns")],
                         [row["pattern_used"] for row in rows])

    def test_a_sqlite_file_comes_in_with_its_ids_and_types(self):
        path = self.folder / "theirs.db"
        database = sqlite3.connect(path)
        database.execute("""CREATE TABLE execution_patterns (usage_count INTEGER, ID INTEGER PRIMARY KEY, task_type TEXT,
            pattern_used TEXT, execution_time REAL, success_rate REAL, confidence_score REAL, agent_count INTEGER,
            complexity_level TEXT, tools_used TEXT, context_factors TEXT, created_at REAL, updated_at REAL)""")
        names = tool.PATTERN_COLUMNS[:-1]
        database.executemany(f"INSERT INTO execution_patterns ({','.join(names)}) VALUES ({','.join(':' + n for n in names)})",
                             self.rows)
        database.commit()
        database.close()
        before = path.read_bytes()
        self.directory = self.folder / "other"
        self.works("import", self.directory, "execution_patterns", path)
        # SQLite keeps a REAL that is whole as an integer, which has no negative zero
        expected = [{name: value + 0.0 if isinstance(value, float) else value for name, value in row.items()}
                    for row in self.rows]
        self.same(self.dump("execution_patterns"), expected)
        self.assertEqual(path.read_bytes(), before)


@has_data
class RealData(ToolCase):
    """Every file of real data, field by field, type by type, NULL by NULL."""

    def sources(self, name, table):
        packed_csv, packed_json = CONVERTED / f"{name}.csv.gz", CONVERTED / f"{name}.jsonl.gz"
        header, *values = csv.reader(gzip.open(packed_csv, "rt", newline="", encoding="utf-8"))
        # in these files an empty field is NULL and no value is an empty string
        from_csv = [tool.typed(table, header, [value or None for value in row]) for row in values]
        from_json = json_rows(table, gzip.open(packed_json, "rt", encoding="utf-8", newline="").read())
        self.same(from_csv, from_json)
        return packed_csv, packed_json, from_json

    def test_each_file_imports_and_dumps_equal_to_its_source(self):
        for name, table in REAL_FILES.items():
            packed_csv, packed_json, rows = self.sources(name, table)
            for source in (packed_csv, packed_json):
                with self.subTest(source=source.name):
                    self.directory = self.folder / source.name
                    told = self.works("import", self.directory, table, source)
                    self.assertRegex(told, rf"\A{table}: {len(rows)} rows in [0-9.]+ s, [0-9]+ rows/s\n\Z")
                    self.same(self.dump(table), rows)
                    text = run("dump", self.directory, table, text=False).stdout
                    self.same(csv_rows(table, text), rows)
                    # and the same again from the snapshot alone
                    self.works("snapshot", self.directory)
                    self.same(self.dump(table, "--snapshot"), rows)
                    self.same(self.dump(table), rows)
                    self.works("verify", self.directory)

    def test_a_dump_of_a_dump_is_the_same_bytes(self):
        for name, table in REAL_FILES.items():
            first, second = self.folder / f"{name}.1", self.folder / f"{name}.2"
            self.works("import", first, table, CONVERTED / f"{name}.csv.gz")
            text = run("dump", first, table, text=False).stdout
            self.works("import", second, table, self.write("again.csv", text))
            self.assertEqual(run("dump", second, table, text=False).stdout, text)

    def test_one_table_takes_all_the_files_of_patterns(self):
        expected = []
        for name, table in REAL_FILES.items():
            if table == "execution_patterns":
                self.works("import", self.directory, table, CONVERTED / f"{name}.csv.gz")
                expected += self.sources(name, table)[2]
        self.same(self.dump("execution_patterns"), sorted(expected, key=lambda row: row["id"]))

    def test_rows_survive_the_death_of_their_writer(self):
        for name, table in REAL_FILES.items():
            rows = self.sources(name, table)[2]
            self.directory = self.folder / name

            def refuse_a_second_writer(writer):
                refused = run("snapshot", self.directory)
                self.assertEqual(refused.returncode, 2)
                self.assertRegex(refused.stderr, rf"\Aknackdb: snapshot: {self.directory}: .*\b{writer.pid}\b.*\n\Z")

            self.store_and_die(table, gzip.open(CONVERTED / f"{name}.jsonl.gz").read(), rows[-1]["id"],
                               refuse_a_second_writer)
            self.same(self.dump(table), rows)
            self.works("snapshot", self.directory)
            self.same(self.dump(table, "--snapshot"), rows)

    def test_the_row_out_of_range_is_refused_by_file_line_and_column(self):
        for ending in ("csv", "jsonl"):
            source = CONVERTED / f"execution_patterns_out_of_range.{ending}.gz"
            line = 2 if ending == "csv" else 1
            self.fails(1, f"knackdb: import: {source}:{line}: success_rate: -1 is outside 0..1", "import", self.directory,
                       "execution_patterns", source)
        # behind a thousand good rows it is refused just the same
        good = gzip.open(CONVERTED / "execution_patterns.csv.gz").read()
        bad = gzip.open(CONVERTED / "execution_patterns_out_of_range.csv.gz").read()
        path = self.write("mixed.csv", good + bad.split(b"\r\n", 1)[1])
        error = self.fails(1, "success_rate: -1 is outside 0..1", "import", self.directory, "execution_patterns", path)
        self.assertIn(f"{path}:{(good.count(chr(10).encode())) + 1}: ", error)

    @has_sqlite3
    def test_the_sqlite3_shell_reads_every_table(self):
        for name, table in REAL_FILES.items():
            directory, path = self.folder / name, self.folder / f"{name}.csv"
            self.works("import", directory, table, CONVERTED / f"{name}.csv.gz")
            self.works("dump", directory, table, "-o", path)
            subprocess.run([SQLITE3, self.folder / f"{name}.db", f"CREATE TABLE t ({', '.join(tool.COLUMNS[table])});",
                            f".import --csv --skip 1 {path} t"], check=True, capture_output=True)
            theirs = sqlite3.connect(self.folder / f"{name}.db").execute("SELECT * FROM t").fetchall()
            self.assertEqual([[value or None for value in row] for row in theirs], parse_csv(path.read_bytes())[1:])

    def test_a_sqlite_file_of_real_rows_comes_in(self):
        for table in ("execution_patterns", "user_preferences", "performance_metrics"):
            rows = self.sources(table, table)[2]
            names = list(json.loads(gzip.open(CONVERTED / f"{table}.jsonl.gz").readline()))
            path = self.folder / f"{table}.sqlite"
            database = sqlite3.connect(path)
            types = {name: "INTEGER" if name in tool.INTEGERS else "REAL" if name in tool.REALS else "TEXT"
                     for name in names}
            database.execute(f"CREATE TABLE {table} ({', '.join(f'{n} {t}' for n, t in types.items())})")
            database.executemany(f"INSERT INTO {table} VALUES ({','.join(':' + name for name in names)})", rows)
            database.commit()
            database.close()
            self.directory = self.folder / f"{table}.knack"
            self.works("import", self.directory, table, path)
            self.same(self.dump(table), rows)


if __name__ == "__main__":
    tool.main()
