"""Align tables for a terminal, and write scores as text."""

from collections.abc import Sequence

from keras_attend.zoo.results import METRICS, Result


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text: columns of numbers to the right, of words to the left."""
    lines = ["" for _ in range(1 + len(rows))]
    for name, *cells in zip(columns, *rows, strict=True):
        width = max(map(len, (name, *cells)))
        right = any(cell.replace(",", "").replace(".", "").isdigit() for cell in cells)
        for index, cell in enumerate((name, *cells)):
            padded = cell.rjust(width) if right else cell.ljust(width)
            lines[index] += f"  {padded}"
    return "\n".join(line[2:].rstrip() for line in lines)


def number(value: float | None) -> str:
    """Return a score with two or three decimal places; an empty text for None."""
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def metric(result: Result) -> str:
    """Return the name of a result's metric in words."""
    return METRICS[result.metric].words
