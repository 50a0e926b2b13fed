#!/usr/bin/env python3
"""console.py [--write] SOURCE_ROOT BUILD_ROOT DOCUMENT... - what the documents show on a console is what one gets.

The commands of a document's ```console blocks are run in their order, in one empty folder, with the command and the
Python package as they were built; a block that is opened as ```python NAME is a file of that name. What a command
prints, on either stream, is compared with what the document shows by its shape: words, order and lines must be the
same; numbers, times, units and the width of columns may differ. A line of `...` stands for any number of lines, `...`
at the end of a line for the rest of it.

--write puts what was printed in the place of what was shown, but where there is a `...`."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(console|python (\S+))\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND_SECONDS_MAX = 60


def shape(line):
    line = re.sub(r"\b[0-9a-f]{16}\b", "0", line)
    line = re.sub(r"\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?", "0", line)
    line = re.sub(r"\b0 (?:ns|us|ms|s|B|KiB|MiB|GiB)(?!\w)", "0 unit", line)
    return re.sub(r"([\s-])\1+", r"\1", line.replace("\t", " ")).strip()


def has_shape(shown, printed):
    """Both are lists of lines."""
    if not shown:
        return not printed
    if shown[0].strip() == "...":
        return any(has_shape(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    if not printed:
        return False
    if shown[0].endswith("..."):
        is_same = shape(printed[0]).startswith(shape(shown[0][:-3]))
    else:
        is_same = shape(printed[0]) == shape(shown[0])
    return is_same and has_shape(shown[1:], printed[1:])


def steps_of(block):
    """[command, [shown line...]] for each `$ command` of a console block; `> ` goes on with a command."""
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], []])
        elif line.startswith("> ") and not steps[-1][1]:
            steps[-1][0] += "\n" + line[2:]
        else:
            steps[-1][1].append(line)
    return steps


class Run:
    def __init__(self, source, build, folder):
        self.folder = folder
        self.passed = self.failed = 0
        tools = folder / "tools"
        tools.mkdir()
        (tools / "python3").symlink_to((build / "python/interpreter").read_text(encoding="utf-8").strip())
        (folder / "work").mkdir()
        self.environment = {
            "PATH": f"{build / 'cli'}:{tools}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(build), "TZ": "UTC",
            "PYTHONPATH": f"{source / 'python'}:{build / 'python'}", "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8",
            "HOME": str(folder), "TMPDIR": str(folder),
        }
        if "ASAN_OPTIONS" in os.environ:
            self.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]

    def step(self, document, command, shown):
        """What it printed, as lines."""
        done = subprocess.run(["sh", "-c", command], cwd=self.folder / "work", env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=COMMAND_SECONDS_MAX)
        printed = done.stdout.splitlines()
        if has_shape(shown, printed):
            self.passed += 1
        else:
            self.failed += 1
            print(f"{document}: $ {command}\n--- shown\n" + "\n".join(shown) + "\n--- printed\n" + "\n".join(printed))
        return printed

    def block(self, document, match):
        """The block as it would be written."""
        if match.group(2):
            (self.folder / "work" / match.group(2)).write_text(match.group(3), encoding="utf-8")
            return match.group(0)
        lines = ["```console"]
        for command, shown in steps_of(match.group(3)):
            printed = self.step(document, command, shown)
            lines.append("$ " + command.replace("\n", "\n> "))
            lines += shown if any(line.endswith("...") for line in shown) else printed
        return "\n".join([*lines, "```"])


def main(arguments):
    is_written = arguments[:1] == ["--write"]
    source, build, *documents = (pathlib.Path(each).resolve() for each in arguments[is_written:])
    if not (build / "python/interpreter").exists():
        print("the documents' programs need the Python package, which was not built\n0 passed, 0 failed, 1 skipped")
        return 77
    passed = failed = 0
    for document in documents:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(source, build, pathlib.Path(folder))
            text = BLOCK.sub(lambda match: run.block(document.name, match), document.read_text(encoding="utf-8"))
        if is_written:
            document.write_text(text, encoding="utf-8")
        if run.passed + run.failed == 0:
            print(f"{document.name}: shows no console")
            failed += 1
        passed += run.passed
        failed += run.failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
