#!/usr/bin/env python3
"""summary.py LOG... - counts what a test run has shown, and ends with `N passed, N failed`.

Meson counts programs and believes their exit codes. Neither is enough: a Criterion program holds many tests, and it
exits 0 when LeakSanitizer has reported a leak in one of them. So the logs of the run (meson's testlog.json, one object
a line) are read again:

  - a Criterion program counts as its tests, by its `Synthesis` line and its `[SKIP]` lines;
  - any other program counts as one, or as its own last line `N passed, N failed[, N skipped]` says;
  - a program that failed without a failed test to show for it counts as one failed test: it crashed, ran out of time
    or reported a sanitizer's finding;
  - a program that ran no test at all and skipped none has failed, and so has a run without programs.

Exit status 1 when anything failed."""

import json
import pathlib
import re
import sys

SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+)")
CRITERION_STARTED = re.compile(r"^\[----\] Criterion v", re.MULTILINE)
CRITERION_PASSED = re.compile(r"^\[PASS\] ", re.MULTILINE)
CRITERION_FAILED = re.compile(r"^\[FAIL\] (.*?)(?:: \(.*)?$", re.MULTILINE)
CRITERION_SKIPPED = re.compile(r"^\[SKIP\] (.*)$", re.MULTILINE)
OWN_COUNT = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
UNITTEST_FAILED = re.compile(r"^(?:FAIL|ERROR): (.*)$", re.MULTILINE)
# unittest's own words, and the line our pytest run prints for each
SKIPPED_BECAUSE = re.compile(r"^(?:.*\.\.\. skipped ['\"]|skipped: (?:Skipped: )?)(.*?)['\"]?$", re.MULTILINE)
FINDING = re.compile(
    r"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: |ERROR SUMMARY: [1-9]")


class Count:
    """What one program showed. `failures` and `skips` are in words, for the reader."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = []

    def fail(self, why):
        self.failed += 1
        self.failures.append(f"{self.name}: {why}")

    def skip(self, why):
        self.skipped += 1
        self.skips.append(f"{self.name}: {why}")


def count_criterion(count, text):
    synthesis = SYNTHESIS.search(text)
    failures = CRITERION_FAILED.findall(text)
    if synthesis:
        count.passed, count.failed = int(synthesis.group(2)), int(synthesis.group(3))
    else:
        count.passed, count.failed = len(CRITERION_PASSED.findall(text)), len(failures)
    count.failures += [f"{count.name}: {failure}" for failure in failures]
    for skipped in CRITERION_SKIPPED.findall(text):
        count.skip(skipped)
    if not synthesis:
        count.fail("ended before its last test")


def count_program(entry):
    count = Count(entry["name"])
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    result = entry["result"]
    last_lines = [line.strip() for line in (entry.get("stdout") or "").splitlines() if line.strip()]
    own = OWN_COUNT.match(last_lines[-1]) if last_lines else None

    if CRITERION_STARTED.search(text):
        count_criterion(count, text)
    elif own:
        count.passed, count.failed, count.skipped = (int(number or 0) for number in own.groups())
        if count.failed:
            named = UNITTEST_FAILED.findall(entry.get("stdout") or "") or [f"{count.failed} of its checks"]
            count.failures += [f"{count.name}: {failure}" for failure in named]
        if count.skipped:
            reasons = sorted(set(SKIPPED_BECAUSE.findall(entry.get("stdout") or ""))) or ["no reason given"]
            count.skips.append(f"{count.name}: {count.skipped} of its checks: {'; '.join(reasons)}")
    elif result == "SKIP":
        count.skip(last_lines[-1] if last_lines else "gave no reason")
    elif result == "OK":
        count.passed = 1

    if result not in ("OK", "SKIP") and count.failed == 0:
        count.fail(f"{result.lower()}, exit status {entry.get('returncode')}")
    if FINDING.search(text) and count.failed == 0:
        count.fail("a sanitizer reported: " + FINDING.search(text).group(0))
    if count.passed + count.failed + count.skipped == 0:
        count.fail("ran no test")
    return count


def main(logs):
    counts = []
    for log in logs:
        with open(log, encoding="utf-8", errors="replace") as lines:
            entries = [json.loads(line) for line in lines if line.strip()]
        if len(logs) > 1:  # the same programs ran several times: say in which build
            path = pathlib.PurePath(log)
            for entry in entries:
                entry["name"] = f"{path.parent.parent.name}{path.stem[len('testlog'):]}: {entry['name']}"
        counts += [count_program(entry) for entry in entries]

    width = max((len(count.name) for count in counts), default=0)
    print()
    for count in counts:
        skipped = f", {count.skipped} skipped" if count.skipped else ""
        print(f"  {count.name:<{width}}  {count.passed:>5} passed, {count.failed} failed{skipped}")
    for heading, lines in (("skipped", [line for count in counts for line in count.skips]),
                           ("FAILED", [line for count in counts for line in count.failures])):
        if lines:
            print(f"\n{heading}:")
            for line in lines:
                print(f"  {line}")

    passed, failed, skipped = (sum(getattr(count, kind) for count in counts)
                               for kind in ("passed", "failed", "skipped"))
    if passed + failed == 0:
        print("\nno test ran")
    print(f"\n{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
