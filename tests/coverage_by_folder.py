#!/usr/bin/env python3
"""coverage_by_folder.py SUMMARY.json - lines and branches reached, a line a folder, from `gcovr --json-summary`."""

import collections
import json
import sys


def percent(reached, total):
    return f"{100 * reached / total:5.1f} %" if total else "      -"


def main(path):
    with open(path, encoding="utf-8") as file:
        files = json.load(file)["files"]
    folders = collections.defaultdict(collections.Counter)
    for entry in files:
        name = entry["filename"].split("/")[0]
        if name == "tests":
            continue
        for row in (folders[name], folders["all"]):
            for key in ("line_covered", "line_total", "branch_covered", "branch_total"):
                row[key] += entry[key]

    print(f"\n{'folder':<12} {'lines':>14} {'':>7}  {'branches':>14}")
    order = ["base", "schema", "core", "persist", "api", "cli"]
    for name in sorted(folders, key=lambda name: (name == "all", (order + [name]).index(name), name)):
        row = folders[name]
        print(f"{name:<12} {row['line_covered']:>6} /{row['line_total']:>6} "
              f"{percent(row['line_covered'], row['line_total'])}  "
              f"{row['branch_covered']:>6} /{row['branch_total']:>6} "
              f"{percent(row['branch_covered'], row['branch_total'])}")


if __name__ == "__main__":
    main(sys.argv[1])
