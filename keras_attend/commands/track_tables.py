"""Write boxes into a table, in the layouts that other programs read."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from keras_attend import disk

CSV_HEADER = "frame,object,x,y,w,h,present,score"
LAYOUTS = ("csv", "got10k", "otb", "mot")
ONE_OBJECT = ("got10k", "otb")  # the layouts that have a file for each object


class Row(NamedTuple):
    """What was found of one object in one frame."""

    frame: int  # from 0
    object: int  # from 1
    box: Sequence[float]  # x, y, w, h in pixels, 0-based
    present: bool
    score: float | None  # how sure the model is, if it says


def table_paths(path: Path, layout: str, count: int) -> list[Path]:
    """Return the files of a table of some objects.

    The layouts of GOT-10k and OTB know one object a file: of several, `boxes.txt`
    becomes `boxes.1.txt` and so on, as OTB names them.
    """
    if layout not in ONE_OBJECT or count == 1:
        return [path]
    return [
        path.with_name(f"{path.stem}.{number}{path.suffix}")
        for number in range(1, count + 1)
    ]


class BoxTable:
    """The table of boxes of one video.

    It is written line by line, so that it can be read while it grows. Layouts:

    * "csv": a header, then `frame,object,x,y,w,h,present,score`. Frames and pixels are
      counted from 0, objects from 1; `present` is 1 or 0; `score` is how sure the model
      is of that, in 0..1, and empty for a model that does not say.
    * "got10k" and "otb": `x,y,w,h` for each frame, pixels counted from 1.
    * "mot": `frame,object,x,y,w,h,score,-1,-1,-1`, all counted from 1; a frame in which
      an object is lost has no line.

    Args:
        path: the file; see `table_paths` for several objects.
        layout: one of `LAYOUTS`.
        count: the number of objects.
    """

    def __init__(self, path: Path, layout: str, count: int) -> None:
        self.layout = layout
        self.paths = table_paths(path, layout, count)
        self._files: list[TextIO] = []
        try:
            for file in self.paths:
                self._files.append(file.open("w", encoding="utf-8", buffering=1))
        except OSError:
            self.close()
            raise
        if layout == "csv":
            self._files[0].write(f"{CSV_HEADER}\n")

    def write(self, rows: Sequence[Row]) -> None:
        """Write a frame's rows, in the order of the objects."""
        for row in rows:
            file = self._files[row.object - 1 if len(self._files) > 1 else 0]
            with disk.explained(Path(file.name)):
                file.writelines(f"{line}\n" for line in _lines(row, self.layout))

    def close(self) -> None:
        """Close the files; on a full disk the last line may be half there."""
        for file in self._files:
            with suppress(OSError):
                file.close()


def _lines(row: Row, layout: str) -> Iterator[str]:
    """Yield a row's line, or none."""
    if layout == "csv":
        score = "" if row.score is None else f"{row.score:.3f}"
        box = _numbers(row.box)
        yield f"{row.frame},{row.object},{box},{int(row.present)},{score}"
        return
    x, y, w, h = row.box
    from_one = _numbers((x + 1, y + 1, w, h))
    if layout != "mot":
        yield from_one
    elif row.present:
        score = "1" if row.score is None else f"{row.score:.3f}"
        yield f"{row.frame + 1},{row.object},{from_one},{score},-1,-1,-1"


def _numbers(box: Sequence[Any]) -> str:
    return ",".join(f"{number:.2f}" for number in box)
