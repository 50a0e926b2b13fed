"""python3 -m knackdb DIR: a diagnosis of a database. Exit status 0 at 100 %, 1 below, 2 where the call is at fault."""

import asyncio
import os
import sys

import _knackdb

from .diagnosis import diagnose


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(f"usage: python3 -m knackdb DIR\n\n{__doc__}")
        return 0
    if arguments == ["--version"]:
        print(f"knackdb {_knackdb.version}")
        return 0
    if len(arguments) != 1:
        print("usage: python3 -m knackdb DIR", file=sys.stderr)
        return 2
    path = arguments[0]
    if not os.path.isdir(path):
        print(f"knackdb: diagnose: {path}: no such directory", file=sys.stderr)
        return 2
    findings = asyncio.run(diagnose(path))
    width = max(len(each.part) for each in findings)
    for each in findings:
        print(f"{each.part:<{width}}  {'operational' if each.is_operational else 'NOT OPERATIONAL'}: {each.figures}")
    share = 100 * sum(each.is_operational for each in findings) / len(findings)
    print(f"\n{share:.0f} % operational")
    return 0 if share == 100 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
