"""python3 -m knackdb DIR: a diagnosis of a database. Exit status 0 at 100 %, 1 below, 2 where the call is at fault."""

import asyncio
import os
import sys

from .diagnosis import diagnose


def main(arguments):
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        is_asked_for = arguments[:1] in (["-h"], ["--help"])
        print("usage: python3 -m knackdb DIR", file=sys.stdout if is_asked_for else sys.stderr)
        return 0 if is_asked_for else 2
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
