"""Copy MathJax and its fonts into the site: no page asks another host for it."""

import importlib.util
import shutil
from pathlib import Path

# What `conf.py` loads. The other files (speech, menus, SVG) are not needed.
FILES = ("startup.js", "core.js", "input/tex.js", "output/chtml.js")
FONTS = "output/chtml/fonts"


def copy_mathjax(folder: Path) -> None:
    """Copy the files of MathJax that pages load into a folder."""
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None or found.origin is None:
        raise RuntimeError("`pip install -r docs/requirements.txt` first")
    source = Path(found.origin).parent / "static" / "mathjax"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    shutil.copytree(source / FONTS, folder / FONTS)
