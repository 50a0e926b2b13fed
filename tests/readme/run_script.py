#!/usr/bin/env python3
"""run_script.py SOURCE_ROOT - what `./run bench` installs, and what it does not: a copy of the script among programs
that write down how they were called."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = None
TOOLS = "sh env cat head grep rm mktemp dirname id printf true"
SCRIPTS = {
    "apt-get": 'echo "apt-get $*" >>"$CALLS"',
    "apt-cache": "",
    "dpkg-query": "exit 1",  # nothing is installed
    "meson": "echo 1.0",
    "ninja": "echo no work to do",
    "cc": "",
    "git": "exit 1",  # a machine that the repository was copied to needs none
}


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.bin = self.root / "bin"
        self.calls = self.root / "calls"
        self.calls.touch()
        shutil.copy(ROOT / "run", self.root / "run")
        for tool in TOOLS.split():
            (self.bin / tool).parent.mkdir(exist_ok=True)
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name, body in SCRIPTS.items():
            self.write(self.bin / name, body)
        self.write(self.bin / "id", "echo 0")
        self.write(self.root / "build-release" / "benchmarks" / "bench", 'echo "measured: $*"')
        (self.root / "build-release" / "build.ninja").write_text(f"# {self.root}/\n")

    def write(self, path, body):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def bench(self, *arguments):
        done = subprocess.run([self.root / "run", "bench", *arguments], capture_output=True, text=True, timeout=60,
                              env={"PATH": str(self.bin), "CALLS": str(self.calls)})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("measured: ", done.stdout)
        return done.stderr

    def test_peers_are_installed_where_they_are_missing(self):
        self.bench("--quick")
        self.assertIn("librocksdb-dev", self.calls.read_text())

    def test_asked_for_help_it_installs_no_peers(self):
        for arguments in ["--help"], ["--quick", "-h"]:
            self.bench(*arguments)
            self.assertNotIn("librocksdb-dev", self.calls.read_text())

    def test_where_packages_cannot_be_asked_for_none_is_said_to_be_left_out(self):
        (self.bin / "dpkg-query").unlink()
        (self.bin / "apt-get").unlink()
        self.assertNotIn("left out", self.bench("--quick"))


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Bench)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    sys.stdout.flush()
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
