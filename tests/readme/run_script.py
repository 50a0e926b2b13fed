#!/usr/bin/env python3
"""run_script.py SOURCE_ROOT - what `./run bench` installs, and what it does not."""

from script_copy import ScriptCase, main


class Bench(ScriptCase):
    tools = "sh env cat head grep rm mktemp dirname python3 printf true"
    programs = {
        "apt-get": 'echo "apt-get $*" >>"$CALLS"',
        "apt-cache": "",
        "dpkg-query": "exit 1",  # nothing is installed
        "meson": "echo 1.0",
        "ninja": "echo no work to do",
        "cc": "",
        "git": "exit 1",
        "id": "echo 0",
    }

    def setUp(self):
        super().setUp()
        self.write(self.root / "build-release" / "benchmarks" / "bench", 'echo "measured: $*"')

    def bench(self, *arguments):
        done = self.call("bench", *arguments)
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
    main()
