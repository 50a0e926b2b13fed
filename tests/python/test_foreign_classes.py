"""Objects of any class go in as PyObject_GetAttr() would read them, though the extension reads most of them without it.

What is found out of a class is kept as long as the class stays as it is (attribute_places.c). So classes are made in
every way that Python has of keeping an attribute, are changed between two stores, and take turns; getattr() says
what must have been stored."""

import dataclasses
import random
import time

import pytest

from conftest import FIELDS, EngineMetrics, EnginePattern

VALUES = {
    "id": lambda r: f"pattern_{r.randrange(16 ** 8):08x}", "task_type": lambda r: f"task{r.randrange(5)}",
    "pattern_used": lambda r: r.choice(["way", "", "ü" * r.randrange(40), None]),
    "execution_time": lambda r: r.random() * 9,
    "success_rate": lambda r: r.choice([0, 1, r.random(), None]), "confidence_score": lambda r: r.random(),
    "agent_count": lambda r: r.choice([1, 2 ** 40, 3.0, True]),
    "complexity_level": lambda r: r.choice(["simple", None]),
    "tools_used": lambda r: r.choice([[], ["a", "b\n"], ("c",), None]),
    "context_factors": lambda r: r.choice([{}, {"k": [1, 2.5, None]}, None]),
    "created_at": lambda r: r.random() * 2e9, "updated_at": lambda r: time.time(),
    "usage_count": lambda r: r.randrange(9),
}


def class_of(r):
    """A class that keeps each field in a way of its own: in the object, in a slot, behind a property, in the class."""
    ways = r.choice([["dict"], ["slot"], ["dict", "dict", "class"], ["dict", "slot", "property", "class"]])
    way = {field: r.choice(ways) for field in FIELDS}
    slots = [field for field in FIELDS if way[field] == "slot"]
    names = {}
    if slots:
        names["__slots__"] = slots if ways == ["slot"] else slots + ["__dict__"]
    for field in FIELDS:
        if way[field] == "property":
            names[field] = property(lambda self, f=field: self.hidden[f])
        elif way[field] == "class":
            names[field] = VALUES[field](r)
    if ways == ["dict"] and r.random() < 0.3:  # asked for what it does not have
        names["__getattr__"] = lambda self, name: self.hidden[name]
        way = dict.fromkeys(FIELDS, "hidden")
    cls = type("Made", (), names)
    return type("Derived", (cls,), {"__slots__": ()} if ways == ["slot"] else {}) if r.random() < 0.3 else cls, way


def object_of(r, cls, way):
    made = cls()
    hidden = {field: VALUES[field](r) for field in FIELDS}
    if "slot" not in way.values() or len(set(way.values())) > 1:
        made.hidden = hidden
    for field in r.sample(FIELDS, len(FIELDS)):  # the order is the dict's
        if way[field] in ("dict", "slot") or way[field] == "class" and r.random() < 0.5:
            setattr(made, field, hidden[field])
    if r.random() < 0.3 and hasattr(made, "__dict__"):
        vars(made)["more"] = 1
    return made


def as_stored(thing):
    """What a retrieve must give for it."""
    values = {field: getattr(thing, field) for field in FIELDS}
    for field in ("success_rate", "execution_time", "confidence_score"):
        values[field] = None if values[field] is None else float(values[field])
    values["agent_count"] = int(values["agent_count"])
    if values["tools_used"] is not None:
        values["tools_used"] = list(values["tools_used"])
    return values


def look(row):
    return {field: getattr(row, field) for field in FIELDS}


@pytest.mark.parametrize("seed", range(40))
def test_every_way_to_keep_an_attribute(memory_db, seed):
    r = random.Random(seed)
    classes = [class_of(r) for _ in range(6)]
    for _ in range(12):
        things = [object_of(r, *r.choice(classes)) for _ in range(r.randrange(1, 9))]
        expected = {thing.id: as_stored(thing) for thing in things}
        assert memory_db.store_execution_patterns(things) if len(things) > 1 else \
            memory_db.store_execution_pattern(things[0]), memory_db.last_error
        for id, values in expected.items():
            assert look(memory_db.get_pattern(id)) == values


class Plain(EnginePattern):
    pass


def stored(db, thing):
    assert db.store_execution_pattern(thing), db.last_error
    return db.get_pattern(thing.id)


def test_a_class_that_changes_between_two_stores(memory_db):
    class Changing(EnginePattern):
        pass
    thing = Changing("one", task_type="object's")
    assert stored(memory_db, thing).task_type == "object's"
    Changing.task_type = "the class's, and the object's comes first"
    assert stored(memory_db, thing).task_type == "object's"
    Changing.task_type = property(lambda self: "property's")
    assert stored(memory_db, thing).task_type == "property's"
    del Changing.task_type
    assert stored(memory_db, thing).task_type == "object's"
    EnginePattern.task_type = property(lambda self: "base's")
    try:
        assert stored(memory_db, thing).task_type == "base's"
    finally:
        del EnginePattern.task_type
    Changing.__getattribute__ = lambda self, name: \
        "asked" if name == "task_type" else object.__getattribute__(self, name)
    assert stored(memory_db, thing).task_type == "asked"
    del Changing.__getattribute__
    assert stored(memory_db, thing).task_type == "object's"


def test_an_object_that_changes_between_two_stores(memory_db):
    thing = Plain("one")
    stored(memory_db, thing)
    vars(thing)["task_type"] = "through vars"
    assert stored(memory_db, thing).task_type == "through vars"
    thing.__dict__ = dict(vars(thing), task_type="a new dict")
    assert stored(memory_db, thing).task_type == "a new dict"
    del thing.task_type
    assert not memory_db.store_execution_pattern(thing)
    assert "task_type" in memory_db.last_error
    Plain.task_type = "class's"
    try:
        assert stored(memory_db, thing).task_type == "class's"
    finally:
        del Plain.task_type
    other = Plain("two")
    for i in range(60):  # more than the names that objects of a class share
        setattr(other, f"more{i}", i)
    other.task_type = "among many"
    assert stored(memory_db, other).task_type == "among many"
    other.__class__ = EnginePattern
    assert stored(memory_db, other).task_type == "among many"


def test_an_object_without_an_attribute_that_others_of_its_class_have(memory_db):
    whole, lacking = Plain("whole"), Plain("lacking")
    del lacking.usage_count
    assert not memory_db.store_execution_patterns([whole, lacking, whole])
    assert "usage_count" in memory_db.last_error and memory_db.get_pattern("whole") is None
    assert memory_db.store_execution_pattern(whole)


@pytest.mark.parametrize("slots", [False, True])
def test_dataclasses_with_and_without_slots(memory_db, slots):
    options = {"slots": True} if slots else {}
    try:
        cls = dataclasses.make_dataclass("Made", FIELDS, **options)
    except TypeError:
        pytest.skip("dataclasses have no slots before 3.10")
    source = EnginePattern("one")
    thing = cls(**{field: getattr(source, field) for field in FIELDS})
    for round in range(3):
        thing.usage_count = round
        row = stored(memory_db, thing)
        assert look(row) == look(source) | {"usage_count": round}


def test_a_key_whose_comparison_throws_the_dict_away(memory_db):
    class Key(str):
        def __hash__(self):
            return hash("task_type")

        def __eq__(self, other):
            if str(other) == "task_type":
                thing.__dict__ = {"id": "gone"}
            return False
    thing = Plain("one")
    values = dict(vars(thing))
    del values["task_type"]
    thing.__dict__ = {**values, Key("x"): 1, "task_type": "found"}
    assert memory_db.store_execution_pattern(thing) in (True, False)
    assert memory_db.store_execution_pattern(Plain("two"))


def test_metrics_are_read_the_same_way(memory_db):
    class Timed(EngineMetrics):
        metric_value = property(lambda self: 7.0, lambda self, value: None)
    for metric in (EngineMetrics(), Timed(), EngineMetrics()):
        assert memory_db.store_performance_metric(metric)
    assert sorted(row.metric_value for row in memory_db.get_performance_history("router")) == [7.0, 80.0, 80.0]
