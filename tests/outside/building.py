#!/usr/bin/env python3
"""building.py SOURCE_ROOT BUILD_ROOT MESON CC... - programs outside the tree build against knackdb, and run.

With CMake against what `meson install` puts in a stage, as the shared library and as the archive; as a subproject of a
Meson project, likewise, optimised across files where the compiler is GCC. (pkg-config: tests/readme/.) That an archive
was linked is seen by the program not asking for libknackdb.so."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

SOURCE = BUILD = MESON = CC = None  # set below
HERE = pathlib.Path(__file__).resolve().parent


def command(*arguments, **options):
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout


def needs_the_shared_library(program):
    return "libknackdb.so.0" in re.findall(r"\(NEEDED\).*\[(.*)\]", command("readelf", "-d", program))


class Outside(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        self.environment = {**os.environ, "CC": " ".join(CC), "TMPDIR": str(self.folder)}

    def runs(self, program, library_path=""):
        store = self.folder / f"{program.name}.knack"
        printed = command(program, store, env={**os.environ, "LD_LIBRARY_PATH": str(library_path)})
        self.assertEqual(printed, f"knackdb {version()} found 1: sort\n")

    @unittest.skipUnless(shutil.which("cmake"), "cmake is not installed")
    def test_with_cmake(self):
        stage, build = self.folder / "stage", self.folder / "build"
        command(MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", stage)
        libraries = next(stage.rglob("libknackdb.a")).parent
        command("cmake", "-S", HERE / "cmake", "-B", build, "-G", "Ninja",
                f"-Dknackdb_DIR={libraries / 'cmake' / 'knackdb'}", env=self.environment)
        command("ninja", "-C", build)
        self.assertTrue(needs_the_shared_library(build / "shared" / "shared_program"))
        self.assertFalse(needs_the_shared_library(build / "static" / "static_program"))
        self.runs(build / "shared" / "shared_program", libraries)
        self.runs(build / "static" / "static_program")

    @unittest.skipUnless(shutil.which("cmake"), "cmake is not installed")
    def test_cmake_finds_it_below_the_prefix_and_takes_no_version_that_does_not_fit(self):
        stage = self.folder / "stage"
        command(MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", stage)
        config = next(stage.rglob("knackdbConfigVersion.cmake"))
        major, minor, patch = map(int, version().split("."))
        later_major = f"{major + 1}.{minor}.{patch}"
        for wanted, fits in {
                f"{major}.{minor}": 1, version(): 1, f"{major}.{minor}.{patch + 1}": 0, f"{major}.{minor + 1}": 0,
                later_major: 0, f"{major}": 1, f"{major}.{minor}...{later_major}": 1,
                f"{later_major}...{major + 2}": 0, f"{major}.0...<{version()}": 0}.items():
            script = self.folder / "version.cmake"
            low, _, high = wanted.partition("...")
            parts = low.split(".")
            lines = [f"set(PACKAGE_FIND_VERSION {low})", f"set(PACKAGE_FIND_VERSION_COUNT {len(parts)})",
                     f"set(PACKAGE_FIND_VERSION_MAJOR {parts[0]})",
                     f"set(PACKAGE_FIND_VERSION_MINOR {parts[1] if len(parts) > 1 else 0})"]
            if high:
                lines += [f"set(PACKAGE_FIND_VERSION_RANGE {wanted})", f"set(PACKAGE_FIND_VERSION_MIN {low})",
                          f"set(PACKAGE_FIND_VERSION_MAX {high.lstrip('<')})",
                          f"set(PACKAGE_FIND_VERSION_RANGE_MAX {'EXCLUDE' if high[0] == '<' else 'INCLUDE'})"]
            lines += [f'include("{config}")', "if(PACKAGE_VERSION_COMPATIBLE)", 'message(STATUS "fits")', "endif()"]
            script.write_text("\n".join(lines) + "\n")
            self.assertEqual("fits" in command("cmake", "-P", script), bool(fits), wanted)

    def test_as_a_meson_subproject_and_optimised_across_files(self):
        project, build = self.folder / "project", self.folder / "build"
        shutil.copytree(HERE / "meson", project)
        shutil.copy(HERE / "program.c", project)
        (project / "subprojects").mkdir()
        (project / "subprojects" / "knackdb").symlink_to(SOURCE)
        # What a user writes, but for the address of a repository, from which Meson would fetch what lies here already.
        (project / "subprojects" / "knackdb.wrap").write_text(
            "[wrap-git]\nurl = nowhere\nrevision = head\n\n[provide]\ndependency_names = knackdb\n")
        is_gcc = "Free Software Foundation" in command(*CC, "--version")
        across_files = ["-Db_lto=true", "-Dc_args=-ffat-lto-objects"] if is_gcc else []
        command(MESON, "setup", build, project, "-Doptimization=1", *across_files, env=self.environment)
        command("ninja", "-C", build, "shared_program", "static_program", env=self.environment)
        self.assertTrue(needs_the_shared_library(build / "shared_program"))
        self.assertFalse(needs_the_shared_library(build / "static_program"))
        self.runs(build / "shared_program")
        self.runs(build / "static_program")
        # And for somebody whose compiler knows nothing of that.
        archive, program = build / "subprojects" / "knackdb" / "libknackdb.a", self.folder / "plain_program"
        command(*CC, "-I", SOURCE / "include", HERE / "program.c", "-o", program, archive, "-llz4", "-lxxhash",
                "-lm", "-pthread")
        self.runs(program)


def version():
    return re.search(r"^  version: '(.*)',$", (SOURCE / "meson.build").read_text(), re.MULTILINE).group(1)


if __name__ == "__main__":
    SOURCE, BUILD, MESON, *CC = sys.argv[1:]
    SOURCE = pathlib.Path(SOURCE)
    run_tests()
