#!/usr/bin/env python3
"""check_exports.py HEADER VERSION NM LIBRARY... - a library's global names are the functions of the header, no more, no
less, and those of a shared library carry the version.

One more is an inner function that someone will call and we can never change; one less is a promise that does not
link. A shared library is asked for its dynamic symbols, an archive for its global ones."""

import re
import subprocess
import sys

import c_source

DECLARATION = re.compile(r"\bKNACKDB_API\b[^;{]*?\b(\w+)\s*\(")


def declared(header):
    text = re.sub(r"^[ \t]*#.*$", "", c_source.code_only(c_source.read(header)), flags=re.MULTILINE)
    return set(DECLARATION.findall(text))


def exported(nm, library):
    """Names, and the version of each; no version in an archive."""
    arguments = ["--dynamic"] if ".so" in library else []
    listing = subprocess.run([nm, *arguments, "--defined-only", "--extern-only", "--format=posix", library],
                             check=True, capture_output=True, text=True).stdout
    # An absolute one is the version's own.
    names = [line.split()[0] for line in listing.splitlines() if len(line.split()) >= 2 and line.split()[1] != "A"]
    return {name.split("@")[0]: name.partition("@@")[2] for name in names}


def main(header, version, nm, *libraries):
    wanted = declared(header)
    faults = [] if wanted else [f"{header}: declares nothing"]
    for library in libraries:
        found = exported(nm, library)
        faults += [f"{library}: {name} is declared and missing" for name in sorted(wanted - found.keys())]
        faults += [f"{library}: {name} is exported and not declared" for name in sorted(found.keys() - wanted)]
        faults += [f"{library}: {name} carries {found[name] or 'no version'}, not {version}"
                   for name in sorted(found) if ".so" in library and found[name] != version]
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(wanted)} functions declared, the same exported")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
