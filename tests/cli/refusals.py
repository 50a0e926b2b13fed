#!/usr/bin/env python3
"""refusals.py - bad calls and bad files: one clear line, the right exit status, nothing changed."""

import gzip
import json
import os
import resource
import sqlite3
import subprocess

import tool
from tool import ToolCase, run

HEADER = "id,task_type,success_rate,usage_count,tools_used\r\n"


class BadCalls(ToolCase):
    """Exit status 2: the call is at fault."""

    def setUp(self):
        super().setUp()
        self.load("execution_patterns", [{"task_type": "a"}])
        self.csv = self.write("good.csv", HEADER + "1,a,0.5,1,[]\r\n")

    def usage(self, complaint, *arguments):
        error = self.fails(2, complaint, *arguments)
        self.assertIn(f"see 'knackdb {arguments[0]} --help'" if arguments and arguments[0] in COMMANDS
                      else "see 'knackdb --help'", error)

    def test_no_command_and_no_such_command(self):
        self.usage("knackdb: COMMAND: is missing")
        self.usage("knackdb: frobnicate: no such command", "frobnicate")
        self.usage("knackdb: --frobnicate: no such command", "--frobnicate")
        self.usage("knackdb: frobnicate: no such command", "help", "frobnicate")

    def test_missing_and_superfluous_arguments(self):
        for command, wanted in COMMANDS.items():
            given = []
            for name in wanted:
                self.usage(f"knackdb: {command}: {name}: is missing", command, *given)
                given.append({"DIR": self.directory, "TABLE": "execution_patterns", "FILE": self.csv,
                              "DEST": self.folder / "new"}[name])
            if command == "repair":
                self.usage("repair: --to: is missing", command, self.directory)
                self.usage("repair: --to: needs a directory", command, self.directory, "--to")
                given += ["--to", self.folder / "new"]
            if command == "dump":
                self.usage("dump: TABLE: is missing; all tables need -o FOLDER", command, self.directory)
                given.append("execution_patterns")
            self.usage("one argument too many", command, *given, "more")
            self.usage(f"knackdb: {command}: --frob: no such option", command, *given, "--frob")
            self.usage(f"knackdb: {command}: -x: no such option", command, *given, "-x")
            if given:
                self.usage("is empty", command, "")

    def test_options_without_their_value_and_with_a_wrong_one(self):
        d, t = self.directory, "execution_patterns"
        self.usage("import: --format: needs csv, jsonl or sqlite", "import", d, t, self.csv, "--format")
        self.usage("import: --format: 'xml' is none of", "import", d, t, self.csv, "--format", "xml")
        self.usage("import: --format: given twice", "import", d, t, self.csv, "--format=csv", "--format=csv")
        self.usage("import: --skip-bad: takes no value", "import", d, t, self.csv, "--skip-bad=yes")
        self.usage("the name does not tell the format", "import", d, t, self.write("rows.txt", "x"))
        self.usage("the name does not tell the format", "import", d, t, "-")
        self.usage("cannot be read from standard input", "import", d, t, "-", "--format", "sqlite")
        self.usage("dump: --format: 'table' is neither csv nor jsonl", "dump", d, t, "--format", "table")
        self.usage("dump: --as-of: 'yesterday' is not a sequence number", "dump", d, t, "--as-of", "yesterday")
        self.usage("dump: --as-of: '0' is before the first commit", "dump", d, t, "--as-of", "0")
        self.usage("does not go with --snapshot", "dump", d, t, "--as-of", "1", "--snapshot")
        self.usage("dump: --output: needs a file or folder", "dump", d, t, "-o")
        self.usage("replay: --since: '2026-02-30' is not", "replay", d, "--since", "2026-02-30")
        self.usage("replay: --until: '' is not", "replay", d, "--until", "")
        self.usage("replay: --format: 'csv' is neither", "replay", d, "--format", "csv")
        self.usage("query: --limit: 'ten' is not a number", "query", d, t, "--limit", "ten")
        self.usage("query: --limit: '-1' is out of range", "query", d, t, "--limit", "-1")
        self.usage("query: --limit: '1.5' is not a whole number", "query", d, t, "--limit", "1.5")
        self.usage("query: --offset: '99999999999999999999' is out of range", "query", d, t, "--offset", "9" * 20)
        self.usage("query: --columns: execution_patterns has no column 'x'", "query", d, t, "--columns", "id,x")
        self.usage("query: --columns: the column 'id' comes twice", "query", d, t, "--columns", "id,id")
        self.usage("query: --order-by: execution_patterns has no column 'x'", "query", d, t, "--order-by", "x")
        self.usage("query: --order-by: 'up' is neither asc nor desc", "query", d, t, "--order-by", "id:up")
        self.usage("query: --order-by: more than 4 keys", "query", d, t, "--order-by", "id,id,id,id,id")
        self.usage("only execution_patterns have a score", "query", d, "user_preferences", "--order-by", "score")
        self.usage("query: --format: 'xml' is none of", "query", d, t, "--format", "xml")
        self.usage("bench: --rows: '10' is not from 1000 to", "bench", "--rows", "10")
        self.usage("bench: --rows: 'x' is not a number", "bench", "--rows", "x")

    def test_conditions_that_are_none(self):
        for condition, why in {
            "": "execution_patterns has no column ''",
            "frob = 1": "execution_patterns has no column 'frob'",
            "usage_count": "an operator is missing",
            "usage_count ~ 1": "an operator is missing",
            "usage_count = many": "'many' is not a number",
            "success_rate > nan": "'nan' is not a number",
            "success_rate < 1e999": "is out of range",
            "task_type = null": "is null",
            "task_type = 'a": "the quote is never closed",
            "task_type in (a": "the bracket is never closed",
            "usage_count contains 1": "'contains' looks into text columns",
            "task_type is empty": "only 'is null'",
        }.items():
            self.usage(f"query: --where '{condition}': ", "query", self.directory, "execution_patterns", "--where", condition)
            self.usage(why, "query", self.directory, "execution_patterns", "--where", condition)
        self.usage("more than 32 conditions", "query", self.directory, "execution_patterns",
                   *["--where", "id > 0"] * 33)

    def test_tables_and_directories_that_are_not_there(self):
        for command in ("import", "dump", "query"):
            self.fails(2, f"knackdb: {command}: patterns: no such table; there are execution_patterns, user_preferences, "
                       "performance_metrics", command, self.directory, "patterns", *[self.csv] * (command == "import"))
        self.fails(2, "no such table", "replay", self.directory, "--table", "patterns")
        missing = self.folder / "missing"
        plain = self.write("plain", "not a store")
        empty = self.folder / "empty"
        empty.mkdir()
        for command, wanted in COMMANDS.items():
            if command in ("import", "bench"):
                continue
            new = self.folder / "new"
            rest = {"dump": ["execution_patterns"], "query": ["execution_patterns"], "backup": [new],
                    "repair": ["--to", new]}.get(command, [])
            self.fails(2, f"knackdb: {command}: {missing}: no such directory\n", command, missing, *rest)
            self.fails(2, f"knackdb: {command}: {plain}: not a directory\n", command, plain, *rest)
            self.fails(2, f"knackdb: {command}: {plain}/x: ", command, f"{plain}/x", *rest)
            self.fails(2, f"knackdb: {command}: {empty}: holds no knackdb store\n", command, empty, *rest)
            self.fails(2, f"knackdb: {command}: :memory:: ", command, ":memory:", *rest)
        self.fails(2, "knackdb: import: :memory:: ", "import", ":memory:", "execution_patterns", self.csv)
        self.fails(2, "knackdb: bench: ", "bench", "--in", missing)

    def test_files_that_cannot_be_read(self):
        d, t = self.folder / "new", "execution_patterns"
        self.fails(2, f"knackdb: import: {self.folder}/x.csv: No such file or directory", "import", d, t,
                   self.folder / "x.csv")
        self.fails(2, "no such file", "import", d, t, self.folder / "x")
        self.fails(2, "x.db: ", "import", d, t, self.folder / "x.db")
        (self.folder / "folder.csv").mkdir()
        self.fails(2, "folder.csv: Is a directory", "import", d, t, self.folder / "folder.csv")
        self.assertFalse(d.exists())

    def test_files_that_cannot_be_written(self):
        d, t = self.directory, "execution_patterns"
        self.fails(2, "dump: ", "dump", d, t, "-o", self.folder / "missing" / "out.csv")
        self.fails(2, "dump: ", "dump", d, "-o", self.folder / "missing" / "out")
        self.fails(2, "dump: ", "dump", d, "-o", self.csv)

    def test_a_full_disk_and_a_closed_pipe(self):
        self.load("execution_patterns", [{"task_type": "x" * 1000} for _ in range(3000)])
        for arguments in (["dump", self.directory, "execution_patterns"], ["replay", self.directory],
                          ["query", self.directory, "execution_patterns"], ["stats", self.directory],
                          ["verify", self.directory], ["--help"], ["dump", "--help"], ["--version"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([tool.TOOL, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertRegex(done.stderr, r"\Aknackdb: [a-z]+: standard output: No space left on device\n\Z", arguments)
        self.fails(1, "dump: /dev/full: No space left on device", "dump", self.directory, "execution_patterns", "-o",
                   "/dev/full")
        for command in ("dump", "query", "replay"):
            rest = [] if command == "replay" else ["execution_patterns"]
            done = subprocess.run(f"{{ {tool.TOOL} {command} {self.directory} {' '.join(rest)}; echo $? >&2; }} | head -c 10",
                                  shell=True, capture_output=True, text=True)
            self.assertEqual(done.stderr, "1\n")  # whoever closes a pipe has what was wanted: nothing is said
        # a file that cannot be finished leaves the old one and no temporary one
        old = self.write("old.csv", "old")

        def limit_size():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

        done = subprocess.run(["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", tool.TOOL, "dump", self.directory,
                               "execution_patterns", "-o", old], capture_output=True, text=True, preexec_fn=limit_size)
        self.assertEqual((done.returncode, done.stderr), (1, f"knackdb: dump: {old}: File too large\n"))
        self.assertEqual(old.read_text(), "old")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["good.csv", "memory.knack", "old.csv"])

    def test_what_an_argument_holds_cannot_act_on_the_terminal(self):
        done = run("query", "a\x1b[31m\nb", "execution_patterns")
        self.assertEqual(done.stderr, "knackdb: query: a\\u001b[31m\\nb: no such directory\n")
        done = subprocess.run([tool.TOOL, "stats", b"\xff\xfe"], capture_output=True)
        self.assertEqual(done.stderr, b"knackdb: stats: \\xff\\xfe: no such directory\n")


COMMANDS = {"import": ["DIR", "TABLE", "FILE"], "dump": ["DIR"], "replay": ["DIR"], "query": ["DIR", "TABLE"],
            "stats": ["DIR"], "verify": ["DIR"], "repair": ["DIR"], "snapshot": ["DIR"], "backup": ["DIR", "DEST"],
            "migrate": ["DIR"], "bench": []}


class BadFiles(ToolCase):
    """Exit status 1: the data is at fault. Nothing of the file is stored; a directory that was absent stays absent."""

    def refused(self, complaint, name, content, table="execution_patterns", *options):
        path = self.write(name, content)
        # into a directory that is not there, and into one that holds rows
        self.fails(1, f"knackdb: import: {path}{complaint}", "import", self.folder / "new", table, path, *options)
        if not self.directory.exists():
            self.load("execution_patterns", [{"id": 1, "task_type": "kept"}])
        self.fails(1, f"knackdb: import: {path}{complaint}", "import", self.directory, table, path, *options)

    def csv(self, complaint, *lines):
        self.refused(complaint, "rows.csv", "".join(line + "\r\n" for line in [HEADER.strip(), *lines]))

    def test_values_that_no_store_takes(self):
        self.csv(":3: success_rate: 1.5 is outside 0..1", "1,a,0.5,1,[]", "2,a,1.5,1,[]")
        self.csv(":2: success_rate: -1 is outside 0..1", "1,a,-1,1,[]")
        self.csv(":2: success_rate: 'nan' is not a number", "1,a,nan,1,[]")
        self.csv(":2: success_rate: 'inf' is not a number", "1,a,inf,1,[]")
        self.csv(":2: success_rate: '1e999' is out of range", "1,a,1e999,1,[]")
        self.csv(":2: success_rate: '0x1' is not a number", "1,a,0x1,1,[]")
        self.csv(":2: success_rate: 'high' is not a number", "1,a,high,1,[]")
        self.csv(':2: success_rate: "" is the empty string, not a number', '1,a,"",1,[]')
        self.csv(":2: usage_count: '1.5' is not a whole number", "1,a,1,1.5,[]")
        self.csv(":2: usage_count: '9223372036854775808' is out of range", "1,a,1,9223372036854775808,[]")
        self.csv(":2: usage_count: '1e30' is out of range", "1,a,1,1e30,[]")
        self.csv(":2: id: -5 is not a positive id", "-5,a,1,1,[]")
        self.csv(":2: id: 'pattern_1' is not a number", "pattern_1,a,1,1,[]")
        self.refused(":2: task_type: not UTF-8 at byte 1", "rows.csv", HEADER.encode() + b"1,a\xff,1,1,[]\r\n")
        self.refused(":2: task_type: not UTF-8 at byte 0", "rows.csv", HEADER.encode() + b"1,\xed\xa0\x80,1,1,[]\r\n")
        self.refused(":2: task_type: not UTF-8 at byte 0", "rows.csv", HEADER.encode() + b"1,\xc0\x80,1,1,[]\r\n")
        self.refused(":2: weight: ' ' is not a number", "rows.csv", 'weight\r\n" "\r\n', "user_preferences")

    def test_text_over_the_limit(self):
        limit = 16 * 1024 * 1024
        text = "x" * limit
        self.works("import", self.directory, "execution_patterns", self.write("good.csv", f"task_type\r\n{text}\r\n"))
        self.same(self.dump("execution_patterns"),
                  [{**dict.fromkeys(tool.PATTERN_COLUMNS), "id": 1, "task_type": text}])
        self.refused(f":2: task_type: {limit + 1} bytes of text, more than {limit}", "rows.csv",
                     f"task_type\r\n{text}x\r\n")
        self.refused(f":1: task_type: {limit + 1} bytes of text, more than {limit}", "rows.jsonl",
                     json.dumps({"task_type": text + "x"}))
        self.refused(":2: task_type: the field is longer than any text may be", "rows.csv",
                     f"task_type\r\n{text}{text}xxx\r\n")

    def test_rows_that_are_no_csv(self):
        self.csv(":2: 4 fields where the header names 5", "1,a,0.5,1")
        self.csv(":2: 6 fields where the header names 5", "1,a,0.5,1,[],x")
        self.csv(":2: task_type: a quote within a field that does not begin with one", '1,a"b,0.5,1,[]')
        self.csv(":2: task_type: text behind the closing quote", '1,"a"b,0.5,1,[]')
        self.csv(":2: task_type: a carriage return outside quotes ends no line", "1,a\rb,0.5,1,[]")
        self.csv(":3: tools_used: the opening quote is never closed", "1,a,0.5,1,[]", '2,a,0.5,1,"[]')
        # lines are those an editor counts, also behind a field of several
        self.csv(":6: success_rate: 2 is outside 0..1", '1,"a\nb\r\nc",0.5,1,[]', "", "2,b,2,1,[]")

    def test_headers_that_name_no_columns(self):
        self.refused(":1: no header row that names the columns", "rows.csv", "")
        self.refused(":1: execution_patterns has no column 'frob'; it has id, task_type, ", "rows.csv", "id,frob\r\n1,2\r\n")
        self.refused(":1: execution_patterns has no column ''", "rows.csv", "id,\r\n1,2\r\n")
        self.refused(":1: execution_patterns has no column 'ID'", "rows.csv", "ID\r\n1\r\n")
        self.refused(":1: the column 'id' comes twice", "rows.csv", "id,id\r\n1,2\r\n")
        self.refused(":1: execution_patterns has no column 'weight'", "rows.csv", "id,weight\r\n1,2\r\n")
        self.refused(":1: 100 columns; execution_patterns has 14", "rows.csv", ",".join(["id"] * 100))
        self.refused(":1: execution_patterns has no column 'a\\u001b\\nb'", "rows.csv", '"a\x1b\nb"\r\n1\r\n')

    def json(self, complaint, *lines):
        self.refused(complaint, "rows.jsonl", b"\n".join(
            line.encode() if isinstance(line, str) else line for line in lines))

    def test_lines_that_are_no_rows(self):
        self.json(":2:1: the line is no JSON object", '{"id":1}', "[1]")
        self.json(":1:1: the line is no JSON object", "id,task_type")
        self.json(":3:10: the object does not end", '{"id":1}', "", '{"id":12 ')
        self.json(":1:10: text behind the object", '{"id":1} {"id":2}')
        self.json(":1:2: execution_patterns has no column 'frob'; it has id, ", '{"frob":1}')
        self.json(":1:9: id: the key comes twice", '{"id":1,"id":2}')
        self.json(":1:17: success_rate: not a finite number", '{"success_rate":NaN}')
        self.json(":1:17: success_rate: is out of range", '{"success_rate":1e999}')
        self.json(":1:17: success_rate: a string where a number belongs", '{"success_rate":"1"}')
        self.json(":1: success_rate: 1.5 is outside 0..1", '{"success_rate":1.5}')
        self.json(":1:14: task_type: a number where text belongs", '{"task_type":1}')
        self.json(":1:14: task_type: true or false where text belongs", '{"task_type":true}')
        self.json(":1:15: task_type: half a surrogate pair", '{"task_type":"\\ud83d"}')
        self.json(":1:16: task_type: a control character in a string must be escaped", '{"task_type":"a\x01"}')
        self.json(":1: task_type: not UTF-8 at byte 1", b'{"task_type":"a\xff"}')
        self.json(":1:16: usage_count: is not a whole number", '{"usage_count":1.5}')
        self.json(":1: id: -1 is not a positive id", '{"id":-1}')
        self.json(":1:115: tools_used: lists and objects are nested too deep", '{"tools_used":' + "[" * 100000)
        self.json(":1:14: task_type: no JSON value", '{"task_type":undefined}')

    def test_packed_files_that_are_damaged(self):
        packed = gzip.compress((HEADER + "1,a,0.5,1,[]\r\n" * 5000).encode())
        self.refused(": the gzip data is cut off", "rows.csv.gz", packed[:-20])
        self.refused(": damaged gzip data: ", "rows.csv.gz", packed[:20] + b"\xff\xff\xff" + packed[23:])
        self.refused(": damaged gzip data: ", "rows.csv.gz", packed[:-8] + bytes(4) + packed[-4:])

    def test_sqlite_files_with_other_rows(self):
        path = self.folder / "rows.db"

        def make(*statements):
            path.unlink(missing_ok=True)
            database = sqlite3.connect(path)
            for statement in statements:
                database.execute(statement)
            database.commit()
            database.close()
            return path.read_bytes()

        create = "CREATE TABLE execution_patterns (id INTEGER PRIMARY KEY, task_type, success_rate, usage_count)"
        self.refused(": holds no table 'execution_patterns'", "rows.db", make("CREATE TABLE other (id)"))
        self.refused(": execution_patterns has no column 'frob'; it has id, ", "rows.db",
                     make("CREATE TABLE execution_patterns (id, frob)"))
        good = "INSERT INTO execution_patterns VALUES (1, 'a', 0.5, 1)"
        for row, why in {
            "2, 'a', 1.5, 1": "success_rate: 1.5 is outside 0..1",
            "2, 'a', '2026-01-01', 1": "success_rate: TEXT where a number belongs",
            "2, 'a', 1, 1.5": "usage_count: a REAL that is no whole number",
            "2, 'a', 9007199254740993, 1": "success_rate: an INTEGER that a REAL cannot hold exactly",
            "2, 5, 1, 1": "task_type: an INTEGER where TEXT belongs",
            "2, 5.5, 1, 1": "task_type: a REAL where TEXT belongs",
            "2, x'00', 1, 1": "task_type: a BLOB",
            "2, cast(x'ff' as text), 1, 1": "task_type: not UTF-8 at byte 0",
            "2, 'a', 9e999, 1": "success_rate: infinity is not a number that can be stored",
            "-2, 'a', 1, 1": "id: -2 is not a positive id",
        }.items():
            content = make(create, *([good] if row[0] != "-" else []), f"INSERT INTO execution_patterns VALUES ({row})")
            self.refused(f": row {1 if row[0] == '-' else 2}: {why}", "rows.db", content)
        whole = make(create, *[f"INSERT INTO execution_patterns (task_type) VALUES ('{i}')" for i in range(2000)])
        self.refused(": SQLite: ", "rows.db", whole[:5000])
        self.refused(": SQLite: ", "rows.db", whole[:100] + os.urandom(len(whole) - 100))
        self.refused(": SQLite: ", "rows.db", b"not a database at all, though its name says so")
        view = make("CREATE VIEW execution_patterns AS SELECT 1 AS id")
        self.refused(": holds no table", "rows.db", view)

    def test_skip_bad_stores_the_others_and_says_which_it_left_out(self):
        bad = "".join(f"{i},bad,7,1,[]\r\n" for i in range(10, 18))
        path = self.write("rows.csv", HEADER + "1,a,0.5,1,[]\r\n" + bad + '2,"b"x,1,1,[]\r\n3,c,1,1\r\n4,d,1,1,[]\r\n5,"e\r\n')
        done = run("import", self.directory, "execution_patterns", path, "--skip-bad")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Aexecution_patterns: 2 rows in ")
        lines = done.stderr.splitlines()
        self.assertEqual(lines[0], f"knackdb: import: {path}:3: success_rate: skipped: 7 is outside 0..1")
        self.assertEqual(len(lines), 6)
        self.assertEqual(lines[-1], "knackdb: import: execution_patterns: 11 bad rows skipped")
        self.assertEqual([(row["id"], row["task_type"]) for row in self.dump("execution_patterns")], [(1, "a"), (4, "d")])

        done = run("import", self.directory, "execution_patterns", "-", "--format", "jsonl", "--skip-bad",
                   given='{"id":7}\n{"id":}\nnonsense\n{"id":8}')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.splitlines()[0], "knackdb: import: standard input:2:7: id: skipped: no JSON value")
        self.assertEqual([row["id"] for row in self.dump("execution_patterns")], [1, 4, 7, 8])


class Hostile(ToolCase):
    """No bytes make it crash: whatever the file holds, the tool ends by itself with a line and a status."""

    def test_damaged_copies_of_good_files(self):
        good_csv = (HEADER + '1,"a ""b""\r\n",0.5,1,"[""x""]"\r\n2,b,,,\r\n').encode()
        good_json = b'{"id":1,"task_type":"a\\u00e9","tools_used":["x",{"y":[1,2.5e3,null]}]}\n{"id":2}\n'
        state = 20261122
        for name, good in (("rows.csv", good_csv), ("rows.jsonl", good_json)):
            for _ in range(150):
                state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
                bad = bytearray(good)
                for shift in (8, 24, 40):
                    bad[(state >> shift) % len(bad)] = (state >> shift - 8) & 255
                done = run("import", self.folder / "x", "execution_patterns", self.write(name, bytes(bad)))
                self.assertIn(done.returncode, (0, 1), bad)
                self.assertEqual(done.stderr.count("\n"), done.returncode, (bad, done.stderr))


if __name__ == "__main__":
    tool.main()
