"""Draw the rows of a paper: its numbers, and ours in both settings."""

from pathlib import Path
from typing import Any

from keras_attend.plots.common import finish, plain, pyplot
from keras_attend.training.papers.rows import Paper, Section, Sources
from keras_attend.zoo.results import METRICS

STYLES: dict[str, dict[str, Any]] = {
    "paper": {"marker": "o", "color": "0.55"},
    "paper's setting, by us": {"marker": "D", "color": "tab:orange"},
    "ours": {"marker": "s", "color": "tab:blue"},
}


def plot_paper(paper: Paper, sources: Sources, path: Path) -> Any:
    """Draw a panel for each table that has numbers of the paper.

    Args:
        paper: its rows.
        sources: looks up our numbers.
        path: the file to write the picture to.
    """
    plt = pyplot()
    panels = [
        (section, metric)
        for section in paper.sections
        for metric in dict.fromkeys(r.metric for r in section.rows if r.paper)
        if metric in METRICS
    ]
    counts = [len(_rows(*panel)) for panel in panels]
    figure, axes = plt.subplots(
        len(panels),
        figsize=(9, 0.9 * len(panels) + 0.28 * sum(counts)),
        height_ratios=[n + 1 for n in counts],
        squeeze=False,
        layout="constrained",
    )
    for axis, (section, metric) in zip(axes[:, 0], panels, strict=True):
        rows = _rows(section, metric)
        columns = {
            "paper": [row.paper for row in rows],
            "paper's setting, by us": [
                _value(sources.in_papers_setting(paper.key, row)) for row in rows
            ],
            "ours": [_value(sources.ours(row)) for row in rows],
        }
        places = range(len(rows), 0, -1)
        for name, values in columns.items():
            points = [(v, y) for v, y in zip(values, places, strict=True) if v]
            if points:
                axis.plot(*zip(*points, strict=True), ls="", label=name, **STYLES[name])
        axis.set_yticks(places, [row.name for row in rows], fontsize=8)
        axis.set_ylim(0.4, len(rows) + 0.6)
        axis.set_xlim(0, 1.04 * axis.dataLim.x1)  # no point is cut by the edge
        axis.set_title(f"{section.heading}: {METRICS[metric].words}", fontsize=9)
        plain(axis)
    axes[0, 0].legend(
        frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1)
    )
    found = finish(figure, path)
    plt.close(figure)
    return found


def _rows(section: Section, metric: str) -> list[Any]:
    return [r for r in section.rows if r.metric == metric and r.paper is not None]


def _value(score: Any) -> float | None:
    return None if score is None else score.value
