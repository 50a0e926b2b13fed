#!/usr/bin/env python3
"""check_includes.py ROOT [PUBLIC_TEST...] - no file includes what lies above it.

The link test (alone.c) sees calls; a header can also leak a struct, a constant or an inline function upward, and that
shows in the includes alone.

  - A layer names our headers from the root, "core/store.h", and only of its own folder or of one below it. It may
    include <knackdb.h> for types and status codes.
  - The command, the benchmarks and the examples include <knackdb.h>, the system and their own folder's headers. Tests
    that pass for public (those given, and every header they pull in) may include what lies in tests/ beside that.
  - No two files of the library share a name, so that a name in a log or a debugger is enough.

Prints one line a fault; exit status 1 when there is one."""

import pathlib
import sys

import c_source


def layer_faults(root, layer):
    allowed = c_source.LAYERS[:c_source.LAYERS.index(layer) + 1]
    for path in c_source.files(root, layer):
        for line, mark, name in c_source.includes(path):
            where = f"{path.relative_to(root)}:{line}"
            folder = name.split("/")[0]
            if folder in c_source.LAYERS + ["cli", "benchmarks", "docs", "tests", "include"] and "/" in name:
                if folder not in allowed:
                    yield f"{where}: {layer} must not see {name}"
                elif mark == "<":
                    yield f"{where}: our own headers stand in quotes: {name}"
                elif not (root / name).is_file():
                    yield f"{where}: no such file: {name}"
            elif mark == '"':
                yield f"{where}: name it from the root: {name}"


def outside_faults(root, path, home, seen):
    """A program's file and, through it, every header it includes in quotes; these must lie below `home`."""
    if path in seen:
        return
    seen.add(path)
    for line, mark, name in c_source.includes(path):
        where = f"{path.relative_to(root)}:{line}"
        if mark == "<":
            if (root / name).is_file():
                yield f"{where}: only <knackdb.h> is for programs: {name}"
            continue
        target = (path.parent / name).resolve()
        if home not in target.parents:
            yield f"{where}: outside {home.relative_to(root)}: {name}"
        elif not target.is_file():
            yield f"{where}: no such file: {name}"
        else:
            yield from outside_faults(root, target, home, seen)


def shared_names(root):
    first = {}
    for layer in c_source.LAYERS:
        for path in c_source.files(root, layer):
            other = first.setdefault(path.name, path)
            if other is not path:
                yield f"{path.relative_to(root)}: shares its name with {other.relative_to(root)}"


def main(root, public_tests):
    root = pathlib.Path(root).resolve()
    faults = []
    for layer in c_source.LAYERS:
        faults += layer_faults(root, layer)
    faults += shared_names(root)
    seen = set()
    for folder in c_source.OUTSIDE:
        for path in c_source.files(root, folder):
            faults += outside_faults(root, path.resolve(), root / folder, seen)
    for path in public_tests:
        faults += outside_faults(root, pathlib.Path(path).resolve(), root / "tests", seen)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
