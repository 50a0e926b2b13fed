#!/usr/bin/env python3
"""check_harness.py NM --armed ARCHIVE... --clean LIBRARY... - what tests do to the library stays out of the library.

Tests link copies of the layers that are compiled with more in them: checksums that always match, for fuzzing. Each such
thing defines a function of its own name, which no optimisation removes. It must be in every armed copy, else this looks
for the wrong names; and in none of the libraries that people get.

Prints one line a fault; exit status 1 when there is one."""

import subprocess
import sys

HARNESS = ("checksum_is_ignored",)


def names_in(nm, library):
    listing = subprocess.run([nm, "--format=posix", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[0].split(".")[0] for line in listing.splitlines() if " " in line}


def main(nm, *arguments):
    faults = []
    armed = None
    for argument in arguments:
        if argument in ("--armed", "--clean"):
            armed = argument == "--armed"
            continue
        found = sorted(names_in(nm, argument).intersection(HARNESS))
        if armed and not found:
            faults.append(f"{argument}: holds none of {', '.join(HARNESS)}; what is looked for?")
        if not armed and found:
            faults.append(f"{argument}: {', '.join(found)}: only tests may have this")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
