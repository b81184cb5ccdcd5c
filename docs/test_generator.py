"""Docstrings become Markdown with sections; links lead where they should."""

from pathlib import Path

import pytest
from generator.docstrings import markdown, parse
from generator.links import REPOSITORY, Links, Names
from generator.public_names import Reference

DOCSTRING = """Do a thing with $x$.

    thing(
        image)

The text goes on: it has a colon.

Args:
    size: one number,
        or two.

        A second paragraph.
    a, b: sides in pixels.
    **kwargs: of `Layer`.

Beside "boxes" it returns

* "window" `[B, 6]`: six numbers,
  in pixels.
* "steps" `[B, 2]` and "anchor" `[2]`: others.

* not: an output
"""


def test_sections():
    found = parse(DOCSTRING)
    assert found.text == (
        "Do a thing with $x$.\n\n    thing(\n        image)\n\n"
        "The text goes on: it has a colon.\n\n* not: an output"
    )
    outputs, arguments = found.sections
    assert outputs.heading == "Outputs" and outputs.intro.startswith("Beside")
    assert [item.term for item in outputs.items] == [
        '"window" `[B, 6]`',
        '"steps" `[B, 2]` and "anchor" `[2]`',
    ]
    assert [item.term for item in arguments.items] == ["size", "a, b", "**kwargs"]


def test_a_dict_that_is_returned_is_outputs():
    (found,) = parse("Returns a dict; of `B`:\n    logits: `[B]`, scores.").sections
    assert found.heading == "Outputs" and found.intro == "Returns a dict; of `B`:"
    assert found.items == [("logits", "`[B]`, scores.")]


def test_markdown_of_a_section():
    outputs, arguments = parse(DOCSTRING).sections
    assert markdown(arguments, 2, {"size": " (`int`)"}) == (
        "## Arguments\n\n`size` (`int`)\n: one number,\n  or two.\n\n"
        "  A second paragraph.\n\n`a`, `b`\n: sides in pixels.\n\n"
        "`**kwargs`\n: of `Layer`."
    )
    assert "`window` `[B, 6]`\n: six numbers,\n  in pixels." in markdown(outputs, 0)


def test_code_stays_one_block():
    fenced = "```python\na = 1\n\nif a:\n    b = 2\n```"
    assert parse(f"Text.\n\n{fenced}\n\nMore.").text == f"Text.\n\n{fenced}\n\nMore."


@pytest.fixture
def links(tmp_path):
    root = tmp_path / "root"
    for name in ("zoo/a/README.md", "zoo/a/recipe.py", "zoo/a/picture.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return Links(root, tmp_path / "out", {"zoo/a/README.md": "presets/a.md"})


def test_links(links, tmp_path):
    text = "[a](zoo/a/README.md#x) [r](zoo/a/recipe.py) ![p](zoo/a/picture.png) [w](https://w)"
    assert links.rewrite(text, "README.md", "papers/b.md") == (
        f"[a](../presets/a.md#x) [r]({REPOSITORY}/blob/main/zoo/a/recipe.py) "
        "![p](../pictures/zoo/a/picture.png) [w](https://w)"
    )
    assert (tmp_path / "out/pictures/zoo/a/picture.png").exists()
    fenced = "```\n[a](nowhere)\n```"
    assert links.rewrite(fenced, "README.md", "b.md") == fenced
    with pytest.raises(ValueError, match=r"README\.md links to gone\.md"):
        links.rewrite("[a](gone.md)", "README.md", "b.md")


@pytest.fixture(scope="module")
def names():
    root = Path(__file__).parents[1]
    return Names(Reference(root), {"ram_mnist": "presets/ram_mnist"})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("HART", "keras_attend.models.HART"),
        ("layers.Retina", "keras_attend.layers.Retina"),
        ("ka.zoo.load", "keras_attend.zoo.load"),
        ("Tracker.update", "keras_attend_runtime.FrameTracker.update"),
        ("HART.compile", "keras_attend.models.HART.compile"),
        ("update", None),
        ("Tracker", "keras_attend.Tracker"),
        ("fit", None),  # a model's, or `training.fit`
        ("keras.layers.Layer", None),
    ],
)
def test_names_in_code_become_links(names, name, path):
    linked = f"{{py:obj}}`{name} <{path}>`" if path else f"`{name}`"
    assert names.link(f"Of `{name}` here.") == f"Of {linked} here."
    for text in (f"# `{name}`", f"[`{name}`](a.md)", f"```\n`{name}`\n```"):
        assert names.link(text) == text


def test_presets_and_own_names(names):
    assert names.link("`ram_mnist`") == "{doc}`ram_mnist </presets/ram_mnist>`"
    assert names.link("`fit`", "keras_attend.training").startswith("{py:obj}")
    own = "keras_attend.models.HART"
    assert names.link("`HART`", "keras_attend.models", own) == "`HART`"
