#!/usr/bin/env python3
"""run_pytest.py [--interpreter PYTHON] [--sanitized LIBRARY] [PYTEST ARGUMENT...] - runs the tests of the Python
package with the package as it lies in the source and build trees, and ends with `N passed, N failed, N skipped`, which
./run test counts.

With --sanitized, Python itself knows nothing of AddressSanitizer: LIBRARY is loaded before it, and Python's own
allocator stands aside so that every object is watched. What Python leaks at its exit is its own affair."""

import os
import sys

SOURCE = os.environ.get("KNACKDB_SOURCE_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
BUILD = os.environ.get("KNACKDB_BUILD_ROOT") or os.path.join(SOURCE, "build")


class Count:
    """Counts tests, not phases: one that passed and then failed to clean up has failed."""

    def __init__(self):
        self.outcomes = {}
        self.reasons = {}

    def pytest_runtest_logreport(self, report):
        worst = self.outcomes.get(report.nodeid, "passed")
        if report.failed:
            worst = "failed"
        elif report.skipped and worst == "passed":
            worst = "skipped"
            self.reasons.setdefault(report.longrepr[2] if isinstance(report.longrepr, tuple) else "", 0)
        self.outcomes[report.nodeid] = worst

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[report.nodeid] = "failed"

    def line(self):
        passed, failed, skipped = (list(self.outcomes.values()).count(kind) for kind in ("passed", "failed", "skipped"))
        for reason in self.reasons:
            print("skipped:", reason)
        return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def main(arguments):
    interpreter = sys.executable
    if arguments[:1] == ["--interpreter"]:
        interpreter, arguments = arguments[1], arguments[2:]
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([os.path.join(SOURCE, "python"), os.path.join(BUILD, "python")])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if arguments[:1] == ["--sanitized"]:
        environment["LD_PRELOAD"] = arguments[1]
        environment["PYTHONMALLOC"] = "malloc"
        environment["ASAN_OPTIONS"] = ":".join([environment.get("ASAN_OPTIONS", ""), "detect_leaks=0",
                                                "allocator_may_return_null=1"])
        environment["KNACKDB_SANITIZED"] = "1"
        arguments = arguments[2:]
    if environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH"):
        os.execve(interpreter, [interpreter, __file__, *arguments], environment)

    try:
        import pytest
    except ImportError:
        print("pytest is not installed: apt-get install python3-pytest")
        return 77
    count = Count()
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", os.path.dirname(__file__), "-rf",
                          "--durations=5", os.path.dirname(__file__), *arguments], plugins=[count])
    print(count.line())
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
