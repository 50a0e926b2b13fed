#!/usr/bin/env python3
"""versions.py SOURCE_ROOT - every place that says which version this is says the same."""

import pathlib
import re
import sys

PLACES = {
    "meson.build": r"^  version: '([\d.]+)'",
    "pyproject.toml": r'^version = "([\d.]+)"',
    "include/knackdb.h": r"VERSION_MAJOR (\d+)\n#define \w+_MINOR (\d+)\n#define \w+_PATCH (\d+)\n",
    "docs/packaging/debian/changelog": r"\Aknackdb \(([\d.]+)\)",
    "CHANGELOG.md": r"^## (?:Unreleased: )?([\d.]+)",
}


def main(root):
    versions = {}
    for place, pattern in PLACES.items():
        found = re.search(pattern, pathlib.Path(root, place).read_text(encoding="utf-8"), re.MULTILINE)
        versions[place] = ".".join(found.groups()) if found else "nothing"
        print(f"{place}: {versions[place]}")
    return 0 if len(set(versions.values())) == 1 and "nothing" not in versions.values() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
