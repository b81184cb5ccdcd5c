"""Sphinx's settings for the site that `python docs/generator` assembles and builds."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/keras-attend/keras_attend"
CITED = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

project = "keras_attend"
author = "The keras_attend authors"
project_copyright = author
release = next(x.split()[1] for x in CITED.splitlines() if x.startswith("version:"))
version = release

extensions = ["myst_nb", "sphinx.ext.mathjax"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nb_execution_mode = "off"  # the stored outputs are shown
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # no widgets, nothing from a CDN
smartquotes = False
maximum_signature_line_length = 78
add_module_names = False
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
highlight_language = "python"
suppress_warnings: list[str] = []

html_theme = "furo"
html_title = "keras_attend"
html_static_path = [str(ROOT / "docs" / "_build" / "source" / "_static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {
    "source_repository": f"{REPOSITORY}/",
    "footer_icons": [],
    "light_css_variables": {"color-brand-primary": "#0b6b57"},
}

# MathJax and its fonts are in the site.
mathjax_path = "mathjax/startup.js"
mathjax3_config = {
    "loader": {"load": ["core", "input/tex", "output/chtml"]},
    "options": {"enableMenu": False},
}
