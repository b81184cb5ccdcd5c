"""Whole locations: a box's centre and sides, in widths and heights of the frame."""

from typing import Any

from keras_attend.boxes import convert_format
from keras_attend.types import Tensor


def to_location(box: Tensor, size: tuple[Any, Any]) -> Tensor:
    """Whole locations `[..., 4]` of boxes `xywh` in pixels; `size` is the frame's."""
    return convert_format(box, "xywh", "rel_center_xywh", *size)


def to_box(location: Tensor, size: tuple[Any, Any]) -> Tensor:
    """Boxes `xywh` in pixels of whole locations `[..., 4]`; `size` is the frame's."""
    return convert_format(location, "rel_center_xywh", "xywh", *size)
