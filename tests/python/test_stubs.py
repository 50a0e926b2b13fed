"""What type checkers are told is what is there: every name of the extension in its stubs, and the other way round; the
same arguments; and on everything public an annotation and words."""

import ast
import dataclasses
import inspect
import os

import pytest

import _knackdb
import knackdb

STUBS = os.path.join(os.path.dirname(knackdb.__file__), "..", "_knackdb.pyi")


def declared():
    with open(STUBS, encoding="utf-8") as file:
        return ast.parse(file.read()).body


def names_in(body):
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id


def own_names(thing):
    return {name for name in vars(thing) if not (name.startswith("__") and name.endswith("__"))}


def methods():
    for node in declared():
        if isinstance(node, ast.ClassDef) and node.name != "Ready":
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("__") and not each.decorator_list:
                    yield node.name, each


def test_every_name_of_the_extension_is_declared_and_there():
    assert set(names_in(declared())) == own_names(_knackdb)


@pytest.mark.parametrize("name", ["Database", "Column", "Ready"])
def test_every_member_is_declared_and_there(name):
    [node] = [each for each in declared() if isinstance(each, ast.ClassDef) and each.name == name]
    assert {each for each in names_in(node.body) if not each.startswith("__")} == own_names(getattr(_knackdb, name))


def test_arguments_are_declared_by_the_names_they_have():
    compared = 0
    for class_name, node in methods():
        if node.name.startswith("_"):   # has words instead of a signature
            continue
        signature = inspect.signature(getattr(getattr(_knackdb, class_name), node.name))
        given = node.args.args + node.args.kwonlyargs
        assert list(signature.parameters) == [each.arg for each in given], node.name
        defaults = {each.arg: ast.literal_eval(value) for each, value in
                    zip(node.args.args[len(node.args.args) - len(node.args.defaults):], node.args.defaults)}
        assert defaults == {name: each.default for name, each in signature.parameters.items()
                            if each.default is not inspect.Parameter.empty}, node.name
        compared += 1
    assert compared >= 12


def test_everything_public_is_there_annotated_and_described():
    assert len(set(knackdb.__all__)) == len(knackdb.__all__)
    for name in knackdb.__all__:
        thing = getattr(knackdb, name)
        assert name == "logger" or inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            assert set(thing.__annotations__) == set(inspect.signature(thing).parameters) | {"return"}, name
    for name in dir(knackdb.LearningDatabase):
        if not name.startswith("_"):
            assert inspect.getdoc(getattr(knackdb.LearningDatabase, name)), name
    for name, thing in vars(knackdb.LearningDatabase).items():
        if inspect.isfunction(thing) and (not name.startswith("_") or name == "__init__"):
            parameters = set(inspect.signature(thing).parameters) - {"self"}
            assert parameters <= set(thing.__annotations__), name
            assert name == "__init__" or "return" in thing.__annotations__, name
    public = {name for name, thing in vars(knackdb).items()
              if not name.startswith("_") and not inspect.ismodule(thing)}
    assert public <= set(knackdb.__all__), public - set(knackdb.__all__)


def test_the_marker_of_typed_packages_lies_beside_the_package():
    assert os.path.isfile(os.path.join(os.path.dirname(knackdb.__file__), "py.typed"))


@pytest.mark.parametrize("cls", [knackdb.ExecutionPattern, knackdb.PerformanceMetrics, knackdb.PatternFilters])
def test_the_signature_of_a_dataclass_is_that_of_its_fields(cls):
    parameters = inspect.signature(cls).parameters
    assert list(parameters) == [each.name for each in dataclasses.fields(cls)]
