"""Videos in and out, and what a tracker found drawn on their frames.

Frames are `[H, W, 3]` uint8, red first, one at a time: a video is never in memory as a
whole. PyAV and imageio (extra `video`) are imported when the first video is opened.
"""

import re
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_attend.boxes import window_to_box
from keras_attend.datasets.sequences import image_files, read_image

Frame = NDArray[np.uint8]  # [H, W, 3]
Frames = Generator[Frame, None, None]

# Of folders and of files that do not say.
DEFAULT_FPS = 30.0
# The format and the name that FFmpeg knows a camera by.
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
BOX_COLOUR, WINDOW_COLOUR = (64, 230, 64), (80, 170, 255)
DARK = (24, 24, 24)
# Of the inset, as a part of the frame's shorter side.
INSET = 0.3


class Video:
    """The frames of a video, `[H, W, 3]` uint8, red first.

    Each loop over it starts at the first frame.

    Attributes:
        fps: frames a second; 30 for a folder.
        length: in frames; None where it is not known.
    """

    def __init__(
        self, fps: float, length: int | None, frames: Callable[[], Frames]
    ) -> None:
        self.fps, self.length, self._frames = fps, length, frames

    def __iter__(self) -> Frames:
        return self._frames()


def read_video(path: str | Path) -> Video:
    """Open a video.

    A damaged or truncated video gives the frames that can be decoded, then a
    ValueError that says after how many.

    Args:
        path: of a video file, of a folder of images (in the order of their names), or
            "camera:0", the first camera.
    """
    path = str(path)
    if path.startswith("camera:"):
        return _read_file(path, **_camera(path))
    if Path(path).is_dir():
        files = image_files(Path(path))
        return Video(DEFAULT_FPS, len(files), lambda: _pictures(files))
    if not Path(path).exists():
        raise FileNotFoundError(
            "`path` must be a video file, a folder of images or 'camera:0'. There is "
            f"no such file. Received: {path}"
        )
    return _read_file(path, file=path)


def _camera(path: str) -> dict[str, Any]:
    """What PyAV opens "camera:0" by."""
    number = re.fullmatch(r"camera:(\d+)", path)
    if number is None:
        raise ValueError(f"A camera must be 'camera:' and a number. Received: {path}")
    if sys.platform not in CAMERAS:
        raise ValueError(f"Cameras can be read on {' and '.join(CAMERAS)} only.")
    format, name = CAMERAS[sys.platform]
    options = {"framerate": "30"} if format == "avfoundation" else {}
    return {"file": name.format(number[1]), "format": format, "options": options}


def _read_file(name: str, **source: Any) -> Video:
    with closing(_open(name, **source)) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
        length = stream.frames or None
    return Video(fps, length, lambda: _decoded(name, **source))


def _open(name: str, **source: Any) -> Any:
    """A PyAV container with a video in it."""
    av, _ = _libraries()
    try:
        container = av.open(**source)
    except (av.FFmpegError, OSError) as error:
        raise ValueError(
            f"{name} is not a video that can be read: {error.strerror}."
        ) from error
    # To FFmpeg a text file is a video too: its characters, drawn.
    format = container.format.name
    if not container.streams.video or format == "tty" or format.endswith("_pipe"):
        container.close()
        raise ValueError(f"{name} is not a video: FFmpeg calls it {format!r}.")
    return container


def _decoded(name: str, **source: Any) -> Frames:
    av, _ = _libraries()
    count, seconds, problem = 0, 0.0, ""
    with closing(_open(name, **source)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            # The sound too, not decoded: only both show how far the file goes.
            for packet in container.demux():
                if packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    seconds = max(seconds, float(end * packet.time_base))
                if packet.stream.index != stream.index:
                    continue
                for frame in packet.decode():
                    image = frame.to_ndarray(format="rgb24")
                    if frame.rotation:  # a telephone that was held upright
                        turned = np.rot90(image, round(frame.rotation / 90))
                        image = np.ascontiguousarray(turned)
                    count += 1
                    yield image
        except av.FFmpegError as error:
            problem = f"is damaged or truncated ({error.strerror})"
        else:
            if _is_truncated(container, stream, seconds):
                problem = "is truncated"
            elif count == 0:
                problem = "holds no frames"
    if problem:
        raise ValueError(f"{name} {problem}: it ended after {count} frames.")


def _is_truncated(container: Any, stream: Any, seconds: float) -> bool:
    """Whether the file is shorter than its own header says; FFmpeg does not tell."""
    format = container.format.name
    if "mp4" in format and len(stream.index_entries):
        last = stream.index_entries[-1]
        return bool(last.pos + last.size > container.size)
    if format in ("avi", "matroska,webm") and container.duration:
        return seconds < container.duration / 1e6 - 1  # sound may last a bit longer
    return False


def _pictures(files: list[Path]) -> Frames:
    for count, file in enumerate(files):
        try:
            image = read_image(file)
        except (OSError, ValueError) as error:
            raise ValueError(f"{error}: it ended after {count} frames.") from error
        yield image


def _libraries() -> tuple[Any, Any]:
    try:
        import av
        import imageio.v3 as imageio
    except ImportError as error:
        raise ImportError(
            "Videos need PyAV and imageio: pip install 'keras-attend[video]'. "
            f"Missing: {error.name}"
        ) from error
    return av, imageio


class VideoWriter:
    """Write an mp4 (H.264) that every player plays.

        with VideoWriter("out.mp4", fps=30) as writer:
            writer.write(frame)

    Leaving the block finishes the file, by an exception or Ctrl-C too. There is no
    file before the first frame.

    Args:
        path: ends in ".mp4"; a file that is there is overwritten.
        fps: frames a second.
    """

    def __init__(self, path: str | Path, fps: float) -> None:
        self.path, self.fps = Path(path), float(fps)
        if self.path.suffix.lower() != ".mp4" or self.path.is_dir():
            raise ValueError(f"`path` must be a file *.mp4. Received: path={path}")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {self.path.parent}.")
        if not 0 < self.fps < float("inf"):
            raise ValueError(f"`fps` must be positive. Received: fps={fps}")
        self._imageio = _libraries()[1]
        self._file: Any = None
        self._shape: tuple[int, ...] = ()

    def write(self, frame: Frame) -> None:
        """Add a frame, `[H, W, 3]` uint8, of the first one's size."""
        frame = _checked(frame)
        if self._file is None:
            self._shape = frame.shape
            self._file = self._imageio.imopen(self.path, "w", plugin="pyav")
            self._file.init_video_stream(
                "libx264", fps=self.fps, pixel_format="yuv420p"
            )
        if frame.shape != self._shape:
            raise ValueError(
                f"All frames of a video must have one size, {self._shape}. "
                f"Received: frame.shape={frame.shape}"
            )
        # yuv420p has a colour for each 2 x 2 pixels: sides must be even.
        odd = [(0, side % 2) for side in frame.shape[:2]]
        self._file.write_frame(np.pad(frame, [*odd, (0, 0)], mode="edge"))

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def annotate(frame: Frame, box: Any, window: Any = None, glimpse: Any = None) -> Frame:
    """A copy of the frame with what a tracker found drawn on it.

    Args:
        frame: `[H, W, 3]` uint8.
        box: `(x, y, w, h)` in pixels, drawn green. NaN draws nothing.
        window: `[6]`, of a `GaussianGlimpse`, drawn blue where it differs from the
            box. It needs `glimpse`, whose size says how far the window reaches.
        glimpse: `[N, M, 1]` or `[N, M, 3]`, uint8 or floats in 0..1, drawn in a corner
            where it does not hide the box.
    """
    frame = _checked(frame).copy()
    box = np.asarray(box, "float32")
    width = max(1, round(min(frame.shape[:2]) / 240))
    if glimpse is not None:
        glimpse = _displayable(glimpse)
    if window is not None:
        if glimpse is None:
            raise ValueError("`window` needs `glimpse`, for the size of its grid.")
        seen = np.asarray(
            ops.convert_to_numpy(window_to_box(window, glimpse.shape[:2]))
        )
        if not np.allclose(_corners(seen), _corners(box), rtol=0, atol=max(1, width)):
            _outline(frame, seen, WINDOW_COLOUR, width)
    _outline(frame, box, BOX_COLOUR, width)
    if glimpse is not None:
        _inset(frame, glimpse, box, width)
    return frame


def _checked(frame: Any) -> Frame:
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3:
        raise ValueError(
            "A frame must be [H, W, 3] of uint8. "
            f"Received: shape {frame.shape} of {frame.dtype}"
        )
    return frame


def _corners(box: NDArray[Any]) -> NDArray[Any]:
    """`(x, y, w, h)` as `(x, y, x + w, y + h)`."""
    return np.concatenate([box[:2], box[:2] + box[2:]])


def _outline(
    frame: Frame, box: NDArray[Any], colour: tuple[int, int, int], width: int
) -> None:
    """A line of a width, half of it outside the box, with a dark rim if it is wide."""
    if not np.isfinite(box).all():
        return
    outside = width // 2
    if width > 1:  # green grass, blue sky
        rim = max(1, width // 3)
        _ring(frame, box, outside + rim, width + 2 * rim, DARK)
    _ring(frame, box, outside, width, colour)


def _ring(
    frame: Frame,
    box: NDArray[Any],
    outside: int,
    width: int,
    colour: tuple[int, int, int],
) -> None:
    limits = np.array([*frame.shape[1::-1], *frame.shape[1::-1]])  # W, H, W, H
    grow = outside * np.array([-1, -1, 1, 1])
    shrink = width * np.array([1, 1, -1, -1])
    edges = np.round(_corners(box)) + grow
    x1, y1, x2, y2 = np.clip(edges, 0, limits).astype(int)
    left, top, right, bottom = np.clip(edges + shrink, 0, limits).astype(int)
    inside = frame[top:bottom, left:right].copy()
    frame[y1:y2, x1:x2] = colour
    frame[top:bottom, left:right] = inside


def _displayable(glimpse: Any) -> Frame:
    """`[N, M, 1]` or `[N, M, 3]` as a frame."""
    glimpse = np.asarray(glimpse)
    if glimpse.ndim != 3 or glimpse.shape[-1] not in (1, 3) or 0 in glimpse.shape:
        raise ValueError(
            "`glimpse` must be [N, M, 1] or [N, M, 3]. "
            f"Received: glimpse.shape={glimpse.shape}"
        )
    if glimpse.dtype != np.uint8:
        numbers = np.nan_to_num(glimpse.astype("float32"))
        glimpse = np.round(numbers.clip(0, 1) * 255).astype("uint8")
    return np.broadcast_to(glimpse, (*glimpse.shape[:2], 3))


def _inset(frame: Frame, glimpse: Frame, box: NDArray[Any], width: int) -> None:
    """The glimpse in the first corner where it does not hide the box."""
    height, length = frame.shape[:2]
    scale = INSET * min(height, length) / max(glimpse.shape[:2])
    scale = int(scale) if scale >= 1 else scale  # whole pixels stay square
    rows, columns = (max(1, round(scale * side)) for side in glimpse.shape[:2])
    picture = glimpse[np.arange(rows) * glimpse.shape[0] // rows]
    picture = picture[:, np.arange(columns) * glimpse.shape[1] // columns]
    rim = (width, width)
    picture = np.pad(picture, [rim, rim, (0, 0)], constant_values=255)
    rows, columns = picture.shape[:2]
    gap = 2 * width
    bottom, right = height - gap - rows, length - gap - columns
    corners = [(gap, gap), (gap, right), (bottom, gap), (bottom, right)]
    x1, y1, x2, y2 = _corners(box)
    for top, left in corners:
        if x1 >= left + columns or x2 <= left or y1 >= top + rows or y2 <= top:
            break
    else:
        top, left = corners[0]
    place = frame[max(0, top) : top + rows, max(0, left) : left + columns]
    place[...] = picture[: place.shape[0], : place.shape[1]]
