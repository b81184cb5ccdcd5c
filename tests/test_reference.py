"""The site's reference, which reads the source, has every name that is importable."""

import sys
import types
from pathlib import Path

import pytest

import keras_attend
import keras_attend_runtime

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def reference():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from generator.public_names import Reference
    finally:
        sys.path.remove(str(ROOT / "docs"))
    return Reference(ROOT)


def public(module):
    """A module's `__all__`, or else the classes and functions that it defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        own = {k: v for k, v in vars(module).items() if not k.startswith("_")}
        names = [
            name
            for name, value in own.items()
            if isinstance(value, types.FunctionType | type)
            and value.__module__ == module.__name__
        ]
    return {f"{module.__name__}.{name}" for name in names}


def test_every_public_name_is_in_it(reference):
    names = public(keras_attend_runtime)
    modules = set()
    for name in keras_attend.__all__:
        found = getattr(keras_attend, name)
        if isinstance(found, types.ModuleType):
            names |= public(found)
            modules.add(found.__name__)
        else:
            names.add(f"keras_attend.{name}")
    assert {entry.path for entry in reference} == names
    packages = {"keras_attend", "keras_attend_runtime"}
    assert {module.path for module in reference.modules} == modules | packages


def test_every_class_and_function_says_what_it_is(reference):
    silent = [e.path for e in reference if not e.docstring]
    values = [e.path for e in reference if e.definition.is_attribute]
    assert silent == values  # a value is described by its comment


def test_a_name_that_is_missing_is_noticed(reference, monkeypatch):
    monkeypatch.setattr(keras_attend, "__all__", [*keras_attend.__all__, "types"])
    monkeypatch.setattr(
        keras_attend, "types", types.ModuleType("keras_attend.types"), raising=False
    )
    with pytest.raises(AssertionError):
        test_every_public_name_is_in_it(reference)
