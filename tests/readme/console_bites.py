#!/usr/bin/env python3
"""console_bites.py - console.py takes the shape of what is printed for the same, and nothing else."""

import pathlib
import sys
import unittest

from console import has_shape, steps_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from counted import run_tests


class Console(unittest.TestCase):
    def same(self, shown, printed):
        self.assertTrue(has_shape(shown.splitlines(), printed.splitlines()))

    def other(self, shown, printed):
        self.assertFalse(has_shape(shown.splitlines(), printed.splitlines()))

    def test_numbers_times_units_and_widths_may_differ(self):
        self.same("204 rows saved in 0.039 s", "7 rows saved in 12 s")
        self.same("opened in 548.8 us, 3 commits", "opened in 1.30 ms, 12 commits")
        self.same("408 2026-11-22T23:59:09.791247Z delete id=5", "9 2027-01-01T00:00:00.000001Z delete id=77")
        self.same("id  name      rate\n--  ----  --------", "  id  name  rate\n----  ----  ----")
        self.same("log-00000000000000ff.knl: 5 bytes", "log-0000000000000002.knl: 50 bytes")

    def test_words_order_and_lines_may_not(self):
        self.other("4 rows saved", "4 rows lost")
        self.other("no fault", "")
        self.other("", "knackdb: verify: a fault")
        self.other("a\nb", "b\na")
        self.other("a\nb", "a\nb\nb")
        self.other("0", "")
        self.other("4 faults", "no faults")

    def test_dots_stand_for_lines_and_for_the_rest_of_one(self):
        self.same("first\n...\nlast", "first\nlast")
        self.same("first\n...\nlast", "first\n1\n2\nlast")
        self.same("the log has failed: ...", "the log has failed: No space left")
        self.other("first\n...\nlast", "first\n1")
        self.other("the log has failed: ...", "the snapshot has failed: No space left")

    def test_a_block_is_commands_and_what_each_prints(self):
        self.assertEqual(steps_of("$ one \\\n> more\nshown\n$ two\n$ three\na\nb"),
                         [["one \\\nmore", ["shown"]], ["two", []], ["three", ["a", "b"]]])


if __name__ == "__main__":
    run_tests()
