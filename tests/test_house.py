"""Rules of the house that no linter knows: sizes, places, names that are not public."""

import ast
from pathlib import Path

import pytest

import keras_attend

pytestmark = pytest.mark.packaging

PACKAGE = Path(keras_attend.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# What stands in the package's root, beside the folders of `pyproject.toml`'s contract.
ROOT = {
    *("__init__.py", "__main__.py", "py.typed"),
    *("arguments.py", "types.py", "compat.py", "disk.py", "distributed.py"),
    *("compiling.py", "startup.py"),
    *(
        "boxes.py",
        "callbacks.py",
        "optimizers.py",
        "reinforce.py",
        "policies.py",
        "losses.py",
    ),
    *("metrics.py", "unroll.py"),
}
NOT_PUBLIC = ("keras.src", "jax._src", "tensorflow.python")


def name(path):
    return str(path.relative_to(PACKAGE))


def test_root_holds_what_it_should():
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == ROOT


def test_modules_are_short():
    long = {name(p): n for p in MODULES if (n := len(p.read_text().splitlines())) > 300}
    assert not long


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def defined(tree):
    """Every name that a module gives to something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("self", "cls")
        ):
            yield node.attr


TREES = {path: ast.parse(path.read_text()) for path in MODULES}
OWN = {found for tree in TREES.values() for found in defined(tree)}


def foreign(tree):
    """Non-public names that a module takes from other packages."""
    for module in imported(tree):
        if f"{module}.".startswith(tuple(f"{prefix}." for prefix in NOT_PUBLIC)):
            yield module
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not (node.attr.startswith("__") and node.attr.endswith("__"))
            and node.attr not in OWN
        ):
            yield f"{ast.unparse(node)}, line {node.lineno}"


def test_other_packages_private_names_are_compats():
    found = {name(p): names for p in MODULES if (names := [*foreign(TREES[p])])}
    assert set(found) == {"compat.py"}, found


def test_the_rule_sees_what_it_forbids():
    seen = [*foreign(ast.parse("from keras.src import x\nimport jax\njax._src.core\n"))]
    assert seen == ["keras.src.x", "jax._src, line 3"]
