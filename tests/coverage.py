#!/usr/bin/env python3
"""coverage.py BUILD [--missed [PATH...]] - what the tests reached of the engine, held against what they must.

Asks gcov, prints lines and branches a folder and those of the decoders, and exits 1 below the thresholds: each folder of
the engine on its own, so that none hides behind another. --missed lists what was not reached, a line of
source each, of all files or of those whose path begins with one of the words."""

import argparse
import collections
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys

FOLDERS = ["base", "schema", "core", "persist", "api"]
# Their objects; persist once more, as the fuzz targets link it; and what tests call of the headers, inline.
OBJECTS = [f"{folder}/lib*.a.p/*.gcno" for folder in FOLDERS + ["tests/fuzz"]] + ["tests/*.p/*.gcno"]
LINES_LEAST = 95.0
BRANCHES_LEAST = 90.0

# What turns bytes that nobody vouches for into values: every branch of these files is taken. A new decoder comes here.
DECODERS = [
    "base/bytes.h",
    "base/utf8.c",
    "core/commit.c",
    "core/list.c",
    "persist/block_decode.c",
    "persist/byte_reader.h",
    "persist/description.c",
    "persist/ends_format.c",
    "persist/file_name.c",
    "persist/log_format.c",
    "persist/manifest.c",
    "persist/packed_file.c",
    "persist/part_format.c",
    "persist/part_reader.c",
    "persist/segment_reader.c",
]

# An assertion that fails ends the program: the branch is there so that it is not taken.
NOT_COUNTED = re.compile(r"^\s*assert\(")


class Reached:
    """Lines and branches of a file: how many there are, how many were reached, and where the others are."""

    def __init__(self):
        self.lines = self.lines_reached = self.branches = self.branches_reached = 0
        self.missed = []

    def add(self, number, count, ways, source):
        if NOT_COUNTED.match(source):
            return
        self.lines += 1
        self.lines_reached += count > 0
        self.branches += len(ways)
        self.branches_reached += sum(way > 0 for way in ways)
        if count == 0 or not all(ways):
            signs = "".join("+" if way > 0 else "-" for way in ways)
            self.missed.append((number, signs if count > 0 else "never", source.strip()))

    def __iadd__(self, other):
        self.lines += other.lines
        self.lines_reached += other.lines_reached
        self.branches += other.branches
        self.branches_reached += other.branches_reached
        return self


def percent(reached, total):
    return 100.0 * reached / total if total else 100.0


def gcov(build):
    """What gcov says of each object of the engine's: a dictionary a compiled file."""
    objects = sorted(str(notes.with_suffix(".gcda").relative_to(build))
                     for pattern in OBJECTS for notes in build.glob(pattern))
    if not objects:
        sys.exit(f"coverage: {build} holds no object that counts; `./run coverage` makes such a build")
    tool = [os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", "--branch-probabilities"]
    # It fails for an object that nothing has run, and tells of it all the same.
    said = subprocess.run(tool + objects, cwd=build, check=False, capture_output=True, text=True)
    for line in said.stderr.splitlines():
        if "cannot open data file" not in line:
            print(f"coverage: gcov: {line}", file=sys.stderr)
    return [json.loads(line) for line in said.stdout.splitlines() if line]


def read(build):
    """The files of the engine by name. A file that several objects are made of counts once: what one of them reached is
    reached. The same line may belong to several functions, where a macro defines them."""
    root = pathlib.Path(__file__).resolve().parent.parent
    seen = collections.defaultdict(dict)
    for compiled in gcov(build):
        for entry in compiled["files"]:
            name = os.path.relpath(build.resolve() / entry["file"], root)
            if name.split("/")[0] not in FOLDERS:
                continue
            for line in entry["lines"]:
                place = (line["line_number"], line.get("function_name", ""))
                count, ways = seen[name].get(place, (0, []))
                taken = [branch["count"] for branch in line["branches"] if not branch["throw"]]
                ways = [left + right for left, right in itertools.zip_longest(ways, taken, fillvalue=0)]
                seen[name][place] = (count + line["count"], ways)
    files = {}
    for name, places in seen.items():
        if not (root / name).exists():
            continue
        source = [""] + (root / name).read_text(encoding="utf-8").splitlines()
        files[name] = Reached()
        for (number, _), (count, ways) in sorted(places.items()):
            if number < len(source): # an object that is not built any more may tell of lines that went
                files[name].add(number, count, ways, source[number])
    return files


def show(name, row):
    print(f"{name:<10} {row.lines_reached:>6} /{row.lines:>6} {percent(row.lines_reached, row.lines):6.2f} %"
          f"  {row.branches_reached:>6} /{row.branches:>6} {percent(row.branches_reached, row.branches):6.2f} %")


def hold(files):
    """Prints the table; returns in words what falls short."""
    rows = collections.defaultdict(Reached)
    short = []
    for name, reached in files.items():
        rows[name.split("/")[0]] += reached
        rows["all"] += reached
        if name in DECODERS:
            rows["decoders"] += reached

    print(f"\n{'folder':<10} {'lines':>14} {'':>8}  {'branches':>14}")
    for name in FOLDERS + ["all", "decoders"]:
        row = rows[name]
        show(name, row)
        if percent(row.lines_reached, row.lines) < LINES_LEAST:
            short.append(f"{name}: fewer than {LINES_LEAST:g} % of the lines")
        if percent(row.branches_reached, row.branches) < BRANCHES_LEAST:
            short.append(f"{name}: fewer than {BRANCHES_LEAST:g} % of the branches")
    for name in DECODERS:
        if name not in files:
            short.append(f"{name}: a decoder of which nothing is known")
        for number, ways, source in files[name].missed if name in files else []:
            short.append(f"{name}:{number}: a decoder's branch that no test takes ({ways}): {source}")
    return short


def main():
    parser = argparse.ArgumentParser(description="what the tests reached, held against what they must")
    parser.add_argument("build", type=pathlib.Path, help="a build directory of -Dcoverage=true")
    parser.add_argument("--missed", nargs="*", metavar="PATH", help="list what was not reached")
    arguments = parser.parse_args()
    files = read(arguments.build)
    if arguments.missed is not None:
        for name in sorted(files):
            if arguments.missed and not name.startswith(tuple(arguments.missed)):
                continue
            for number, ways, source in files[name].missed:
                print(f"{name}:{number}: {ways:<8} {source}")
        return 0
    short = hold(files)
    for words in short:
        print(f"coverage: {words}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
