#!/usr/bin/env python3
"""machine_to_machine.py - a directory written on one processor is the same store on another, to the bit of a float.

The tool of this machine (build/) and that of another (KNACKDB_TOOL, under qemu) take turns at a directory: what one
stored the other verifies, dumps to the same bytes and goes on writing, with the log alone and with snapshots."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

SOURCE = pathlib.Path(os.environ["KNACKDB_SOURCE_ROOT"])
HERE = str(SOURCE / "build" / "cli" / "knackdb")
THERE = os.environ["KNACKDB_TOOL"]
TABLE = "execution_patterns"


def run(tool, *arguments, given=None):
    done = subprocess.run([tool, *map(str, arguments)], input=given, capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{tool} {arguments}: {done.returncode}\n{done.stderr.decode()}")
    return done.stdout


def rows(first, count):
    """Numbers of every size, texts that repeat and texts that do not, and nothing at all."""
    return "".join(json.dumps({
        "id": i, "task_type": f"task {i % 7}", "pattern_used": None if i % 5 == 0 else f"é{i * 7919}",
        "execution_time": i / 3, "success_rate": (i % 100) / 99, "usage_count": (i * 2654435761) % (1 << 62),
        "tools_used": json.dumps([f"tool {i % 3}"]), "created_at": 1.7e9 + i * 0.37,
        "external_id": f"x{i}",
    }) + "\n" for i in range(first, first + count)).encode()


class MachineToMachine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = pathlib.Path(folder.name) / "memory.knack"

    def take_turns(self, first, second, snapshots):
        writers = [first, second, first, second]
        for turn, writer in enumerate(writers):
            run(writer, "import", self.directory, TABLE, "-", "--format", "jsonl", given=rows(1 + turn * 300, 300))
            if snapshots:
                run(writer, "snapshot", self.directory)
            dumps = [run(tool, "dump", self.directory, TABLE, "--format", "csv") for tool in (HERE, THERE)]
            self.assertEqual(dumps[0], dumps[1])
            self.assertEqual(dumps[0].count(b"\r\n"), 1 + (turn + 1) * 300)
            for tool in (HERE, THERE):
                run(tool, "verify", self.directory)
            replays = [run(tool, "replay", self.directory, "--format", "jsonl") for tool in (HERE, THERE)]
            self.assertEqual(replays[0], replays[1])

    def test_a_log_written_here_first(self):
        self.take_turns(HERE, THERE, snapshots=False)

    def test_a_log_written_there_first(self):
        self.take_turns(THERE, HERE, snapshots=False)

    def test_snapshots_written_here_first(self):
        self.take_turns(HERE, THERE, snapshots=True)

    def test_snapshots_written_there_first(self):
        self.take_turns(THERE, HERE, snapshots=True)

    def test_the_golden_directories(self):
        for golden in sorted(path for path in (SOURCE / "tests" / "golden").glob("version-*") if path.is_dir()):
            for tool in (HERE, THERE):
                shutil.copytree(golden, self.directory / tool[1:] / golden.name)
            copies = [self.directory / tool[1:] / golden.name for tool in (HERE, THERE)]
            texts = []
            for tool, copy in zip((HERE, THERE), copies):
                run(tool, "verify", copy)
                if golden.name == "version-1":
                    run(tool, "migrate", copy)
                texts.append(run(tool, "dump", copy, TABLE, "--format", "csv"))
            self.assertEqual(texts[0], texts[1], golden.name)


if __name__ == "__main__":
    run_tests()
