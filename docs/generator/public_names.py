"""Find the public names of the packages in their source, without importing them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import griffe

PACKAGES = ("keras_attend", "keras_attend_runtime")
# What Keras asks of every layer or model, and its own pages describe.
KERAS_METHODS = {
    "build",
    "build_from_config",
    "compile_from_config",
    "compute_mask",
    "compute_output_shape",
    "compute_output_spec",
    "from_config",
    "get_build_config",
    "get_compile_config",
    "get_config",
    "load_own_variables",
    "save_own_variables",
}


@dataclass(frozen=True)
class Entry:
    """A public name, and what it stands for.

    Attributes:
        module: the module that exports it, such as `keras_attend.models`.
        name: its name there.
        definition: the class, function or value, as Griffe read it.
    """

    module: str
    name: str
    definition: Any = field(repr=False)

    @property
    def path(self) -> str:
        """The name with its module."""
        return f"{self.module}.{self.name}"

    @property
    def is_class(self) -> bool:
        """Whether it is a class, which has a page of its own."""
        return self.definition.is_class

    @property
    def docstring(self) -> str:
        """The docstring, without indentation; empty if there is none."""
        found = self.definition.docstring
        return found.value if found else ""


@dataclass
class Module:
    """A public module with its public names.

    Attributes:
        path: the name by which it is imported.
        docstring: what it says of itself.
        entries: its names, in the order of the alphabet.
    """

    path: str
    docstring: str
    entries: list[Entry]

    @property
    def short(self) -> str:
        """The name without the package's."""
        return self.path.removeprefix("keras_attend.")


class Reference:
    """All public names of both packages."""

    def __init__(self, root: Path) -> None:
        packages = {
            name: griffe.load(name, search_paths=[str(root)], resolve_aliases=True)
            for name in PACKAGES
        }
        package, runtime = (packages[name] for name in PACKAGES)
        own: list[Entry] = []
        self.modules: list[Module] = []
        objects = objects_of(package)
        for name in exported(package):
            if name in objects:
                found = package[objects[name]][name]
                own.append(Entry(package.path, name, target(found)))
            else:
                self.modules.append(module(f"{package.path}.{name}", package[name]))
        docstring = package.docstring.value
        self.modules.insert(0, Module(package.path, docstring, own))
        self.modules.append(module(runtime.path, runtime))
        self.root = root

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over the names of all modules."""
        return (entry for module in self.modules for entry in module.entries)

    @cached_property
    def by_definition(self) -> dict[str, Entry]:
        """The public name of each definition, by the path at which it is defined."""
        return {entry.definition.path: entry for entry in reversed([*self])}

    def methods(self, entry: Entry) -> list[Any]:
        """Return what a class's page describes: its own methods, and hidden bases'."""
        found = []
        for name, member in entry.definition.all_members.items():
            if name.startswith("_") or name in KERAS_METHODS:
                continue
            definition = target(member)
            owner = self.by_definition.get(definition.parent.path)
            mine = owner is None or owner.definition.path == entry.definition.path
            shown = definition.is_function or "property" in definition.labels
            if mine and shown and definition.docstring:
                found.append(definition)
        # Its own methods first, then those of its bases.
        return sorted(found, key=lambda x: x.parent.path != entry.definition.path)

    def public_bases(self, entry: Entry) -> list[Entry]:
        """Return the public classes from which a class inherits, nearest first."""
        known = (self.by_definition.get(base.path) for base in entry.definition.mro())
        return [base for base in known if base is not None]


def target(found: Any) -> Any:
    """Return the definition behind a name that may be imported from elsewhere."""
    definition = found.final_target if found.is_alias else found
    # A function whose module has the same name, as `export` has.
    if definition.is_module and found.name in definition.members:
        return target(definition[found.name])
    return definition


def objects_of(package: Any) -> dict[str, str]:
    """Return the package's `OBJECTS`: public names that are not modules."""
    keys, values = package["OBJECTS"].value.keys, package["OBJECTS"].value.values
    return {text(key): text(value) for key, value in zip(keys, values, strict=True)}


def text(expression: Any) -> str:
    """Return the content of a string in the source."""
    return str(expression).strip("'\"")


def exported(module: Any) -> list[str]:
    """Return a module's public names: `__all__`, or all that it defines."""
    if module.exports is not None:
        names = [text(getattr(name, "name", name)) for name in module.exports]
    else:
        names = [
            name
            for name, member in module.members.items()
            if not (name.startswith("_") or member.is_alias)
            and (member.is_class or member.is_function)
        ]
    return sorted(names, key=str.lower)


def module(path: str, found: Any) -> Module:
    """Return a public module."""
    found = target(found)
    entries = [Entry(path, name, target(found[name])) for name in exported(found)]
    return Module(path, found.docstring.value, entries)
