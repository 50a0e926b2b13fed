#!/usr/bin/env python3
"""snapshots.py SNAPSHOTS - the benchmark of snapshots, at a size at which no figure counts: it works where it is told
to, answers its three questions, and leaves nothing, even when it is killed."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

SNAPSHOTS = None
PATIENCE_S = 120  # only for what hangs


class Snapshots(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)

    def wait_until(self, what, is_so):
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            self.assertLess(time.monotonic(), deadline, f"never: {what}")
            time.sleep(0.01)

    def test_three_questions_are_answered_and_nothing_is_left(self):
        done = subprocess.run([SNAPSHOTS, "--rows", "20000", "--log-mib", "1", "--directory", self.place],
                              capture_output=True, text=True, timeout=280)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines() if line[:1] != " "][1:],
                         ["ingest", "change", "latency"])
        self.assertEqual(list(self.place.iterdir()), [])

    def test_killed_in_the_middle_it_leaves_nothing_in_the_temporary_folder(self):
        for number in signal.SIGTERM, signal.SIGKILL:
            running = subprocess.Popen([SNAPSHOTS, "--rows", "100000000", "--log-mib", "1"],
                                       env={**os.environ, "TMPDIR": str(self.place)}, stdout=subprocess.DEVNULL)
            try:
                self.wait_until("a part is written", lambda: list(self.place.glob("**/part-*")) or running.poll())
                self.assertIsNone(running.poll())
            finally:
                running.send_signal(number)
                running.wait()
            self.assertEqual(running.returncode, -number)
            self.wait_until("the folder is empty again", lambda: not list(self.place.iterdir()))


if __name__ == "__main__":
    SNAPSHOTS = sys.argv.pop(1)
    run_tests()
