#!/usr/bin/env python3
"""replay.py - what the log says of what was done, printed and followed."""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import time

import tool
from tool import ROWS, ToolCase, csv_rows, run


class Replay(ToolCase):
    LINE = re.compile(r"^(\d+) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([a-z_]+) (put|update|delete|clean_up) (.*)$")

    def setUp(self):
        super().setUp()
        self.begun = time.time()
        self.load("execution_patterns", ROWS)
        self.load("user_preferences", [{"preference_type": "t\n", "preference_value": "\x1b[1m"}])
        self.load("performance_metrics", [{"component_name": "c", "metric_value": 3.0}])

    def entries(self, *options):
        return [json.loads(line) for line in self.works("replay", self.directory, "--format", "jsonl", *options).splitlines()]

    def test_text_is_a_line_an_operation(self):
        lines = self.works("replay", self.directory).split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertEqual(len(lines), 7)
        found = [self.LINE.match(line).groups() for line in lines]
        self.assertEqual([entry[2] for entry in found], ["execution_patterns"] * 5 + ["user_preferences", "performance_metrics"])
        self.assertEqual(found[0][4], 'id=1 task_type="sort" pattern_used="radix" execution_time=0.5 success_rate=0.9 '
                                      'confidence_score=0.8 tools_used="[\\"a\\",\\"b\\"]" usage_count=10 external_id="p1"')
        self.assertIn('preference_type="t\\n" preference_value="\\u001b[1m"', found[5][4])

    def test_json_has_every_column_and_where_it_stands(self):
        entries = self.entries()
        self.assertEqual(len(entries), 7)
        first = entries[0]
        self.assertEqual((first["batch_index"], first["batch_count"], first["table"], first["operation"], first["id"]),
                         (0, 5, "execution_patterns", "put", 1))
        self.assertEqual({**dict.fromkeys(tool.PATTERN_COLUMNS), **ROWS[0]}, {**dict.fromkeys(tool.PATTERN_COLUMNS), **first["values"]})
        self.assertTrue(self.begun - 1 <= first["time"] <= time.time() + 1)
        self.assertTrue((self.directory / first["file"]).is_file())
        self.assertLess(first["offset"], (self.directory / first["file"]).stat().st_size)
        sequences = [entry["sequence"] for entry in entries]
        self.assertEqual(sequences, sorted(sequences))
        self.assertEqual(len(set(sequences)), 3)

    def test_bounds_are_included(self):
        one, two, three = sorted({entry["sequence"] for entry in self.entries()})
        times = {entry["sequence"]: entry["time"] for entry in self.entries()}

        def sequences(*options):
            return sorted({entry["sequence"] for entry in self.entries(*options)})

        self.assertEqual(sequences("--since", two), [two, three])
        self.assertEqual(sequences("--until", two), [one, two])
        self.assertEqual(sequences("--since", two, "--until", two), [two])
        self.assertEqual(sequences("--since", repr(times[two])), [two, three])
        self.assertEqual(sequences("--until", "@" + repr(times[two])), [one, two])
        self.assertEqual(sequences("--since", three + 1), [])
        self.assertEqual(sequences("--since", "2001-01-01"), [one, two, three])
        self.assertEqual(sequences("--until", "2001-01-01T12:00:00+02:00"), [])
        self.assertEqual(sequences("--table", "user_preferences"), [two])

    def follow(self, *options):
        follower = subprocess.Popen([tool.TOOL, "replay", self.directory, "--follow", "--format", "jsonl",
                                     *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (follower.kill(), follower.wait(), follower.stdout.close(), follower.stderr.close()))
        return follower

    def line(self, stream):
        """The next line of a process that may never write one."""
        line = b""
        while not line.endswith(b"\n"):
            self.assertTrue(select.select([stream], [], [], 60)[0], f"nothing came behind {line!r}")
            part = os.read(stream.fileno(), 1)
            self.assertTrue(part, f"the stream ended behind {line!r}")
            line += part
        return line.decode()

    def test_following_prints_what_comes_and_ends_where_told(self):
        follower = self.follow("--since", 4, "--until", 5)
        self.load("execution_patterns", [{"id": 100}])
        self.assertEqual(json.loads(self.line(follower.stdout))["id"], 100)
        self.load("execution_patterns", [{"id": 101}])
        self.assertEqual(json.loads(self.line(follower.stdout))["id"], 101)
        self.load("execution_patterns", [{"id": 102}])
        self.assertEqual(follower.wait(60), 0)
        self.assertEqual(follower.stdout.read(), b"")

    def test_a_follower_goes_on_behind_what_a_snapshot_took_out_of_the_log(self):
        follower = self.follow("--since", 4)
        self.load("execution_patterns", [{"id": 100}])
        self.assertEqual(json.loads(self.line(follower.stdout))["id"], 100)
        os.kill(follower.pid, signal.SIGSTOP)
        self.load("execution_patterns", [{"id": 101}])
        self.works("snapshot", self.directory)
        os.kill(follower.pid, signal.SIGCONT)
        self.assertIn(" is gone or cannot be read: a snapshot has taken its place", self.line(follower.stderr))
        self.load("execution_patterns", [{"id": 102}])
        self.assertEqual(json.loads(self.line(follower.stdout))["id"], 102)
        self.assertIsNone(follower.poll())

    def test_a_follower_ends_when_nobody_listens(self):
        follower = subprocess.Popen([tool.TOOL, "replay", self.directory, "--follow"], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
        time.sleep(0.3)
        follower.stdout.close()
        follower.wait(timeout=20)
        follower.stderr.close()

    def damage(self, entry):
        """A copy of the directory with eight bytes of an entry's record overwritten."""
        copy = self.folder / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.directory, copy)
        with open(copy / entry["file"], "r+b") as file:
            file.seek(entry["offset"] + 40)
            file.write(b"\xa5" * 8)
        return copy

    def test_a_torn_tail_is_marked_and_nothing_behind_it_is_shown(self):
        self.store_and_die("execution_patterns", b'{"id":100}\n' + b"\n" * (4 << 20) + b'{"id":101}\n', 101)
        whole = self.entries()
        self.assertEqual([entry["id"] for entry in whole[-2:]], [100, 101])
        self.assertLess(whole[-2]["sequence"], whole[-1]["sequence"])
        # nobody has said yet that the last commit is on stable storage: this is what a power cut may leave
        torn = self.damage(whole[-1])
        done = run("replay", torn, "--format", "jsonl")
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], whole[:-1])
        self.assertRegex(done.stderr, rf"\Aknackdb: replay: {torn}/{whole[-1]['file']}:{whole[-1]['offset']}: torn tail of "
                         r"[1-9]\d* bytes; the log ends here\n\Z")
        self.assertEqual(done.returncode, 0)
        # the rows before it are all there, and it is cut when someone writes
        self.assertEqual(len(csv_rows("execution_patterns", self.works("dump", torn, "execution_patterns"))), len(ROWS) + 1)
        done = run("import", torn, "execution_patterns", "-", "--format", "csv", given="id\n200\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["id"] for row in csv_rows("execution_patterns", self.works("dump", torn, "execution_patterns"))],
                         [row["id"] for row in ROWS] + [100, 200])

    def test_a_damaged_record_is_a_fault(self):
        whole = self.entries()
        for entry in whole[-2:]:
            damaged = self.damage(entry)
            done = run("replay", damaged, "--format", "jsonl")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, rf"\Aknackdb: replay: {damaged}/log-\S+: offset \d+: commit {entry['sequence']} "
                             r"is damaged( or missing)?; .*\n\Z")
            self.assertEqual([json.loads(line) for line in done.stdout.splitlines()],
                             [each for each in whole if each["sequence"] < entry["sequence"]])
            for command in ("dump", "query"):
                done = run(command, damaged, "execution_patterns")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, tool.COMPLAINT)

    def test_applied_to_an_empty_store_it_gives_the_same_dump(self):
        apply = pathlib.Path(os.environ.get("KNACKDB_BUILD_ROOT", "")) / "tests" / "replay_apply"
        if not apply.is_file():
            self.skipTest(f"replay_apply has not been built at {apply}")
        self.load("execution_patterns", [{"id": 2, "external_id": "p1", "task_type": "takes both rows' place"}, {"task_type": "n"}])
        self.load("user_preferences", [{"preference_type": "t\n", "preference_value": "\x1b[1m", "weight": 0.5}] * 3)
        self.load("performance_metrics", [{"metric_value": 3.0, "baseline_value": 2.0}])
        for table in tool.COLUMNS:
            sample = tool.CONVERTED / "sample" / f"{table}.csv"
            if sample.is_file():
                self.works("import", self.directory, table, sample)
        other = self.folder / "other"
        done = subprocess.run([apply, self.directory, other], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for table in tool.COLUMNS:
            self.assertEqual(self.works("dump", other, table), self.works("dump", self.directory, table), table)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    tool.main()
