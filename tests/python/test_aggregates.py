"""Figures by group, against the same figures worked out in plain Python."""

import math
import random
import re
import time

import pytest

import knackdb
from conftest import EngineFilters, EngineMetrics, EnginePattern
from test_learning_database import matches, random_filter, random_pattern

NUMBERS = ("execution_time", "success_rate", "confidence_score", "agent_count", "created_at", "updated_at",
           "usage_count")
TEXTS = ("task_type", "pattern_used", "complexity_level")


def percentile(values, percent):
    """Hyndman and Fan's type 7."""
    values = sorted(values)
    rank = percent / 100 * (len(values) - 1)
    low = math.floor(rank)
    return values[low] + (values[min(low + 1, len(values) - 1)] - values[low]) * (rank - low)


def summary_of(rows, value, percentiles):
    values = [getattr(row, value) for row in rows if getattr(row, value) is not None]
    if not values:
        return knackdb.Summary(len(rows), 0, None, None, None, dict.fromkeys(percentiles))
    return knackdb.Summary(len(rows), len(values), math.fsum(values) / len(values), min(values), max(values),
                           {each: percentile(values, each) for each in percentiles})


def summaries_of(rows, value, by, percentiles):
    groups = {} if by is not None else {None: []}
    for row in rows:
        groups.setdefault(getattr(row, by) if by is not None else None, []).append(row)
    return {key: summary_of(group, value, percentiles) for key, group in groups.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        assert (found[key].row_count, found[key].value_count) == (one.row_count, one.value_count), key
        assert (found[key].minimum, found[key].maximum) == (one.minimum, one.maximum), key
        assert found[key].mean == (None if one.mean is None else pytest.approx(one.mean, rel=1e-12)), key
        assert list(found[key].percentiles) == list(one.percentiles)
        for percent, value in one.percentiles.items():
            assert found[key].percentiles[percent] == (None if value is None else pytest.approx(value, rel=1e-12)), key


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_rows_that_match(db, open_database, seed):
    draw = random.Random(seed)
    model = {}
    for i in range(300):
        pattern = random_pattern(draw, i)
        assert db.store_execution_pattern(pattern)
        model[pattern.id] = pattern
    for victim in draw.sample(list(model), 40):
        assert db.delete_pattern(victim)
        del model[victim]
    for question in range(60):
        if question == 30:
            db.shutdown()
            db = open_database()
        filters = random_filter(draw)
        value, by = draw.choice(NUMBERS), draw.choice(TEXTS + (None,))
        percentiles = draw.sample([0, 1, 25, 50, 75.5, 90, 99, 99.9, 100], draw.randrange(5))
        rows = [row for row in model.values() if matches(filters, row)]
        assert_same(db.aggregate(value, by, filters, percentiles), summaries_of(rows, value, by, percentiles))


def test_a_group_without_a_key_and_one_without_values(db):
    db.store_execution_patterns([EnginePattern("a", task_type=None, agent_count=3),
                                 EnginePattern("b", task_type="", agent_count=None)])
    assert db.aggregate("agent_count", "task_type", percentiles=[50]) == {
        None: knackdb.Summary(1, 1, 3.0, 3.0, 3.0, {50: 3.0}), "": knackdb.Summary(1, 0, None, None, None, {50: None})}


def test_limit_order_and_offset_play_no_part(db):
    db.store_execution_patterns([EnginePattern(f"p{i}", usage_count=i) for i in range(200)])
    for limit in (0, 1, 100):
        assert db.aggregate("usage_count", filters=EngineFilters(limit=limit, offset=50))[None].row_count == 200


def test_nothing_has_no_groups_and_all_of_it_has_one(db):
    db.store_execution_pattern(EnginePattern("x"))
    nothing = knackdb.Summary(percentiles={50: None})
    for filters in (EngineFilters(task_type="unheard of"), EngineFilters(task_type=[]),
                    EngineFilters(pattern_type=knackdb.PatternType.AGENT_SELECTION)):
        assert db.aggregate("usage_count", "task_type", filters) == {}
        assert db.aggregate("usage_count", None, filters, (50,)) == {None: nothing}
    assert db.get_metric_summary("nobody") == {}
    assert db.get_metric_summary(by=None, percentiles=(50,)) == {None: nothing}


def test_measurements_by_metric_by_component_and_all_together(db):
    now = time.time()
    draw = random.Random(7)
    model = [EngineMetrics(component_name=draw.choice(["router", "planner"]), metric_name=draw.choice(["ms", "mb"]),
                           metric_value=draw.random(), measured_at=now - draw.randrange(10) * 86400 - 3600)
             for _ in range(400)]
    assert db.store_performance_metrics(model)
    def expect(by, percentiles=(50, 95, 99), **wanted):
        rows = [each for each in model if all(getattr(each, name) == value for name, value in wanted.items())]
        return summaries_of(rows, "metric_value", by, percentiles)
    assert_same(db.get_metric_summary("router"), expect("metric_name", component_name="router"))
    assert_same(db.get_metric_summary(metric="ms", by="component_name"), expect("component_name", metric_name="ms"))
    assert_same(db.get_metric_summary(by=None, percentiles=iter([5])), expect(None, (5,)))
    recent = [each for each in model if each.measured_at >= now - 3 * 86400]
    assert_same(db.get_metric_summary(days=3), summaries_of(recent, "metric_value", "metric_name", (50, 95, 99)))
    assert_same(db.get_metric_summary(value="sample_count"), summaries_of(model, "sample_count", "metric_name",
                                                                          (50, 95, 99)))


BAD = [
    ({"value": "mood"}, "mood"), ({"value": "task_type"}, "task_type"), ({"value": None}, "None"),
    ({"value": "\udc00"}, "value|surrogates"), ({"by": "agent_count"}, "agent_count"), ({"by": 3}, "by"),
    ({"percentiles": [101]}, "101"), ({"percentiles": [float("nan")]}, "nan"), ({"percentiles": range(17)}, "16"),
    ({"percentiles": 5}, "iterable"), ({"percentiles": ["x"]}, "real number|float"), ({"filters": 42}, "filters"),
    ({"filters": EngineFilters(min_confidence="x")}, "min_confidence"),
]


@pytest.mark.parametrize("keywords, reason", BAD)
def test_a_bad_question_has_no_figures_and_a_reason(db, open_database, keywords, reason):
    keywords = {"value": "agent_count", **keywords}
    assert db.aggregate(**keywords) == {} and re.search(reason, db.last_error)
    strict = open_database(":memory:", strict=True)
    with pytest.raises(knackdb.Error, match=reason):
        strict.aggregate(**keywords)


@pytest.mark.parametrize("keywords", [{"component": 3}, {"metric": b"x"}, {"days": "x"}, {"by": "metadatum"}])
def test_a_bad_question_about_measurements_likewise(db, keywords):
    assert db.get_metric_summary(**keywords) == {} and db.last_error


def test_a_closed_database_has_no_figures(open_database):
    closed = open_database(":memory:")
    closed.shutdown()
    assert closed.aggregate("agent_count") == {} and "initialize" in closed.last_error
    assert closed.get_metric_summary() == {}


class Closes:
    """A percentile that closes the database while it is asked for."""

    def __init__(self, db):
        self.db = db

    def __float__(self):
        self.db._close()
        return 50.0


def test_what_closes_the_database_on_the_way_is_noticed(open_database):
    db = open_database(":memory:")
    db.store_execution_pattern(EnginePattern("x"))
    assert db.aggregate("agent_count", percentiles=[Closes(db.database)]) == {}
    assert "initialize" in db.last_error
