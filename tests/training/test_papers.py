"""The papers' pages: what they show, and that they show what is stored."""

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from keras_attend import zoo
from keras_attend.training import cards, papers
from keras_attend.training.papers.__main__ import main
from keras_attend.training.papers.origins import differences, labelled
from keras_attend.training.papers.page import PaperPage
from keras_attend.training.papers.rows import (
    PAPERS,
    Sources,
    as_written,
    read_paper,
)
from keras_attend.training.papers.words import filled
from keras_attend.zoo.presets import info, presets_folder
from keras_attend.zoo.results import read_results
from keras_attend.zoo.tables import number

pytestmark = pytest.mark.packaging
ZOO = presets_folder()
ROOT = ZOO.parent


def test_pages_and_labels_are_up_to_date():
    assert main(["--check"]) == 0, "run `make papers`"


def cells(table):
    """The rows of a Markdown table, each a dict by its columns."""
    head, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    ]
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_nothing_of_ours_stands_beside_a_papers_number_unexplained():
    """In README's table: a number is of the paper's setting, or says what differs."""
    names = zoo.list_models()
    presets = [(info(name), read_results(ZOO / name)) for name in names]
    rows = cells(cards.short_table(presets, "zoo/", as_written(ZOO)))
    beside = [row for row in rows if row["paper"]]
    assert len(beside) >= 10
    for row in beside:
        assert bool(row["ours"]) == bool(row["ours differs"]), row
        assert row["paper's setting, by us"], row


def test_such_a_number_is_refused():
    row = zoo.Result("mean_iou", "clips/3_frames", 0.5, 0.5, 0.5, 1, paper=0.4)
    with pytest.raises(ValueError, match="must say in `differences` what differs"):
        cards.beside_paper("ram_mnist", row, "0.5", {}, "card.md")
    known = {("ram_mnist", row.protocol, row.metric): 0.3}
    told = replace(row, differences=("a", "b"))
    assert cards.beside_paper("ram_mnist", told, "0.5", known, "card.md") == [
        "0.300",
        "0.5",
        "[in 2 points](card.md)",
    ]
    own = replace(row, setting="paper")
    assert cards.beside_paper("ram_mnist", own, "0.5", {}, "card.md") == ["0.5", "", ""]


@pytest.mark.parametrize("key", PAPERS)
def test_every_row_says_where_it_stands(key):
    """A number in a column, or why there is none; how it is made; no key twice."""
    paper, sources = read_paper(ZOO, key), Sources(ZOO)
    keys = [row.key for row in paper.rows]
    assert len(set(keys)) == len(keys)
    assert set(sources.measured(key)) <= set(keys)
    for row in paper.rows:
        ours = sources.ours(row)
        assert ours or row.no_data or row.paper is None, row.key
        if ours is not None and row.paper is not None:
            assert ours.differences, row.key
        commands = [c for c in (row.command, ours and ours.command) if c]
        assert commands, row.key
        for command in commands:
            script = re.search(r"python (\S+)", command)[1]
            assert (ROOT / script).is_file(), command
    for figure in paper.figures:
        assert figure["name"] and figure["words"]
        if "picture" in figure:
            assert (ROOT / figure["picture"]).is_file()


def test_the_papers_tables_are_whole():
    """RAM's 24 rows and Catch, RATM's 6, HART's table 1, DRLT's table 1."""
    counts = {
        key: sum(row.paper is not None for row in read_paper(ZOO, key).rows)
        for key in PAPERS
    }
    assert counts == {"ram": 25, "ratm": 6, "hart": 6, "drlt": 10}


CONFIG = {
    "class_name": "RATM",
    "config": {
        "cell": {"class_name": "Cell", "config": {"size": 10, "features": None}},
        "objectives": {"pixel": 1.0},
    },
}


def test_differences_are_read_from_the_configuration():
    """Of objects inside objects; an argument that is absent is None."""
    spec = [
        ["cell.size", 5, "{ours} pixels"],
        ["cell.size", 10, "never"],
        ["cell.features", "*", "no features"],
        ["cell", "*", "never"],
        ["objectives.pixel", None, "pixels at {ours}"],
        ["objectives.overlap", None, "never"],
        ["penalty.of.nothing", "all", "no penalty"],
    ]
    assert differences(CONFIG, spec) == [
        "10 pixels",
        "no features",
        "pixels at 1.0",
        "no penalty",
    ]


def test_labels():
    row = zoo.Result("mean_iou", "clips/3_frames", 0.5, 0.5, 0.5, 1, paper=0.4)
    about = {"task": "balls", "trained_on": "A", "chosen_on": "B"}
    origins = {
        "as_written": {"balls": [["cell.size", 5, "{ours} pixels"]]},
        "presets": {"one": about},
    }
    (found,) = labelled("one", CONFIG, [row], origins)
    assert (found.setting, found.differences) == ("ours", ("10 pixels",))
    assert (found.trained_on, found.chosen_on, found.value) == ("A", "B", 0.5)
    origins["as_written"]["balls"] = []
    (found,) = labelled("one", CONFIG, [row], origins)
    assert (found.setting, found.differences) == ("paper", ())
    about["rows"] = {"clips/3_frames": {"trained_on": "C"}}
    assert labelled("one", CONFIG, [row], origins)[0].trained_on == "C"
    assert labelled("another", CONFIG, [row], origins) == [row]


ROW = {"key": "a", "name": "A", "paper": 5.0, "command": "python a.py"}


@pytest.fixture
def small(tmp_path):
    """A paper of one table, in a folder of presets that has none."""
    folder = tmp_path / "zoo" / "papers"
    folder.mkdir(parents=True)
    (tmp_path / "ours.csv").write_text("row,value,min,max,n\nA,4.0,3.5,4.5,5\n")
    (tmp_path / "ours.md").write_text("| B | 1,000 | 900 | 1,100 |\n")

    def write(*rows, **section):
        content = {
            "title": "RAM",
            "paper": "Nobody 2014",
            "about": [],
            "sections": [
                {
                    "heading": "Table 1",
                    "metric": "error_percent",
                    "data": "digits",
                    "rows": [ROW | row for row in rows],
                    **section,
                }
            ],
            "figures": [{"name": "Figure 1", "words": "A drawing."}, FIGURE],
        }
        (folder / "ram.json").write_text(json.dumps(content))
        zoo_folder = folder.parent
        return PaperPage(read_paper(zoo_folder, "ram"), Sources(zoo_folder)).text()

    write.folder = folder
    return write


FIGURE = {"name": "Figure 2", "words": "Boxes.", "paper_picture": "boxes.png"}


def test_a_figure_in_the_papers_setting(small):
    """It is shown as soon as it is drawn."""
    assert "Boxes.\n\nIn the paper's setting it is not drawn yet.\n" in small({})
    (small.folder.parents[1] / "boxes.png").touch()
    shown = "![Figure 2, in the paper's setting](../../boxes.png)"
    assert f"In the paper's setting, by us:\n\n{shown}\n" in small({})


def of_a(page):
    return next(line for line in page.splitlines() if line.startswith("| A"))


def test_a_page(small):
    source = {"csv": "ours.csv", "where": {"row": "A"}}
    page = small({"ours": source, "differences": ["another core", "another loss"]})
    assert of_a(page) == (
        "| A | 5.00 | not measured yet | **4.00** (3.50 to 4.50, 5 passes) | 1, 2 "
        "| `python a.py` |"
    )
    assert "1. another core\n2. another loss\n" in page
    assert "Of the 1 rows whose number can be compared, 0 reach" in page


def test_a_page_with_the_papers_setting(small):
    """As `record` has stored it; the row's last number is replaced."""
    small({})
    args = argparse.Namespace(device="a CPU")
    for value in (7.0, 4.5):
        row = zoo.Result(
            "error_percent", "a/b", value, value, value, 1, 5.0, setting="paper"
        )
        folder = small.folder / "measured"
        papers.record("ram", "a", row, args, runs="1 seed", seconds=3, folder=folder)
    page = small({})
    assert of_a(page).startswith("| A | 5.00 | **4.50** (1 seed) |  |")
    assert "can be compared, 1 reach" in page
    # Data of another kind: nothing is reached, whatever the number.
    page = small({}, only_order=True)
    assert of_a(page).startswith("| A | 5.00 | 4.50 (1 seed) |  |")
    assert "No row can be compared with the paper's number." in page


def test_a_page_without_data(small):
    source = {"csv": "ours.csv", "where": {"row": "A"}}
    page = small({"no_data": "nearest: B", "ours": source, "differences": ["videos"]})
    assert "| not measured: no data (nearest: B) | 4.00 (3.50 to" in of_a(page)
    assert "No row can be compared with the paper's number." in page


def test_other_sources(small):
    page = small({"ours": {"table": "ours.md", "row": "B", "column": 1}})
    assert "| 1000.00 |" in of_a(page)
    more = {"ends": [2, 3], "runs": "3 seeds"}
    page = small({"ours": {"table": "ours.md", "row": "B", "column": 1, **more}})
    assert "| 1000.00 (900.00 to 1100.00, 3 seeds) |" in of_a(page)
    with pytest.raises(ValueError, match=r"must have a table with a row 'C'"):
        small({"ours": {"table": "ours.md", "row": "C", "column": 1}})
    with pytest.raises(ValueError, match=r"ours\.csv must have one row with"):
        small({"ours": {"csv": "ours.csv", "where": {"row": "C"}}})
    small({})
    (Path(small.folder) / "a.json").write_text('{"b": [1.5, 2.5]}')
    page = small({"ours": {"json": "zoo/papers/a.json", "at": ["b", 1]}})
    assert "| **2.50** |" in of_a(page)


def test_words_name_numbers_where_they_are_stored(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "a.json").write_text('{"b": [0.25, 7]}')
    zoo_ = tmp_path / "zoo"
    assert filled("x {a.json:b:0}, {y}", zoo_) == "x 0.250, {y}"
    (row, *_) = read_results(ZOO / "ram_mnist").results
    place = f"ram_mnist:{row.protocol}:{row.metric}"
    assert filled("{" + place + "} %", ZOO) == f"{number(row.value)} %"
    with pytest.raises(ValueError, match="must have the row that a page's words name"):
        filled("{ram_mnist:a/b:c}", ZOO)


def test_what_is_recorded_is_of_the_papers_setting(tmp_path):
    row = zoo.Result("error_percent", "a/b", 1.0, 1.0, 1.0, 1, 5.0, differences=["x"])
    args = argparse.Namespace(device="a CPU")
    with pytest.raises(ValueError, match="must be of the setting 'paper'"):
        papers.record("ram", "a", row, args, runs="", seconds=1, folder=tmp_path)
    assert not list(tmp_path.iterdir())
