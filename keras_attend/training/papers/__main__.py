"""Write the papers' pages, docs/papers/*.md, from stored results.

python -m keras_attend.training.papers           label results.json, write the pages
python -m keras_attend.training.papers --check   fail if one of these is out of date
"""

import argparse

from keras_attend import disk
from keras_attend.training.papers.origins import relabelled
from keras_attend.training.papers.page import pages
from keras_attend.training.papers.plot import plot_paper
from keras_attend.training.papers.rows import PAPERS, Sources, read_paper
from keras_attend.zoo.presets import presets_folder


def main(arguments: list[str] | None = None) -> int:
    """Write the labels, pages and pictures, or check labels and pages."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check: bool = parser.parse_args(arguments).check
    zoo = presets_folder()
    papers = [read_paper(zoo, key) for key in PAPERS]
    stale = 0
    # The labels first: the pages are made of them.
    for make in (lambda: relabelled(zoo), lambda: pages(zoo, papers)):
        for path, text in make().items():
            if path.is_file() and path.read_text("utf-8") == text:
                continue
            stale += 1
            print(f"{'out of date' if check else 'written'}: {path}")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                disk.write(path, text)
    if not check:
        folder = zoo.parent / "docs" / "papers"
        for paper in papers:
            plot_paper(paper, Sources(zoo), folder / f"{paper.key}.png")
    return int(check and stale > 0)


if __name__ == "__main__":
    raise SystemExit(main())
