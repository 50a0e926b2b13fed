"""Rows that have no id of the engine's own, as the command brings them in, are shown under their number; whatever names
a pattern finds them under it, and under nothing else."""


import pytest

import knackdb
from conftest import EngineFilters, EnginePattern

LARGEST = 2 ** 63 - 1
NUMBERS = [7, 70, 2 * 10 ** 18, LARGEST]
OTHER_WAYS = ["007", " 7 ", "7 ", "0_7", "7_0", "+7", "-7", "٧", "7.0", "0x7", "", "0", "8", "9" * 19, "9" * 40,
              str(LARGEST + 1), str(2 ** 64 + 7)]


@pytest.fixture
def imported(import_csv):
    """imported(lines): a database with these rows of id, external_id and task_type."""
    return lambda lines: import_csv("execution_patterns", ["id,external_id,task_type", *lines])


@pytest.fixture
def numbered(imported):
    return imported(f"{number},,came in" for number in NUMBERS)


def test_they_are_found_under_their_number(numbered):
    assert {each.id for each in numbered.retrieve_patterns(EngineFilters())} == set(map(str, NUMBERS))
    for number in NUMBERS:
        for id in (str(number), number):
            assert numbered.get_pattern(id).id == str(number), numbered.last_error
            assert numbered.update_pattern_weights(id, 0.25) is True, numbered.last_error
            assert numbered.use_pattern(id) is True
        row = numbered.get_pattern(number)
        assert (row.confidence_score, row.usage_count, row.task_type) == (0.25, 2, "came in")


def test_and_in_no_other_way(numbered):
    for id in OTHER_WAYS:
        assert numbered.get_pattern(id) is None, id
        for call in (lambda: numbered.update_pattern_weights(id, 0.5), lambda: numbered.use_pattern(id),
                     lambda: numbered.delete_pattern(id)):
            assert call() is False, id


def test_storing_one_again_replaces_it(numbered):
    for number in NUMBERS:
        row = numbered.get_pattern(str(number))
        row.task_type = "stored again"
        assert numbered.store_execution_pattern(row) is True
    found = numbered.retrieve_patterns(EngineFilters())
    assert sorted((int(each.id), each.task_type) for each in found) == [(each, "stored again") for each in NUMBERS]
    for number in NUMBERS:
        assert numbered.delete_pattern(number) is True
    assert numbered.retrieve_patterns(EngineFilters()) == []


def test_an_id_of_the_engines_own_comes_first(imported):
    db = imported(["7,,by number", "9,7,by its own id", "8,8,both"])
    assert db.get_pattern("7").task_type == "by its own id" and db.get_pattern("9") is None
    assert db.store_execution_pattern(EnginePattern("7", task_type="stored")) is True
    assert db.store_execution_pattern(EnginePattern("8", task_type="stored")) is True
    assert sorted(each.task_type for each in db.retrieve_patterns(EngineFilters())) == ["by number", "stored", "stored"]


@pytest.mark.parametrize("id", [None, 1.5, b"7", ["7"], knackdb.ExecutionPattern()])
def test_what_is_no_id_is_refused(memory_db, id):
    assert memory_db.get_pattern(id) is None and "pattern_id: " in memory_db.last_error
    assert memory_db.use_pattern(id) is False and "pattern_id: " in memory_db.last_error
