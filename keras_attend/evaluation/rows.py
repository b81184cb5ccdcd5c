"""Rows of a `results.json`: a protocol's number with its spread and its baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_attend.zoo.results import Result


def row(
    metric: str,
    protocol: str,
    values: Any,
    paper: float | None,
    baselines: Mapping[str, float],
    decimals: int = 4,
    **origin: Any,
) -> Result:
    """Make a row of the values `[n]` of n runs.

    Args:
        metric, protocol, paper, baselines: as of `zoo.Result`.
        values: their mean, the least and the greatest of them enter the row.
        decimals: the baselines are rounded to so many.
        **origin: more attributes of the result, such as `setting`.
    """
    found = np.asarray(values, "float64")
    return Result(
        metric=metric,
        protocol=protocol,
        value=round(float(found.mean()), 4),
        min=round(float(found.min()), 4),
        max=round(float(found.max()), 4),
        n=len(found),
        paper=paper,
        baselines={n: round(float(v), decimals) for n, v in baselines.items()},
        **origin,
    )


def attribute_row(
    metric: str,
    protocol: str,
    attribute: str,
    scores: tuple[Sequence[Any], Mapping[str, Any]],
    paper: Mapping[str, float] | None,
) -> Result:
    """Make a row of an attribute of trackers' scores, in the mean over videos.

    Args:
        metric, protocol: as of `row`.
        attribute: of each score.
        scores: those of the trackers, and those of the baselines by name.
        paper: the paper's numbers, by attribute.
    """

    def mean(score: Any) -> float:
        return float(np.mean(getattr(score, attribute)))

    values = [mean(score) for score in scores[0]]
    baselines = {name: mean(score) for name, score in scores[1].items()}
    return row(metric, protocol, values, (paper or {}).get(attribute), baselines)
