#!/usr/bin/env python3
"""plant.py [BUG...] - plants one bug after the other in a copy of the engine, and shows that the suite catches each.

No bug is in the tree, behind no option: bugs.py says what to write where. The changed file is compiled as the build
compiles it and linked before everything else into programs of the suite, so that it stands in for its twin in the
archive, or into the shared library that programs load. First the programs run on the engine as it is, and pass; then each bug must make one of its programs fail.

Arguments are words that a bug's name must hold. Finds the build in KNACKDB_BUILD_ROOT, as tests do. Prints which test caught what, and ends like any plain test."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

import bugs

BUILD = pathlib.Path(os.environ["KNACKDB_BUILD_ROOT"])
SOURCE = pathlib.Path(os.environ["KNACKDB_SOURCE_ROOT"])
RUN_SECONDS_MAX = 120  # a bug may make a program hang: that, too, is noticed


def compile_command(file):
    """How the build compiles this file for its layer, without the output and the source."""
    layer = file.split("/")[0]
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if (BUILD / entry["file"]).resolve() == SOURCE / file and f"lib{layer}.a.p/" in entry["output"]:
            words = shlex.split(entry["command"])
            output = words.index("-o")
            return words[:output] + words[output + 2:-2]  # ... -c SOURCE at the end
    raise SystemExit(f"{file}: the build does not compile it")


def link_command(target):
    lines = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "-s", target], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return shlex.split([line for line in lines if " -o " in line][-1])


def link(target, output, planted):
    words = link_command(target)
    place = words.index("-o")
    words[place + 1:place + 2] = [str(output), str(planted), "-Wl,-z,muldefs"]  # the first definition wins
    subprocess.run(words, cwd=BUILD, check=True)


def run(program, arguments, folder=None):
    """Did it pass? A planted library or program is taken from `folder`."""
    environment = dict(os.environ, KNACKDB_SOURCE_ROOT=str(SOURCE))
    command = BUILD / "tests" / program
    if folder is not None:
        environment["LD_LIBRARY_PATH"] = str(folder)
        if (folder / program).exists():
            command = folder / program
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        environment["TMPDIR"] = scratch
        try:
            result = subprocess.run([command, *arguments], env=environment, capture_output=True, text=True,
                                    errors="replace", timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return False
    return result.returncode == 0


def is_linked_to_library(program):
    return any("libknackdb.so" in word for word in link_command(f"tests/{program}"))


def plant(bug, folder):
    """The changed file, compiled; None where the place is not there any more."""
    text = (SOURCE / bug.file).read_text()
    if text.count(bug.old) != 1:
        return None
    changed = folder / pathlib.Path(bug.file).name
    changed.write_text(text.replace(bug.old, bug.new))
    planted = changed.with_suffix(".o")
    subprocess.run([*compile_command(bug.file), "-w", "-o", planted, "-c", changed], cwd=BUILD, check=True)
    return planted


def try_bug(bug):
    """What became of it, in words, and whether it was caught."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            planted = plant(bug, folder)
        except subprocess.CalledProcessError:
            return f"{bug.file} does not compile with it any more: plant it anew", False
        if planted is None:
            return f"{bug.file} does not hold the place once any more: plant it anew", False
        for program, *arguments in bug.caught_by:
            if not is_linked_to_library(program):
                link(f"tests/{program}", folder / program, planted)
            elif not (folder / "libknackdb.so.0").exists():
                link("libknackdb.so.0.1.0", folder / "libknackdb.so.0", planted)
            if not run(program, arguments, folder):
                return f"caught by {' '.join([program, *arguments])}", True
    return "NOT CAUGHT", False


def main(words):
    chosen = [bug for bug in bugs.BUGS if all(word in bug.name for word in words)]
    runs = sorted({command for bug in chosen for command in bug.caught_by})
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for command, passes in zip(runs, pool.map(lambda command: run(command[0], command[1:]), runs)):
            if not passes:
                print(f"FAIL: without any bug planted: {' '.join(command)}")
                failed += 1
        if failed == 0:
            for bug, (outcome, caught) in zip(chosen, pool.map(try_bug, chosen)):
                print(f"{'' if caught else 'FAIL: '}{bug.name}: {outcome}", flush=True)
                failed += not caught
    print(f"{max(len(chosen) - failed, 0)} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
