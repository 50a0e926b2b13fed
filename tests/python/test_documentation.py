"""What the docstrings show is what happens."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module, at_least", [("knackdb.records", 5), ("knackdb.database", 8), ("knackdb.checks", 6)])
def test_examples_in_docstrings(module, at_least):
    outcome = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0 and outcome.attempted >= at_least
