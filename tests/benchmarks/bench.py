#!/usr/bin/env python3
"""bench.py BENCH - the benchmark program, at a size at which no figure counts.

That all stores gave the same answers is what its exit status says. Here it is run with every store that is there, and what
it wrote is read again: JSON and SVG as their readers would, every work told of every store that can do it."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests

ROWS = 2000
# Of a store that is not kept there is nothing to snapshot, to open or to weigh on the disk.
OF_KEPT_STORES = {"W9 open, existing", "W9 open, new directory", "W10 snapshot, checkpoint", "W10 disk, metrics too",
                  "W10 disk", "W11 read by id, snapshot beside", "W11 store one, snapshot beside"}
OF_ALL_STORES = {"W1 store one", "W2 batch of 100", "W3 read by id", "W3 read by id, each waiting",
                 "W4 top 10 of a task type", "W4 top 100", "W4 top 10, the same again", "W4 again after a store",
                 "W5 history of a component", "W5 history of one metric", "W6 means by task type", "W7 update a weight",
                 "W8 clean up the older half", "W10 memory", "W10 memory, not file-backed",
                 "W11 9:1 reads, 2 threads", "W11 9:1 reads, 10 threads", "W11 stores of 2 threads",
                 "W11 stores of 10 threads", "YCSB A, 50 % updates", "YCSB B, 5 % updates", "YCSB C, reads",
                 "YCSB F, 50 % read, modify"}
OF_TOOLS = {"import", "dump"}
# At this size a store can be through with these before one of their operations was timed.
AT_TIMES_TOO_SHORT = {"W11 stores of 2 threads", "W11 stores of 10 threads", "W11 read by id, snapshot beside",
                      "W11 store one, snapshot beside"}
ALWAYS_THERE = {"knackdb", "knackdb-sync", "bare", "sqlite", "sqlite-off", "sqlite-memory"}
PEERS = {"lmdb", "lmdb-nosync", "rocksdb", "redis"}
BENCH = None


def bench(*arguments):
    return subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=280)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.place = pathlib.Path(cls.folder.name)
        cls.output = cls.place / "figures"
        (cls.place / "work").mkdir()
        cls.done = bench("--quick", "--sizes", ROWS, "--rounds", 1, "--output", cls.output,
                         "--directory", cls.place / "work", "--revision", "of a test")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_all_stores_agree(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertIn("All stores agreed on every answer.", self.done.stdout)

    def test_nothing_is_left_behind(self):
        self.assertEqual(list((self.place / "work").iterdir()), [])

    def test_every_store_is_there_or_said_to_be_left_out(self):
        stores = {store["name"] for store in json.loads((self.output / "results.json").read_text())["stores"]}
        left_out = set(re.findall(r"^benchmark: (\S+) is left out: \S", self.done.stderr, re.M))
        self.assertEqual(stores | left_out, ALWAYS_THERE | PEERS)
        self.assertEqual(stores & left_out, set())
        self.assertLessEqual(ALWAYS_THERE, stores)

    def test_every_work_of_every_store_is_in_the_json(self):
        report = json.loads((self.output / "results.json").read_text())
        figures = {(figure["work"], figure["store"]): figure for figure in report["figures"]}
        self.assertEqual(len(figures), len(report["figures"]))
        wanted = {(work, store["name"]) for store in report["stores"]
                  for work in OF_ALL_STORES | (OF_KEPT_STORES if store["is_kept"] else set())}
        told = {key for key in figures if key[0] not in OF_TOOLS}
        self.assertLessEqual(told, wanted)
        self.assertLessEqual({work for work, _ in wanted - told}, AT_TIMES_TOO_SHORT)
        self.assertEqual(report["build"]["revision"], "of a test")
        self.assertIn(" lto=", report["build"]["flags"])
        numbers = [int(figure["work"][1:].split()[0]) for figure in report["figures"] if figure["work"].startswith("W")]
        self.assertEqual(numbers, sorted(numbers))
        for key, figure in figures.items():
            self.assertEqual(figure["rows"], ROWS)
            self.assertTrue(min(figure["rounds"]) <= figure["median"] * 1.00001, key)
            self.assertTrue(figure["median"] <= max(figure["rounds"]) * 1.00001, key)
            if "timed" in figure:
                self.assertGreater(min(figure["rounds"]), 0, key)
                quantiles = [figure[name] for name in ("p50_ns", "p99_ns", "p999_ns", "max_ns")]
                self.assertEqual(quantiles, sorted(quantiles), key)
            if "knackdb_is_better_by" in figure:
                self.assertEqual(figure["knackdb_is_better_by"], sorted(figure["knackdb_is_better_by"]), key)

    def test_the_plot_has_a_panel_for_every_work(self):
        root = xml.etree.ElementTree.parse(self.output / "plot.svg").getroot()
        space = "{http://www.w3.org/2000/svg}"
        titles = {text.text.rsplit(", ", 1)[0] for text in root.iter(space + "text") if text.get("class") == "title"}
        self.assertLessEqual((OF_ALL_STORES | OF_KEPT_STORES) - AT_TIMES_TOO_SHORT, titles)
        self.assertLessEqual(titles, OF_ALL_STORES | OF_KEPT_STORES)
        self.assertGreater(len(list(root.iter(space + "path"))), len(titles) * (len(ALWAYS_THERE) - 2))

    def test_the_text_holds_all_that_the_terminal_showed(self):
        text = (self.output / "results.txt").read_text()
        table = self.done.stdout[:self.done.stdout.index("\nAll stores agreed")]
        self.assertTrue(text.startswith(table))
        for work in OF_ALL_STORES - AT_TIMES_TOO_SHORT:
            self.assertIn(f"{ROWS}: {work}, ", text)

    def test_nothing_is_left_behind_by_one_that_is_killed(self):
        place = self.place / "killed"
        place.mkdir()
        child = subprocess.Popen([BENCH, "--quick", "--directory", place], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not any(place.glob("*/*/*")) and time.monotonic() < until:  # a store is open
            time.sleep(0.01)
        self.assertTrue(any(place.glob("*/*/*")))
        child.kill()
        child.wait()
        while any(place.iterdir()) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(list(place.iterdir()), [])

    def test_works_that_are_asked_for_are_done_and_no_others(self):
        output = self.place / "some"
        done = bench("--quick", "--sizes", 500, "--rounds", 1, "--stores", "bare,sqlite", "--works", "W4,W8",
                     "--output", output)
        self.assertEqual(done.returncode, 0, done.stderr)
        works = {figure["work"] for figure in json.loads((output / "results.json").read_text())["figures"]}
        self.assertEqual(works, {work for work in OF_ALL_STORES if work.startswith(("W4", "W8"))})

    def test_calls_that_make_no_sense(self):
        for arguments, why in {("--rows", "0"): "is not a number above 0", ("--rows", "x"): "is not a number above 0",
                               ("--stores", "oracle"): "oracle: there is no such store",
                               ("--rounds", "999"): "at most", ("--works", "W4,nothing"): "there is no work",
                               ("--works", ""): "there is no work", ("more",): "usage: bench"}.items():
            done = bench(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    BENCH = sys.argv.pop(1)
    run_tests()
