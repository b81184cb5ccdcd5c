"""Check and convert the frames and boxes that users give, in NumPy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pillow's weights of red, green and blue in grey, in 65536ths.
GREY = (19595, 38470, 7471)


# The next two functions use operators alone: they take arrays and tensors alike.


def grey_of(red: Any, green: Any, blue: Any, floats: bool) -> Any:
    """Return the grey of colours, floats in 0..1 or integers of 0..255 (not uint8)."""
    if floats:
        red, green, blue = (
            x * (k / 65536) for x, k in zip((red, green, blue), GREY, strict=True)
        )
        return red + green + blue
    return (red * GREY[0] + green * GREY[1] + blue * GREY[2] + 32768) // 65536


def is_in_frame(x: Any, y: Any, w: Any, h: Any, height: int, width: int) -> Any:
    """Return whether a box is finite, has an area and overlaps the frame."""
    across = (w > 0) & (-w < x) & (x < width)  # NaN is in no range
    down = (h > 0) & (-h < y) & (y < height)
    return across & down & (w + h < math.inf)


def checked_frame(frame: Any) -> NDArray[Any]:
    """Return a user's frame as `[H, W, 1]` or `[H, W, 3]`, uint8 or float32."""
    frame = np.asarray(frame)
    if frame.ndim == 2:
        frame = frame[..., None]
    if frame.ndim != 3 or frame.shape[-1] not in (1, 3):
        raise ValueError(
            "A frame must be grey, [H, W] or [H, W, 1], or colour, [H, W, 3]. "
            f"Received: frame.shape={frame.shape}"
        )
    if 0 in frame.shape:
        raise ValueError(
            f"A frame must not be empty. Received: frame.shape={frame.shape}"
        )
    if min(frame.shape[:2]) < 2:  # nothing can move along one row or column
        raise ValueError(
            "A frame must have at least two rows and columns. "
            f"Received: frame.shape={frame.shape}"
        )
    if frame.dtype != np.uint8 and frame.dtype != np.float32:
        if frame.dtype.kind != "f":
            raise ValueError(
                "A frame must be of uint8, or of floats in 0..1. "
                f"Received: frame.dtype={frame.dtype}"
            )
        frame = frame.astype("float32")
    return frame


def check_range(frame: NDArray[Any]) -> None:
    """Refuse a frame of floats that are not in 0..1."""
    if frame.dtype != np.uint8:
        low, high = frame.min(), frame.max()
        if not (low >= 0 and high <= 1):
            raise ValueError(
                "A frame of floats must hold numbers in 0..1; divide by 255 first. "
                f"Received: numbers in {low}..{high}"
            )


def check_box(box: object, height: float, width: float) -> NDArray[np.float32]:
    """Return a user's box as `float32`, or raise an error that says what is wrong.

    Args:
        box: `(x, y, w, h)` in pixels, or boxes `[..., 4]`; no traced tensors.
        height: the height of the image in pixels.
        width: the width of the image in pixels.
    """
    found = np.asarray(box, dtype="float32")
    if found.ndim == 0 or found.shape[-1] != 4:
        raise ValueError(
            "`box` must be (x, y, w, h) in pixels, the top-left corner first. "
            f"Received: box={box} of shape {found.shape}"
        )
    for row in found.reshape(-1, 4):
        x, y, w, h = (float(v) for v in row)
        if not all(math.isfinite(v) for v in (x, y, w, h)):
            raise ValueError(
                f"`box` must hold finite numbers. Received: box={(x, y, w, h)}"
            )
        if w <= 0 or h <= 0:
            raise ValueError(
                "`box` must be (x, y, w, h) with positive w and h; if it is (x1, "
                "y1, x2, y2), `convert_format(box, 'xyxy', 'xywh')` first. "
                f"Received: box={(x, y, w, h)}"
            )
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise ValueError(
                f"`box` must overlap the image of height {height} and width "
                f"{width}, in pixels from its top-left corner. "
                f"Received: box={(x, y, w, h)}"
            )
    return found


def overlaps(boxes: NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """Return whether each of boxes `[N, 4]` is finite and overlaps the frame, `[N]`."""
    # Python is faster than NumPy for a few numbers.
    inside = [is_in_frame(x, y, w, h, height, width) for x, y, w, h in boxes.tolist()]
    return np.array(inside)


def with_channels(
    frame: Any,
    channels: int,
    repeat: Callable[..., Any] = np.repeat,
    cast: Callable[..., Any] = np.ndarray.astype,
) -> Any:
    """Convert a frame to 1 or 3 channels; its dtype stays.

    A frame that is a tensor needs `repeat` and `cast` of its backend.
    """
    if frame.shape[-1] == channels:
        return frame
    if channels == 3:
        return repeat(frame, 3, axis=-1)
    # Channel by channel: XLA's reduction over three numbers takes five times as long.
    floats = frame.dtype != np.uint8
    wide = frame if floats else cast(frame, "int32")
    grey = grey_of(wide[..., :1], wide[..., 1:2], wide[..., 2:], floats)
    return cast(grey, frame.dtype)


def with_dtype(frame: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Convert a frame to "uint8", or to "float32" in 0..1."""
    if frame.dtype == dtype:
        return frame
    if dtype == "uint8":
        return np.rint(frame * 255).astype("uint8")
    return frame.astype("float32") / np.float32(255)
