"""python_files.py - pyflakes over every Python file: names that are not there, and those that nobody uses."""

import pathlib
import shutil
import subprocess

from sources import sources

PROGRAM = "pyflakes3"


def check(root):
    """The findings of each file, by its path; None where there is no pyflakes."""
    if shutil.which(PROGRAM) is None:
        return None
    found = {path: [] for path in sources(root, ".py")}
    done = subprocess.run([PROGRAM, *found], cwd=pathlib.Path(root), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    for line in done.stdout.splitlines():
        found.setdefault(line.split(":")[0], []).append(line)
    if done.returncode != 0 and not any(found.values()):
        found[PROGRAM] = [f"{PROGRAM} failed: exit status {done.returncode}"]
    return found
