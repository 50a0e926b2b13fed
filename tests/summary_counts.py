#!/usr/bin/env python3
"""summary_counts.py - summary.py counts what happened, and lets nothing pass that did not.

Each case is a log as meson writes it, the closing line it must lead to, and the exit status."""

import json
import pathlib
import subprocess
import sys
import tempfile

CRITERION = "[----] Criterion v2.4.1\n[RUN ] a::one\n[PASS] a::one: (0.00s)\n"
GOOD = CRITERION + "[====] Synthesis: Tested: 3 | Passing: 3 | Failing: 0 | Crashing: 0 \n"
BAD = CRITERION + "[FAIL] a::two: (0.00s)\n[====] Synthesis: Tested: 3 | Passing: 2 | Failing: 1 | Crashing: 0 \n"
LEAK = "==7==ERROR: LeakSanitizer: detected memory leaks\n"


def program(result="OK", returncode=0, stdout="", stderr=""):
    return {"name": "program", "result": result, "returncode": returncode, "stdout": stdout, "stderr": stderr}


CASES = [
    ("Criterion's tests count each", [program(stderr=GOOD)], "3 passed, 0 failed", 0),
    ("a failing Criterion test counts as one", [program("FAIL", 1, stderr=BAD)], "2 passed, 1 failed", 1),
    ("a failing test is seen though the program exits 0", [program(stderr=BAD)], "2 passed, 1 failed", 1),
    ("a leak fails though Criterion exits 0", [program(stderr=LEAK + GOOD)], "3 passed, 1 failed", 1),
    ("a skipped Criterion test is neither", [program(stderr="[SKIP] a::three: no data here\n" + GOOD)],
     "3 passed, 0 failed, 1 skipped", 0),
    ("Criterion that ends before its last test fails", [program("FAIL", -9, stderr=CRITERION)],
     "1 passed, 1 failed", 1),
    ("Criterion without tests fails",
     [program(stderr="[----] Criterion v2.4.1\n[====] Synthesis: Tested: 0 | Passing: 0 | Failing: 0 | Crashing: 0\n")],
     "0 passed, 1 failed", 1),
    ("a program is one test", [program(stdout="done\n")], "1 passed, 0 failed", 0),
    ("a program that fails is one test", [program("FAIL", 3)], "0 passed, 1 failed", 1),
    ("a program out of time fails", [program("TIMEOUT", -15)], "0 passed, 1 failed", 1),
    ("a program that counts itself is believed", [program(stdout="7 passed, 0 failed, 2 skipped\n")],
     "7 passed, 0 failed, 2 skipped", 0),
    ("but not when it exits otherwise", [program("FAIL", 1, stdout="7 passed, 0 failed\n")], "7 passed, 1 failed", 1),
    ("its own failed checks fail", [program(stdout="7 passed, 2 failed\n")], "7 passed, 2 failed", 1),
    ("a race fails", [program("OK", 0, stderr="WARNING: ThreadSanitizer: data race\n")], "1 passed, 1 failed", 1),
    ("skipped is skipped", [program("SKIP", 77, stdout="no data\n"), program()], "1 passed, 0 failed, 1 skipped", 0),
    ("a run that only skips has shown nothing", [program("SKIP", 77)], "0 passed, 0 failed, 1 skipped", 1),
    ("nothing at all has shown nothing", [], "0 passed, 0 failed", 1),
]


def main():
    failed = 0
    summary = pathlib.Path(__file__).parent / "summary.py"
    for name, entries, last_line, status in CASES:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as log:
            log.writelines(json.dumps(entry) + "\n" for entry in entries)
            log.flush()
            result = subprocess.run([sys.executable, summary, log.name], capture_output=True, text=True)
        if result.returncode != status or result.stdout.splitlines()[-1:] != [last_line]:
            failed += 1
            print(f"{name}: exit status {result.returncode}, expected {status}, {last_line!r}:\n"
                  f"{result.stdout}{result.stderr}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
