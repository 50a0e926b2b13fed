"""The adaptive engine of the examples learns, remembers, and goes on where the store is gone."""

import os
import subprocess
import sys

ENGINE = os.path.join(os.path.dirname(__file__), "..", "..", "python", "examples", "adaptive_engine.py")


def run_engine(*arguments):
    return subprocess.run([sys.executable, ENGINE, *map(str, arguments)], capture_output=True, text=True, check=True)


def test_the_engine_remembers_what_it_learned(tmp_path):
    first = run_engine(tmp_path / "learning.db", 40)
    assert first.stdout.startswith("0 patterns known before") and first.stderr == ""
    learned = int(first.stdout.split("before, ")[1].split()[0])
    assert learned > 0
    assert run_engine(tmp_path / "learning.db", 10).stdout.startswith(f"{learned} patterns known before")


def test_the_engine_goes_on_without_the_store(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run_engine(tmp_path / "file", 10)
    assert "without the store" in done.stderr and "worth" in done.stdout
