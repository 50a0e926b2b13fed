#!/usr/bin/env python3
"""operating.py - what whoever looks after a store does and meets, beyond what the documents show: a half-made copy, rights that
are missing, a directory exchanged under a follower, a disk that fills."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess

import tool
from tool import ROWS, ToolCase, run


class History(ToolCase):
    """The commands that write take no moment away that the agent's program has kept."""

    def keep_history(self, commits):
        program = pathlib.Path(os.environ.get("KNACKDB_BUILD_ROOT", "")) / "tests" / "keep_history"
        if not program.is_file():
            self.skipTest(f"keep_history has not been built at {program}")
        done = subprocess.run([program, self.directory, str(commits)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_import_and_snapshot_keep_every_moment(self):
        self.keep_history(50)
        for _ in range(3):
            self.load("execution_patterns", [{"id": 2, "task_type": os.urandom(50_000).hex()}])  # more than there is so far
            self.works("snapshot", self.directory)
        for commit in (1, 7, 50):
            rows = self.dump("execution_patterns", "--as-of", commit)
            self.assertEqual([row["usage_count"] for row in rows], [commit])
        replayed = self.works("replay", self.directory, "--format", "jsonl").splitlines()
        self.assertEqual(json.loads(replayed[0])["sequence"], 1)

    def test_where_there_is_none_none_is_begun(self):
        for _ in range(3):
            self.load("execution_patterns", ROWS)
            self.works("snapshot", self.directory)
        self.assertEqual([path.name for path in self.directory.glob("past-*")], [])


class Modes(ToolCase):
    """Who may read a store may read what the commands that write add to it."""

    def test_import_and_snapshot_make_files_as_those_that_are_there(self):
        self.load("execution_patterns", ROWS)
        self.works("snapshot", self.directory)
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.directory.iterdir()}, {0o600})
        for path in self.directory.iterdir():
            path.chmod(0o640)  # as of a program whose option says so
        for _ in range(2):
            self.load("execution_patterns", ROWS)
            self.works("snapshot", self.directory)
        self.load("execution_patterns", ROWS)
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.directory.iterdir()}, {0o640})


class HalfACopy(ToolCase):
    """A backup that was cut off leaves parts that no manifest names. Nobody may take it for a store, or for all of one."""

    def setUp(self):
        super().setUp()
        self.load("execution_patterns", ROWS)
        self.works("snapshot", self.directory)
        for path in [*self.directory.glob("manifest-*"), *self.directory.glob("log-*")]:
            path.unlink()

    def test_each_command_says_what_it_is(self):
        for command in (["stats"], ["replay"], ["migrate"], ["snapshot"], ["query", "execution_patterns"]):
            self.fails(1, f"{command[0]}: {self.directory}: there are rows here, but no manifest", command[0], self.directory,
                       *command[1:])
        done = run("verify", self.directory)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith(f"knackdb: verify: {self.directory}/manifest-*.knm:0: there are rows here, "
                                               "but no manifest"), done.stderr)
        self.assertTrue(done.stdout.endswith(": 1 fault\n"), done.stdout)

    def test_repair_does_not_call_it_all(self):
        to = self.folder / "new"
        done = run("repair", self.directory, "--to", to)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Aknackdb: repair: .*: lost: the manifest: there is none, so parts may be missing .*\n\Z")
        self.assertRegex(done.stdout, rf"\A{len(ROWS)} rows saved, up to commit 1; lost: ")
        self.works("verify", to)


class Places(ToolCase):
    def test_a_copy_within_the_directory_itself_is_refused(self):
        self.load("execution_patterns", ROWS)
        (self.directory / "more").mkdir()
        (self.folder / "link").symlink_to(self.directory)
        for to in (self.directory / "copy", self.directory / "more" / "copy", self.folder / "link" / "copy"):
            why = f"{to}: lies in {self.directory} itself; name a directory outside"
            self.fails(2, f"knackdb: backup: {why}", "backup", self.directory, to)
            self.fails(2, f"knackdb: repair: {why}", "repair", self.directory, "--to", to)
        beside = pathlib.Path(f"{self.directory}-copy")
        self.works("backup", self.directory, beside)
        self.works("repair", self.directory, "--to", self.folder / "mended")


class Rights(ToolCase):
    def setUp(self):
        super().setUp()
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            self.skipTest("root may read everything, and there is no setpriv")
        self.load("execution_patterns", ROWS)
        self.works("snapshot", self.directory)

    def test_a_file_that_must_not_be_read_is_named_once(self):
        self.folder.chmod(0o755)
        self.directory.chmod(0o755)
        manifest = next(self.directory.glob("manifest-*"))
        manifest.chmod(0)
        # Root stays root, so that it finds the library in its own folder, and without what opens every file to it.
        rights = "-dac_override,-dac_read_search"
        unprivileged = ["setpriv", f"--inh-caps={rights}", f"--bounding-set={rights}"] if os.geteuid() == 0 else []
        for rest in (["stats", self.directory], ["verify", self.directory],
                     ["repair", self.directory, "--to", self.folder / "new"]):
            done = subprocess.run([*unprivileged, tool.TOOL, *map(str, rest)], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertEqual(done.stderr, f"knackdb: {rest[0]}: {manifest}: cannot open the file: Permission denied\n")


class Damage(ToolCase):
    def test_a_place_is_named_once(self):
        self.load("execution_patterns", ROWS)
        self.works("snapshot", self.directory)  # takes the log, of which there is now nothing but this
        (self.directory / "past-0000000000000001.knh").write_bytes(b"x" * 200)
        done = run("verify", self.directory)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"knackdb: verify: {self.directory}/past-0000000000000001.knh:0: this is not a segment of the "
                         "log's history\n")


class Following(ToolCase):
    """A follower ends when what it follows is not what has the name any more."""

    def follower(self):
        self.load("execution_patterns", ROWS)
        process = subprocess.Popen([tool.TOOL, "replay", self.directory, "--follow"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        for _ in ROWS:
            process.stdout.readline()
        return process

    def ends(self, process, why):
        self.assertEqual(process.wait(timeout=60), 1)
        self.assertEqual(process.stderr.read(), f"knackdb: replay: {self.directory}: {why}\n")

    def test_a_directory_that_is_gone(self):
        process = self.follower()
        shutil.rmtree(self.directory)
        self.ends(process, "the directory is not there any more")

    def test_a_restore(self):
        process = self.follower()
        self.works("backup", self.directory, self.folder / "copy")
        self.directory.rename(self.folder / "old")
        (self.folder / "copy").rename(self.directory)
        self.ends(process, "another directory has taken its place; what followed is not shown")


class Bounds(ToolCase):
    def test_until_before_since(self):
        self.load("execution_patterns", ROWS)
        for since, until in ((5, 4), ("2026-11-23", "2026-11-22T23:59:59")):
            self.fails(2, f"replay: --until: '{until}' is before --since '{since}'; see", "replay", self.directory, "--since",
                       since, "--until", until)
        self.works("replay", self.directory, "--since", 1, "--until", 1)
        self.works("replay", self.directory, "--since", 5, "--until", "2020-01-01")


class FullDisk(ToolCase):
    def test_import_says_how_many_rows_it_stored(self):
        def limit_size():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

        rows = self.write("rows.csv", "id,task_type\r\n" + "".join(f"{i},{'x' * 200}\r\n" for i in range(1, 40001)))
        done = subprocess.run(["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", tool.TOOL, "import", self.directory,
                               "execution_patterns", rows], capture_output=True, text=True, preexec_fn=limit_size)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        found = re.search(r"(?m)^knackdb: import: \S+: after (\d+) rows were stored(?:, the last (\d+) of them perhaps not on "
                          r"disk)?: refused while the disk fails: .*$", done.stderr)
        self.assertIsNotNone(found, done.stderr)
        told, unsure = int(found[1]), int(found[2] or 0)
        there = len(self.dump("execution_patterns"))
        self.assertLess(0, told)
        self.assertLess(told, 40000)
        self.assertLessEqual(told - unsure, there)
        self.assertLessEqual(there, told)
        self.works("verify", self.directory)


if __name__ == "__main__":
    tool.main()
