#!/usr/bin/env python3
"""commands.py - what each command answers when all is well. What the log says of it: replay.py."""

import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import termios
import time

import tool
from tool import ROWS, SOURCE_ROOT, ToolCase, csv_rows, open_terminal, parse_csv, run

ALL_COMMANDS = ["import", "dump", "replay", "query", "stats", "verify", "repair", "snapshot", "backup", "migrate", "bench"]


class Help(ToolCase):
    def test_the_overview_names_every_command_and_each_has_its_own(self):
        overview = self.works("--help")
        self.assertEqual(self.works("help"), overview)
        self.assertEqual(self.works("-h"), overview)
        self.assertEqual(re.findall(r"^  ([a-z]+) ", overview, re.M), ALL_COMMANDS)
        for command in ALL_COMMANDS:
            text = self.works(command, "--help")
            self.assertTrue(text.startswith(f"Usage: knackdb {command}"), text)
            self.assertEqual(self.works("help", command), text)
            self.assertEqual(self.works(command, "-h", "--no-such-option"), text)
            self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_the_version_is_the_projects(self):
        version = re.search(r"^  version: '([^']+)'", (SOURCE_ROOT / "meson.build").read_text(), re.M).group(1)
        self.assertEqual(self.works("--version"), f"knackdb {version}\n")

    def test_the_manual_knows_every_command_and_option(self):
        page = SOURCE_ROOT / "cli" / "knackdb.1"
        if shutil.which("mandoc"):
            found = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True)
            self.assertEqual(found.stdout, "")
        source = page.read_text()
        for command in ALL_COMMANDS:
            self.assertTrue(f".Cm {command}\n" in source, f"{page}: {command} is not there")
            for option in re.findall(r"--([a-z-]+)", self.works(command, "--help")):
                self.assertTrue(f"Fl -{option}" in source, f"{page}: {command} --{option} is not there")


class Import(ToolCase):
    def imported(self, name, content, table="execution_patterns", *options):
        self.works("import", self.directory, table, self.write(name, content), *options)
        return self.dump(table)

    def test_columns_come_in_any_order_and_number(self):
        rows = self.imported("rows.csv", "usage_count,task_type\n3,a\n,b\n")
        self.assertEqual([(row["id"], row["task_type"], row["usage_count"]) for row in rows], [(1, "a", 3), (2, "b", None)])

    def test_line_ends_a_byte_order_mark_and_blank_lines_are_taken_as_they_come(self):
        rows = self.imported("rows.csv", b"\xef\xbb\xbfid,task_type\n\n1,a\r\n\r\n2,b\n3,\"c\nd\"\r\n\n4,e")
        self.assertEqual([row["task_type"] for row in rows], ["a", "b", "c\nd", "e"])
        self.directory = self.folder / "other"
        rows = self.imported("rows.jsonl", b'\xef\xbb\xbf{"id":1}\r\n\n  \n {"id":2} \n{"id":3}')
        self.assertEqual([row["id"] for row in rows], [1, 2, 3])

    def test_a_file_of_one_column_holds_null_where_its_line_is_blank(self):
        rows = self.imported("rows.csv", "task_type\na\n\n\"\"\n")
        self.assertEqual([row["task_type"] for row in rows], ["a", None, ""])

    def test_numbers_are_read_as_sqlite_would_and_exactly(self):
        rows = self.imported("rows.csv", "usage_count,created_at\n1.0,1\n1e3,.5\n-0,-0\n 7 ,1e21\n9223372036854775807,\"5\"\n")
        self.assertEqual([row["usage_count"] for row in rows], [1, 1000, 0, 7, 2 ** 63 - 1])
        self.assertEqual([row["created_at"].hex() for row in rows], [x.hex() for x in (1.0, 0.5, -0.0, 1e21, 5.0)])

    def test_an_empty_file_of_rows_makes_an_empty_store(self):
        self.assertEqual(self.imported("rows.csv", "id,task_type\r\n"), [])
        self.assertEqual(self.imported("rows.jsonl", ""), [])
        self.works("verify", self.directory)

    def test_nested_json_is_kept_as_its_text(self):
        rows = self.imported("rows.jsonl", '{"tools_used": [ "a", "b c" ], "context_factors": {"k": [1.50, null, "\\u00e9"]}}')
        self.assertEqual(rows[0]["tools_used"], '["a","b c"]')
        self.assertEqual(rows[0]["context_factors"], '{"k":[1.50,null,"\\u00e9"]}')

    def test_an_id_that_is_there_is_replaced_and_the_last_of_a_file_stays(self):
        self.load("execution_patterns", ROWS)
        rows = self.imported("rows.csv", "id,task_type\n1,first\n2,second\n1,third\n,new\n0,newer\n")
        self.assertEqual([(row["id"], row["task_type"]) for row in rows],
                         [(1, "third"), (2, "second"), (3, "search"), (4, None), (10, "less often"), (11, "new"),
                          (12, "newer")])
        self.assertIsNone(rows[0]["external_id"])

    def test_an_external_id_that_is_there_is_replaced(self):
        self.load("execution_patterns", ROWS)
        rows = self.imported("rows.csv", "external_id,task_type\np1,again\np2,new\n")
        self.assertEqual([(row["id"], row["external_id"], row["task_type"]) for row in rows if row["external_id"]],
                         [(1, "p1", "again"), (11, "p2", "new")])

    def test_a_preference_that_is_there_adds_up(self):
        content = "preference_type,preference_value,weight,usage_count,last_used\nt,v,0.5,3,10\nt,v,0.7,4,20\nt,w,1,,5\n"
        rows = self.imported("rows.csv", content, "user_preferences")
        self.assertEqual([(row["preference_value"], row["weight"], row["usage_count"], row["last_used"]) for row in rows],
                         [("v", 0.7, 7, 20.0), ("w", 1.0, None, 5.0)])

    def test_an_improvement_that_is_null_is_computed(self):
        rows = self.imported("rows.csv", "metric_value,baseline_value,improvement_percentage\n12,-10,\n1,0,\n1,2,7\n",
                             "performance_metrics")
        self.assertEqual([row["improvement_percentage"] for row in rows], [(12 - -10) / abs(-10) * 100, None, 7.0])

    def test_the_format_option_outweighs_the_name(self):
        rows = self.imported("rows.csv", '{"id":5}', "execution_patterns", "--format=jsonl")
        self.assertEqual([row["id"] for row in rows], [5])
        self.works("import", self.directory, "execution_patterns", "-", "--format", "csv", given="id\n6\n")
        self.assertEqual([row["id"] for row in self.dump("execution_patterns")], [5, 6])

    def test_standard_input_may_be_packed(self):
        packed = subprocess.run(["gzip", "-c"], input=b"id\n6\n", capture_output=True, check=True).stdout
        self.works("import", self.directory, "execution_patterns", "-", "--format", "csv", given=packed)
        self.assertEqual([row["id"] for row in self.dump("execution_patterns")], [6])

    def test_a_pipe_is_read_like_a_file(self):
        os.mkfifo(self.folder / "pipe.csv")
        text = "id,task_type\n" + "".join(f"{i},t\n" for i in range(1, 50001))
        source = self.write("rows.csv", text)
        writer = subprocess.Popen(["sh", "-c", f"exec cat {source} > {self.folder}/pipe.csv"])
        self.works("import", self.directory, "execution_patterns", self.folder / "pipe.csv")
        self.assertEqual(writer.wait(), 0)
        self.assertEqual(len(self.dump("execution_patterns")), 50000)

    def test_directory_and_files_are_their_owners_alone(self):
        self.load("execution_patterns", ROWS)
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)
        for path in self.directory.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_rows_longer_than_the_window_and_many_batches(self):
        rows = [{"id": i, "task_type": f"t{i}", "context_factors": "x" * (3_000_000 if i % 700 == 0 else i % 50)}
                for i in range(1, 3001)]
        self.load("execution_patterns", rows)
        self.same(self.dump("execution_patterns"), [{**dict.fromkeys(tool.PATTERN_COLUMNS), **row} for row in rows])
        text = self.works("dump", self.directory, "execution_patterns")
        self.directory = self.folder / "other"
        self.works("import", self.directory, "execution_patterns", self.write("rows.csv", text))
        self.assertEqual(self.works("dump", self.directory, "execution_patterns"), text)


class Query(ToolCase):
    def setUp(self):
        super().setUp()
        self.load("execution_patterns", ROWS)

    def ids(self, *options, table="execution_patterns"):
        text = self.works("query", self.directory, table, "--columns", "id", *options)
        return [int(values[0]) for values in parse_csv(text)[1:]]

    def where(self, *conditions):
        return self.ids(*[part for condition in conditions for part in ("--where", condition)])

    def test_conditions_select(self):
        self.assertEqual(self.where(), [1, 2, 3, 4, 10])
        self.assertEqual(self.where("task_type = sort"), [1, 2])
        self.assertEqual(self.where("task_type = 'sort'", "success_rate >= 0.9"), [1])
        self.assertEqual(self.where("task_type != sort"), [3, 10])
        self.assertEqual(self.where("task_type = less often"), [10])
        self.assertEqual(self.where("task_type in (sort, 'less often')"), [1, 2, 10])
        self.assertEqual(self.where("task_type is null"), [4])
        self.assertEqual(self.where("task_type is not null"), [1, 2, 3, 10])
        self.assertEqual(self.where("pattern_used = ''"), [3])
        self.assertEqual(self.where("pattern_used = 'it''s'"), [4])
        self.assertEqual(self.where("tools_used contains b"), [1, 2])
        self.assertEqual(self.where("tools_used contains a"), [1])
        self.assertEqual(self.where("execution_time < 0.75"), [1, 10])
        self.assertEqual(self.where("execution_time <= -2"), [10])
        self.assertEqual(self.where("usage_count > 9007199254740992"), [4])
        self.assertEqual(self.where("usage_count = 9007199254740992"), [])
        self.assertEqual(self.where("id in (1, 10, 77)"), [1, 10])
        self.assertEqual(self.where("id = 2"), [2])
        self.assertEqual(self.where("success_rate = 0"), [3])
        self.assertEqual(self.where("external_id = p1"), [1])

    def test_order_limit_and_offset(self):
        self.assertEqual(self.ids("--order-by", "execution_time"), [3, 4, 10, 1, 2])
        self.assertEqual(self.ids("--order-by", "execution_time:desc"), [2, 1, 10, 3, 4])
        self.assertEqual(self.ids("--order-by", "task_type:desc,id:desc"), [2, 1, 3, 10, 4])
        self.assertEqual(self.ids("--order-by=task_type:desc", "--order-by=id:desc", "--limit=2"), [2, 1])
        self.assertEqual(self.ids("--limit", "2", "--offset", "1"), [2, 3])
        self.assertEqual(self.ids("--limit", "0"), [])
        self.assertEqual(self.ids("--offset", "99"), [])
        # 1: Wilson(0.9, 10) * 0.8 = 0.477; 2: Wilson(0.5, 100) = 0.404; the others 0
        self.assertEqual(self.ids("--order-by", "score", "--limit", 2), [1, 2])
        self.assertEqual(self.ids("--order-by", "score:asc", "--limit", 1, "--where", "success_rate > 0"), [2])

    def test_forms(self):
        text = self.works("query", self.directory, "execution_patterns", "--columns", "pattern_used,id", "--limit", 3)
        self.assertEqual(text, 'pattern_used,id\r\nradix,1\r\nquick,2\r\n"",3\r\n')
        text = self.works("query", self.directory, "execution_patterns", "--columns", "task_type,execution_time",
                          "--format", "jsonl", "--where", "id > 3")
        self.assertEqual(text, '{"task_type":null,"execution_time":null}\n{"task_type":"less often","execution_time":-2.0}\n')
        text = self.works("query", self.directory, "execution_patterns", "--format", "table", "--columns",
                          "id,task_type,execution_time,pattern_used")
        self.assertEqual(text, "id  task_type   execution_time  pattern_used\n"
                               "--  ----------  --------------  ------------\n"
                               " 1  sort                   0.5  radix\n"
                               " 2  sort                     1  quick\n"
                               " 3  search                NULL  \n"
                               " 4  NULL                  NULL  it's\n"
                               "10  less often              -2  NULL\n"
                               "(5 rows)\n")

    def on_terminal(self, columns, *arguments):
        """Runs the tool with a terminal of so many columns for standard output."""
        master, slave = open_terminal()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([tool.TOOL, *map(str, arguments)], stdout=slave, stderr=slave)
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(master)
        self.assertEqual(process.wait(), 0)
        return text.decode().replace("\r\n", "\n")

    def test_a_table_in_a_file_is_as_wide_as_its_rows(self):
        self.load("execution_patterns", [{"id": 20, "context_factors": "x" * 500}])
        text = self.works("query", self.directory, "execution_patterns", "--where", "id = 20", "--format", "table",
                          "--columns", "id,context_factors")
        self.assertIn("x" * 500 + "\n", text)

    def test_a_terminal_gets_a_table_as_wide_as_it_is(self):
        self.load("execution_patterns", [
            {"id": 20, "task_type": "日本語テスト", "context_factors": "x" * 500},
            {"id": 21, "task_type": "\x1b[2Jgone\n", "context_factors": "é" * 5},
        ])
        for columns in (40, 60, 100):
            text = self.on_terminal(columns, "query", self.directory, "execution_patterns", "--where", "id >= 20",
                                    "--columns", "id,task_type,context_factors")
            lines = text.splitlines()
            self.assertEqual(len(lines), 5)
            self.assertEqual(lines[-1], "(2 rows)")
            self.assertEqual(len(lines[1]), columns, "the rule is as wide as the terminal")
            self.assertIn("日本語", lines[2])
            self.assertTrue(lines[2].endswith("…"))
            self.assertNotIn("\x1b", text)
            self.assertIn("\\u001b[2Jgone\\n"[:len("\\u001b[")], lines[3])
        wide = self.on_terminal(60, "query", self.directory, "execution_patterns")
        self.assertIn("9007199254740993", wide, "numbers are never cut")
        self.assertEqual(wide.splitlines()[0].split(), tool.PATTERN_COLUMNS, "nor are names")

    def test_a_pipe_gets_the_bytes_and_no_progress(self):
        self.load("execution_patterns", [{"id": 21, "task_type": "\x1b[2Jgone\n"}])
        text = self.works("query", self.directory, "execution_patterns", "--where", "id = 21", "--columns", "task_type")
        self.assertEqual(text, 'task_type\r\n"\x1b[2Jgone\n"\r\n')


class Others(ToolCase):
    def setUp(self):
        super().setUp()
        self.load("execution_patterns", ROWS)

    def test_stats_for_people_and_programs(self):
        text = self.works("stats", self.directory)
        self.assertTrue(text.startswith(f"{self.directory}: ok; schema version 2\n"), text)
        self.assertRegex(text, r"\n  execution_patterns +5 +5 +\S+ \S+\n")
        stats = json.loads(self.works("stats", self.directory, "--json"))
        header = (SOURCE_ROOT / "include" / "knackdb.h").read_text()
        body = re.search(r"typedef struct knackdb_stats \{(.*?)\} knackdb_stats;", header, re.S).group(1)
        fields = re.findall(r"(\w+)(?:\[\w+\])?;", re.sub(r"/\*.*?\*/", "", body))
        self.assertEqual(list(stats), [field for field in fields if field != "struct_size"])
        self.assertEqual(stats["tables"]["execution_patterns"]["row_count"], 5)
        self.assertEqual(stats["state"], "ok")
        self.assertEqual(stats["snapshot_sequence"], 0)
        self.works("snapshot", self.directory)
        stats = json.loads(self.works("stats", self.directory, "--json"))
        self.assertGreater(stats["snapshot_sequence"], 0)
        self.assertGreater(stats["snapshot_bytes"], 0)
        self.assertIn("up to commit", self.works("stats", self.directory))

    def test_a_snapshot_says_how_far_it_reaches(self):
        self.assertRegex(self.works("snapshot", self.directory), r"\Aup to commit [1-9]\d*: [1-9]\d* bytes in [0-9.]+ s\n\Z")

    def test_verify_reads_all_and_names_each_fault(self):
        self.works("snapshot", self.directory)
        self.load("execution_patterns", [{"id": 50}])
        self.assertRegex(self.works("verify", self.directory),
                         r"\A[1-9]\d* files, [1-9]\d* bytes, \d+ log records, [1-9]\d* snapshot blocks: no fault\n\Z")
        before = tool.digest(self.directory)
        largest = None
        for path in sorted(path for path in self.directory.rglob("*") if path.is_file() and path.stat().st_size > 0):
            damaged = self.folder / "damaged"
            shutil.copytree(self.directory, damaged)
            victim = damaged / path.relative_to(self.directory)
            content = bytearray(victim.read_bytes())
            used = len(bytes(content).rstrip(b"\0")) or 1
            content[used // 2] ^= 0x10
            victim.write_bytes(content)
            done = run("verify", damaged)
            if done.returncode != 0:
                largest = victim
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr.splitlines()[0], rf"\Aknackdb: verify: {damaged}/\S+?(:\d+)?: .+\Z")
            shutil.rmtree(damaged)
        self.assertIsNotNone(largest, "no fault was found in any file")
        self.assertEqual(tool.digest(self.directory), before)

    def damaged_copy(self):
        """A copy in which one row of three in the log is damaged."""
        self.load("execution_patterns", [{"id": 50, "task_type": "whole"}])
        self.load("execution_patterns", [{"id": 51, "task_type": "to be lost"}])
        self.load("execution_patterns", [{"id": 52, "task_type": "whole"}])
        copy = self.folder / "damaged"
        shutil.copytree(self.directory, copy)
        hit = [path for path in copy.glob("log-*") if b"to be lost" in path.read_bytes()]
        self.assertEqual(len(hit), 1)
        hit[0].write_bytes(hit[0].read_bytes().replace(b"to be lost", b"to be Lost"))
        return copy, hit[0]

    def test_repair_saves_the_rest_and_names_what_was_lost(self):
        copy, hit = self.damaged_copy()
        self.fails(1, str(hit), "dump", copy, "execution_patterns")
        before = tool.digest(copy)
        new = self.folder / "new"
        done = run("repair", copy, "--to", new)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"\Aknackdb: repair: {hit}:\d+: lost: commit \d+ is damaged\n\Z")
        self.assertRegex(done.stdout, r"\A7 rows saved, up to commit \d+; lost: 1 commits, 0 blocks, 0 rows, 0 values "
                                      r"\(1 losses, \d+ bytes\)\n\Z")
        self.assertEqual(tool.digest(copy), before)
        rows = tool.csv_rows("execution_patterns", self.works("dump", new, "execution_patterns"))
        self.same(rows, [row for row in self.dump("execution_patterns") if row["id"] != 51])
        self.assertIn("no fault", self.works("verify", new))
        self.fails(2, f"{new}: the directory is not empty; name one that is", "repair", copy, "--to", new)

    def test_repair_of_a_sound_directory_copies_it(self):
        self.assertRegex(self.works("repair", self.directory, "--to", self.folder / "new"),
                         r"\A5 rows saved, up to commit \d+; nothing was lost\n\Z")
        self.assertEqual(self.works("dump", self.folder / "new", "execution_patterns"),
                         self.works("dump", self.directory, "execution_patterns"))

    def test_backup_beside_a_writer(self):
        copy = self.folder / "copy"

        def back_up(writer):
            self.assertRegex(self.works("backup", self.directory, copy), r"\A6 rows, up to commit \d+, copied and checked\n\Z")
            self.assertIsNone(writer.poll())

        self.store_and_die("execution_patterns", b'{"id":100}\n', 100, back_up)
        self.assertEqual(self.works("dump", copy, "execution_patterns"),
                         self.works("dump", self.directory, "execution_patterns"))
        self.assertIn("no fault", self.works("verify", copy))
        self.fails(2, f"{copy}: the directory is not empty", "backup", self.directory, copy)

    def test_an_interrupted_dump_leaves_nothing(self):
        self.load("performance_metrics", [{"component_name": f"component {i % 7}", "metric_value": i / 3}
                                          for i in range(60_000)])
        target = self.folder / "metrics.csv"
        interrupted = 0
        for number in (signal.SIGINT, signal.SIGTERM) * 20:
            dump = subprocess.Popen([tool.TOOL, "dump", self.directory, "performance_metrics", "-o", target],
                                    stderr=subprocess.PIPE, text=True)
            while dump.poll() is None and not list(self.folder.glob("*.part-*")):
                pass
            dump.send_signal(number)
            complaint = dump.communicate(timeout=60)[1]
            self.assertEqual(list(self.folder.glob("*.part-*")), [])
            if dump.returncode == -number:
                self.assertFalse(target.exists())
                self.assertEqual(complaint, "knackdb: interrupted: the unfinished file was removed\n")
                interrupted += 1
            target.unlink(missing_ok=True)
            if interrupted == 4:
                break
        self.assertGreater(interrupted, 0, "every dump was done before it could be interrupted")

    def test_migrate_has_nothing_to_do_with_a_current_directory(self):
        before = tool.digest(self.directory)
        self.assertEqual(self.works("migrate", self.directory, "--dry-run"), "schema version 2 already; nothing to do\n")
        self.assertEqual(tool.digest(self.directory), before)
        self.works("migrate", self.directory)
        self.assertEqual([row["id"] for row in self.dump("execution_patterns")], [1, 2, 3, 4, 10])

    def test_reading_changes_nothing(self):
        before = tool.digest(self.directory)
        for command in (["dump", self.directory, "execution_patterns"], ["query", self.directory, "execution_patterns"],
                        ["replay", self.directory], ["stats", self.directory], ["verify", self.directory],
                        ["migrate", self.directory, "--dry-run"]):
            self.works(*command)
            self.assertEqual(tool.digest(self.directory), before, command)

    def test_bench_measures_and_leaves_nothing(self):
        place = self.folder / "here"
        place.mkdir()
        text = self.works("bench", "--rows", 2000, "--in", place)
        self.assertTrue(text.startswith("2000 execution patterns, as many metrics, one thread, log on, durability async"))
        figures = re.findall(r"^(\S.*?) {2,}(\d+)" + r" +([\d.]+)" * 5 + "$", text, re.M)
        whole = {"store one": 1000, "store a batch of 100, all or nothing": 10, "store a batch of 100 metrics": 20,
                 "snapshot": 1, "close, then open again and read a row": 1, "clean up the older half of the patterns": 1}
        timed = {"read a whole row by random id": 2000, "find 10 of a task, 2 bounds, by confidence": 2000,
                 "the same question again": 2000, "the same question after a store": 500,
                 "the newest 100 values of a metric": 2000, "mean by task type over all rows": 20,
                 "set a pattern's weight": 2000}  # or fewer, where their time is up before
        self.assertEqual({name for name, *_ in figures}, whole.keys() | timed.keys())
        for name, count, mean, *rising in figures:
            if name in whole:
                self.assertEqual(int(count), whole[name], name)
            else:
                self.assertIn(int(count), range(1, timed[name] + 1), name)
            values = [float(value) for value in rising]
            self.assertEqual(values, sorted(values), name)
            self.assertGreater(float(mean), 0, name)
        self.assertEqual(list(place.iterdir()), [])

    def test_bench_interrupted_leaves_nothing(self):
        place = self.folder / "here"
        place.mkdir()
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            running = subprocess.Popen([tool.TOOL, "bench", "--rows", "10000000", "--in", place],
                                       stdout=subprocess.DEVNULL,  # and not ignored, as it is in the background
                                       preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
            deadline = time.monotonic() + 60  # only for what hangs
            while not list(place.glob("*/log-*")) and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            running.send_signal(number)
            self.assertEqual(running.wait(timeout=60), -number)
            self.assertEqual(list(place.iterdir()), [])


class Moments(ToolCase):
    """The store as it was."""

    def test_dump_as_of_a_commit_and_a_time(self):
        self.load("execution_patterns", [{"id": 1, "task_type": "old"}])
        time.sleep(0.05)
        between = time.time()
        time.sleep(0.05)
        self.load("execution_patterns", [{"id": 1, "task_type": "new"}, {"id": 2}])
        first = json.loads(self.works("replay", self.directory, "--format", "jsonl").splitlines()[0])["sequence"]
        for moment in (str(first), f"seq:{first}", repr(between), f"@{between!r}"):
            dumped = self.works("dump", self.directory, "execution_patterns", "--as-of", moment)
            self.assertEqual([(row["id"], row["task_type"]) for row in csv_rows("execution_patterns", dumped)],
                             [(1, "old")])
            asked = self.works("query", self.directory, "execution_patterns", "--columns", "id,task_type", "--as-of", moment)
            self.assertEqual(asked.splitlines()[1:], ["1,old"])

    def test_a_moment_that_is_not_kept(self):
        self.load("execution_patterns", [{"id": 1, "task_type": "old"}])
        self.load("execution_patterns", [{"id": 2, "task_type": "new"}])
        self.works("snapshot", self.directory)
        self.load("execution_patterns", [{"id": 3}])
        for command in ("dump", "query"):
            done = run(command, self.directory, "execution_patterns", "--as-of", "1")
            self.assertEqual(done.returncode, 1)
            self.assertIn("commit 1 is not kept any more: the oldest moment that is kept is commit", done.stderr)
            done = run(command, self.directory, "execution_patterns", "--as-of", "1000")
            self.assertEqual(done.returncode, 1)
            self.assertIn("commit 1000 has not happened", done.stderr)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    tool.main()
