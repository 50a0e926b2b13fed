#!/usr/bin/env python3
"""progress.py - the line on a terminal that says how far long work has come.

Work is long here because somebody makes it wait: a lease on a file (fcntl(2), F_SETLEASE) keeps whoever opens it until it
is given back. So a command stands still in the middle for as long as a test looks at what it shows, and no test hopes that it takes
long enough."""

import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import tool
from tool import SOURCE_ROOT, ToolCase, open_terminal, run

LINE = rb"\r%s(?: under way|(?: \d+ rows)?(?:,? \d+\.\d(?: of \d+\.\d)? MB read)?(?:,? \d+\.\d MB written)?)\x1b\[K"
NONE = b"\r\x1b[K"


class Held:
    """A file that nobody can open until it is let go."""

    def __init__(self, path):
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody wants it
        self.fd = os.open(path, os.O_RDWR)
        try:
            fcntl.fcntl(self.fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError as error:
            os.close(self.fd)
            raise unittest.SkipTest(f"no leases on this file system: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.let_go()

    def let_go(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Watched:
    """The tool with a terminal for standard error, and for standard output where that is wanted."""

    def __init__(self, *arguments, stdin=subprocess.DEVNULL, is_all=False, columns=80):
        self.master, slave = open_terminal()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = b""
        self.out = tempfile.TemporaryFile()
        self.process = subprocess.Popen([tool.TOOL, *map(str, arguments)], stdin=stdin, stdout=slave if is_all else self.out,
                                        stderr=slave)
        os.close(slave)

    def read(self, wait):
        """False at the end."""
        if not select.select([self.master], [], [], wait)[0]:
            return True
        try:
            part = os.read(self.master, 65536)
        except OSError:  # nobody has the other end any more
            part = b""
        self.shown += part
        return part != b""

    def wait_for(self, pattern):
        deadline = time.monotonic() + 60
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, (self.process.args, self.shown)
            if not self.read(1):
                raise AssertionError((self.process.args, "ended", self.shown))

    def end(self):
        """Exit status and standard output; all that was shown is in `shown`."""
        while self.read(60):
            pass
        os.close(self.master)
        status = self.process.wait()
        with self.out:
            self.out.seek(0)
            return status, self.out.read()


class Progress(ToolCase):
    def fill(self, rows):
        self.load("execution_patterns", [{"task_type": os.urandom(1000).hex()} for _ in range(rows)])

    def newest_log(self):
        return max(path for path in self.directory.glob("log-*.knl") if path.stat().st_size > 0)

    def store_with_a_log(self):
        """Some 2 MB in a part, and 0.2 MB in the log."""
        self.fill(1000)
        self.works("snapshot", self.directory)
        self.fill(100)
        return self.newest_log()

    def test_every_long_command_shows_a_line_and_takes_it_away(self):
        log = self.store_with_a_log()
        commands = {
            "verify": [self.directory],
            "repair": [self.directory, "--to", self.folder / "repaired"],
            "backup": [self.directory, self.folder / "copy"],
            "query": [self.directory, "execution_patterns", "--limit", 1],
            "replay": [self.directory],
            "stats": [self.directory],
            "dump": [self.directory, "execution_patterns"],
        }
        with Held(log):
            watched = {name: Watched(name, *arguments) for name, arguments in commands.items()}
            for name, one in watched.items():
                one.wait_for(LINE % name.encode())
        for name, one in watched.items():
            status, out = one.end()
            self.assertEqual(status, 0, (name, one.shown))
            self.assertNotEqual(out, b"", name)
            self.assertTrue(one.shown.endswith(NONE), (name, one.shown))
            rest = re.sub(LINE % b"(?:execution_patterns|%s)" % name.encode(), b"", one.shown)
            self.assertEqual(rest.replace(NONE, b""), b"", name)

    def test_so_do_those_that_write(self):
        old = self.folder / "old"
        shutil.copytree(SOURCE_ROOT / "tests" / "golden" / "version-1", old)
        with Held(self.store_with_a_log()), Held(max(old.glob("part-*"))):
            watched = [Watched("snapshot", self.directory), Watched("migrate", old)]
            for one in watched:
                one.wait_for(LINE % one.process.args[1].encode())
        for one in watched:
            self.assertEqual(one.end()[0], 0, one.shown)
            self.assertTrue(one.shown.endswith(NONE), one.shown)

    def test_verify_says_of_how_much(self):
        log = self.store_with_a_log()
        total = sum(path.stat().st_size for path in self.directory.iterdir())
        with Held(log):
            one = Watched("verify", self.directory)
            one.wait_for(rb"\rverify 2\.\d of %.1f MB read\x1b" % (total / 1e6))
        self.assertEqual(one.end()[0], 0)

    def test_the_line_is_no_longer_than_the_terminal_is_wide(self):
        log = self.store_with_a_log()
        with Held(log):
            one = Watched("verify", self.directory, columns=12)
            one.wait_for(rb"\rverify 2\.\d \x1b\[K|\rverify 2\.\d of.*\x1b")
        self.assertEqual(one.end()[0], 0)
        self.assertTrue(all(len(line) < 12 for line in re.findall(rb"\r([^\r\x1b]*)\x1b\[K", one.shown)), one.shown)

    def test_a_complaint_has_its_line_to_itself(self):
        log = self.store_with_a_log()
        content = bytearray(log.read_bytes())
        content[len(content) // 4] ^= 1
        log.write_bytes(content)
        with Held(log):
            one = Watched("verify", self.directory)
            one.wait_for(LINE % b"verify")
        self.assertEqual(one.end()[0], 1)
        self.assertRegex(one.shown, rb"\x1b\[K\r\x1b\[Kknackdb: verify: [^\r\n]+\r\n")

    def test_rows_on_the_same_terminal_end_it(self):
        log = self.store_with_a_log()
        with Held(log):
            watched = [Watched("query", self.directory, "execution_patterns", "--columns", "id", is_all=True),
                       Watched("dump", self.directory, "execution_patterns", is_all=True),
                       Watched("replay", self.directory, is_all=True)]
            for one in watched:
                one.wait_for(rb"\r%s [^\r]+\x1b\[K" % one.process.args[1].encode())
        for one in watched:
            self.assertEqual(one.end()[0], 0)
            line, rows = one.shown.split(NONE, 1)
            self.assertEqual(rows.count(b"\x1b"), 0, one.process.args)
            self.assertGreater(rows.count(b"\n"), 99, one.process.args)

    def test_there_is_none_where_it_is_no_terminal(self):
        with Held(self.store_with_a_log()) as held:
            process = subprocess.Popen([tool.TOOL, "verify", self.directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(0.8)  # a line that somebody shows by mistake would be there; too short a time finds nothing wrong
            held.let_go()
            out, shown = process.communicate(timeout=60)
        self.assertEqual((process.returncode, shown), (0, b""))
        self.assertIn(b"no fault", out)

    def test_import_tells_rows_and_what_is_read_of_the_file(self):
        rows = b"".join(b'{"task_type":"%s"}\n' % os.urandom(500).hex().encode() for _ in range(1000))
        one = Watched("import", self.directory, "execution_patterns", "-", "--format", "jsonl", "--skip-bad",
                      stdin=subprocess.PIPE)
        sent = 0
        while not re.search(rb"\rstored \d+ rows, \d+\.\d MB read, \d+\.\d MB written", one.shown):
            one.process.stdin.write(rows)
            one.process.stdin.flush()
            sent += 1000
            self.assertLess(sent, 1_000_000, one.shown)
            one.read(0.01)
        one.process.stdin.close()
        status, out = one.end()
        self.assertEqual(status, 0)
        self.assertIn(b"execution_patterns: %d rows in " % sent, out)
        self.assertTrue(one.shown.endswith(NONE), one.shown[-40:])

    def test_import_of_a_file_checks_it_first(self):
        self.fill(100)
        rows = "".join(json.dumps({"task_type": os.urandom(1000).hex()}) + "\n" for _ in range(1000))
        path = self.write("rows.jsonl", rows)
        with Held(self.newest_log()):
            one = Watched("import", self.directory, "execution_patterns", path)
            one.wait_for(rb"\rchecked 1000 rows, 2\.0 of %.1f MB read\x1b" % (len(rows) / 1e6))
        self.assertEqual(one.end()[0], 0, one.shown)
        self.assertEqual(run("query", self.directory, "execution_patterns", "--columns", "id").stdout.count("\r\n"), 1101)


if __name__ == "__main__":
    tool.main()
