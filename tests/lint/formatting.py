#!/usr/bin/env python3
"""formatting.py [--check] SOURCE_ROOT - every C file as .clang-format has it; with --check none is written, each line that
would stand otherwise is a finding, and so is one that is too wide where a table was set by hand.

Of clang-format's versions each breaks some lines elsewhere, so it is one alone that counts."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

from sources import sources

PROGRAM = "clang-format-19"  # Debian 12 and 13 have a package of that name
COLUMNS_MAX = 120


def findings_of(root, path):
    """Where it stands otherwise than clang-format would have it, or is too wide."""
    done = subprocess.run([PROGRAM, "--dry-run", "-Werror", path], cwd=root, stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    found = [line for line in done.stderr.splitlines() if line.startswith(f"{path}:")]
    if done.returncode != 0 and not found:
        found = [f"{path}: {PROGRAM} failed: {done.stderr}"]
    for number, line in enumerate((pathlib.Path(root) / path).read_text(encoding="utf-8").splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            found.append(f"{path}:{number}: error: {len(line)} columns wide, {COLUMNS_MAX} at most")
    return found


def check(root):
    """The findings of each file, by its path; None where there is no such clang-format."""
    if shutil.which(PROGRAM) is None:
        return None
    paths = sources(root, ".c", ".h")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(paths, pool.map(lambda path: findings_of(root, path), paths)))


def main():
    arguments = sys.argv[1:]
    only_check = "--check" in arguments
    roots = [argument for argument in arguments if not argument.startswith("-")]
    if len(roots) != 1 or len(arguments) != 1 + only_check:
        sys.exit("usage: formatting.py [--check] SOURCE_ROOT")
    if shutil.which(PROGRAM) is None:
        sys.exit(f"format: there is no {PROGRAM}")
    root = pathlib.Path(roots[0]).resolve()
    if not only_check:
        paths = sources(root, ".c", ".h")
        was = {path: (root / path).read_bytes() for path in paths}
        subprocess.run([PROGRAM, "-i", *paths], cwd=root, check=True)
        changed = [path for path in paths if (root / path).read_bytes() != was[path]]
        print("".join(f"{path}\n" for path in changed) + f"format: {len(paths)} files, {len(changed)} changed")
        return 0
    found = check(root)
    for findings in found.values():
        for finding in findings:
            print(finding)
    failed = sum(1 for findings in found.values() if findings)
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
