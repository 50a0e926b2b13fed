"""script_copy.py - a copy of ./run in a folder of its own, among programs that write down how they were called.

A test program is a list of classes made from ScriptCase. It is run as `PROGRAM SOURCE_ROOT`, and ends with
`N passed, N failed`."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

ROOT = None  # set by main()


class ScriptCase(unittest.TestCase):
    tools = ""     # the system's own that the command under test needs
    programs = {}  # name: body, in the shell's language; $CALLS is the file to write to

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.bin = self.root / "bin"
        self.calls = self.root / "calls"
        self.calls.touch()
        shutil.copy(ROOT / "run", self.root / "run")
        for tool in self.tools.split():
            (self.bin / tool).parent.mkdir(exist_ok=True)
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name, body in self.programs.items():
            self.write(self.bin / name, body)
        (self.root / "build-release").mkdir()
        (self.root / "build-release" / "build.ninja").write_text(f"# {self.root}/\n")

    def write(self, path, body):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def call(self, *arguments, process=None, **variables):
        """process: what subprocess.run() is told beyond the usual, or otherwise."""
        return subprocess.run([self.root / "run", *arguments], **{
            "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 60, "cwd": self.root,
            "env": {"PATH": str(self.bin), "CALLS": str(self.calls), **variables}, **(process or {})})


def main():
    global ROOT
    ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    run_tests()
