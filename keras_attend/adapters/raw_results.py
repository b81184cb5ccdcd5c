"""Write the boxes that a tracker finds, in the layouts of `got10k`'s raw results.

The toolkit's own `report` reads them, and so can anybody: a line `x,y,w,h` for each
frame, in pixels whose first one is 1, 1. The first line is the given box.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from keras_attend import disk
from keras_attend.adapters.got10k import ONE_BASED, Tracker
from keras_attend.arguments import check_choice
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.types import Array

# The files of a video's boxes and seconds, below a folder that has the tracker's name.
LAYOUTS = {
    "got10k": ("{video}/{video}_001.txt", "{video}/{video}_time.txt"),
    "otb": ("{video}.txt", "times/{video}_time.txt"),
}


def write_raw_results(
    tracker: Tracker, videos: Iterable[Video], folder: str | Path, layout: str
) -> Iterator[Path]:
    """Run a tracker once through each video, and write its boxes and seconds.

    Args:
        tracker: the tracker.
        videos: of `datasets.otb` or `datasets.got10k`.
        folder: the toolkit's folder of raw results, such as `results/GOT-10k` or
            `results/OTB2015`.
        layout: "got10k", or "otb" for what the toolkit's `ExperimentOTB` reads.

    Yields:
        The file of each video's boxes, which has a line for each frame. Before the
        object is first there, the lines hold the box that it then has.
    """
    check_choice("layout", layout, tuple(LAYOUTS))
    for video in videos:
        if not video.present.any():
            raise ValueError(
                "A video must show its object. Received: "
                f"{video.name!r}, {len(video)} frames without it"
            )
        start = int(np.argmax(video.present))
        first = video.boxes[start].astype("float64") + ONE_BASED
        found, taken = tracker.track(video.frames[start:], first)
        boxes = np.concatenate([np.repeat(first[None], start, 0), found])
        seconds = np.concatenate([np.zeros(start), taken])
        places = [
            Path(folder, tracker.name, p.format(video=video.name))
            for p in LAYOUTS[layout]
        ]
        for path, values, digits in zip(
            places, (boxes, seconds[:, None]), (3, 8), strict=True
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            disk.write(path, _lines(values, digits))
        yield places[0]


def _lines(values: Array, digits: int) -> str:
    rows = (",".join(f"{x:.{digits}f}" for x in row) for row in values)
    return "".join(f"{row}\n" for row in rows)
