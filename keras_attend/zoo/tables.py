"""Tables for a terminal."""

from collections.abc import Sequence

from keras_attend.zoo.results import METRICS, Result


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their columns' names: numbers to the right, words to the left.

    Args:
        columns: a name for each.
        rows: a text for each column.
    """
    cells = [list(columns), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [
        any(map(_is_number, column))
        for column in zip(*rows, strict=True)  # a column is of one kind
    ] or [False] * len(columns)
    lines = []
    for row in cells:
        padded = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def number(value: float | None) -> str:
    """A score to as many places as mean something; nothing for none."""
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def metric(result: Result) -> str:
    """What was measured, in words."""
    return METRICS[result.metric].words


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").isdigit()
