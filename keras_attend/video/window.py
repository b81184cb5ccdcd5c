"""Ask for boxes in a window of OpenCV's.

`boxes_from_window` runs this file as a program of its own: in one process PyAV and
OpenCV, which bring different versions of the same libraries, can stop each other.
"""

import importlib.util
import io
import json
import subprocess
import sys
from typing import Any

import numpy as np

TITLE = "keras-attend track"


def boxes_from_window(frame: Any) -> list[list[float]]:
    """Return the boxes `[x, y, w, h]` that a person draws in a window.

    Args:
        frame: `[H, W, 3]` uint8, red first.
    """
    if importlib.util.find_spec("cv2") is None:
        raise ImportError(
            "A window needs OpenCV: pip install opencv-python. The page in the browser "
            "needs nothing."
        )
    file = io.BytesIO()
    np.save(file, frame)
    # `-P`: the modules beside this file are not to be found by their short names.
    command = [sys.executable, "-P", __file__]
    found = subprocess.run(command, input=file.getvalue(), capture_output=True)
    if found.returncode:
        lines = found.stderr.decode(errors="replace").split("\n")
        why = next(
            (line for line in reversed(lines) if line.strip()), "no reason given"
        )
        raise ValueError(
            "OpenCV could not open a window. It needs a screen, and windows, which "
            f"opencv-python-headless lacks: {why.strip()}"
        )
    # OpenCV writes its own hints before.
    boxes: list[list[float]] = json.loads(found.stdout.splitlines()[-1])
    # Enter pressed twice gives a box twice.
    kept = dict.fromkeys((x, y, w, h) for x, y, w, h in boxes if w > 0 and h > 0)
    return [list(box) for box in kept]


def _main() -> None:
    import cv2

    frame = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    boxes: Any = cv2.selectROIs(TITLE, np.ascontiguousarray(frame[..., ::-1]))
    print()
    print(json.dumps(np.asarray(boxes, "float64").reshape(-1, 4).tolist()))


if __name__ == "__main__":
    _main()
