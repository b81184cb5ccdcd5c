"""Read videos, folders of images and cameras; write videos."""

import re
import sys
from collections.abc import Callable, Generator
from contextlib import closing, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from keras_attend import disk
from keras_attend.datasets.sequences import MAX_PIXELS, image_files, read_image

Frame = NDArray[np.uint8]  # [H, W, 3]
Frames = Generator[Frame, None, None]

DEFAULT_FPS = 30.0  # frames a second of a folder, and of a file that does not say
# The containers that a file may be. Others are lists of files and addresses to open.
CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "ogg"),
    *("flv", "asf", "gif", "h264", "hevc", "ivf", "yuv4mpegpipe"),
)
PLAIN: dict[str, Any] = {
    "options": {
        "format_whitelist": ",".join(CONTAINERS),
        "protocol_whitelist": "file",
    },
    "metadata_errors": "replace",  # a title may be in any encoding
}
# A video is written in parts of a second, which can be played after a kill. Once it is
# finished it is as other mp4 files are.
IN_PARTS = {
    "movflags": "hybrid_fragmented",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
# FFmpeg's input format and device name for a camera, by operating system.
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}


class Video:
    """A video to iterate over: its frames are `[H, W, 3]` uint8, red first.

    Each loop over it reads the video again from its beginning.

    Attributes:
        name: where it was read from.
        fps: frames a second; 30 for a folder.
        length: the number of frames; None where it is not known.
    """

    def __init__(
        self, name: str, fps: float, length: int | None, frames: Callable[[], Frames]
    ) -> None:
        self.name, self.fps, self.length, self._frames = name, fps, length, frames

    def __iter__(self) -> Frames:
        return self._frames()

    def __repr__(self) -> str:
        return f"Video({self.name!r}, {self.length or '?'} frames, {self.fps:g}/s)"


def read_video(path: str | Path) -> Video:
    """Open a video.

    A damaged or truncated video gives the frames that can be decoded, and then raises
    a ValueError that says how many they were.

    Args:
        path: a video file; a folder of images, which are read in the order of their
            names; or "camera:0" for the computer's camera number 0.
    """
    path = str(path)
    if path.startswith("camera:"):
        return _read_file(path, **_camera(path))
    if Path(path).is_dir():
        files = image_files(Path(path))
        return Video(path, DEFAULT_FPS, len(files), lambda: _pictures(files))
    if not Path(path).exists():
        raise FileNotFoundError(
            "`path` must be a video file, a folder of images or 'camera:0'. There is "
            f"no such file. Received: {path}"
        )
    if not Path(path).is_file():
        raise ValueError(f"`path` must be a regular file. Received: {path}")
    # An absolute path names no protocol, and the file can lead to no other file.
    return _read_file(path, file=str(Path(path).absolute()), **PLAIN)


def _camera(path: str) -> dict[str, Any]:
    """Return the arguments of `av.open` for a camera, such as "camera:0"."""
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
    return Video(name, fps, length, lambda: _decoded(name, **source))


def _open(name: str, **source: Any) -> Any:
    """Open `source` with PyAV, or raise an error that says why it is no video."""
    av, _ = _libraries()
    try:
        container = av.open(**source)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ValueError(
            f"{name} is not a video that can be read: "
            f"{getattr(error, 'strerror', None) or error}."
        ) from error
    # FFmpeg also opens text files and single images, as videos of drawn characters or
    # of one frame.
    format = container.format.name
    if not container.streams.video or format == "tty" or format.endswith("_pipe"):
        container.close()
        raise ValueError(f"{name} is not a video: FFmpeg calls it {format!r}.")
    try:
        _check_size(name, container.streams.video[0].codec_context)
    except ValueError:
        container.close()
        raise
    return container


def _check_size(name: str, picture: Any) -> None:
    """Refuse pictures of too many pixels before they are unpacked."""
    width, height = picture.width, picture.height
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"{name} must have frames of at most {MAX_PIXELS} pixels. "
            f"Received: {width}x{height}."
        )


def _decoded(name: str, **source: Any) -> Frames:
    """Yield the frames of a file or a camera."""
    av, _ = _libraries()
    count, seconds, problem = 0, 0.0, ""
    with closing(_open(name, **source)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            # Packets of sound are read too, undecoded: they may end after the pictures,
            # and the header states the length of the longer one.
            for packet in container.demux():
                if packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    seconds = max(seconds, float(end * packet.time_base))
                if packet.stream.index != stream.index:
                    continue
                for frame in packet.decode():
                    _check_size(name, frame)
                    image = frame.to_ndarray(format="rgb24")
                    turns = round(
                        frame.rotation / 90
                    )  # not 0 of a telephone held upright
                    count += 1
                    yield np.ascontiguousarray(np.rot90(image, turns))
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
    """Return whether a file is shorter than its header says, which FFmpeg ignores."""
    format = container.format.name
    if "mp4" in format and len(stream.index_entries):
        last = stream.index_entries[-1]
        return bool(last.pos + last.size > container.size)
    if format in ("avi", "matroska,webm") and container.duration:
        return seconds < container.duration / 1e6 - 1  # sound may last a bit longer
    return False


def _pictures(files: list[Path]) -> Frames:
    """Yield the images of a folder."""
    for count, file in enumerate(files):
        try:
            image = read_image(file)
        except (OSError, ValueError) as error:
            raise ValueError(f"{error}: it ended after {count} frames.") from error
        yield image


def _libraries() -> tuple[Any, Any]:
    """Import PyAV and imageio, or say how to install them."""
    try:
        import av
        import imageio.v3 as imageio
    except ImportError as error:
        raise ImportError(
            "Videos need PyAV and imageio: pip install av imageio Pillow. "
            f"Missing: {error.name}"
        ) from error
    return av, imageio


def checked_frame(frame: Any) -> Frame:
    """Return `frame` as an array, or raise if it is not `[H, W, 3]` of uint8."""
    frame = np.asarray(frame)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3:
        raise ValueError(
            "A frame must be [H, W, 3] of uint8. "
            f"Received: shape {frame.shape} of {frame.dtype}"
        )
    return frame


class VideoWriter:
    """Write an mp4 file (H.264), which common players can play.

        with VideoWriter("out.mp4", fps=30) as writer:
            writer.write(frame)

    Leaving the block finishes the file, also when an exception or Ctrl-C ends it. After
    a kill, or on a full disk, all but the last seconds can be played. The file is
    created when the first frame is written.

    Args:
        path: the file, `*.mp4`; one that exists is overwritten.
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
        self._av = _libraries()[0]
        self._stream: Any = None
        self._file: Any = None
        self._shape: tuple[int, ...] = ()

    def write(self, frame: Frame) -> None:
        """Add a frame, `[H, W, 3]` uint8; all frames have one size."""
        frame = checked_frame(frame)
        if self._file is None:
            self._shape = frame.shape
            self._open()
        if frame.shape != self._shape:
            raise ValueError(
                f"All frames of a video must have one size, {self._shape}. "
                f"Received: frame.shape={frame.shape}"
            )
        # yuv420p keeps one colour for each 2 x 2 pixels, so that sides must be even.
        odd = [(0, side % 2) for side in frame.shape[:2]]
        padded = np.pad(frame, [*odd, (0, 0)], mode="edge")
        picture = self._av.VideoFrame.from_ndarray(padded, format="rgb24")
        with disk.explained(self.path):
            self._file.mux(self._stream.encode(picture))

    def _open(self) -> None:
        path = str(self.path.absolute())  # which names no protocol
        with disk.explained(self.path):
            self._file = self._av.open(path, "w", container_options=IN_PARTS)
        rate = Fraction(self.fps).limit_denominator(65535)
        self._stream = self._file.add_stream("libx264", rate=rate)
        height, width = self._shape[:2]
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"

    def close(self) -> None:
        """Finish the file; nothing can be written after that."""
        if self._file is not None:
            file, self._file = self._file, None
            with disk.explained(self.path):
                try:
                    file.mux(self._stream.encode())  # what the encoder still holds
                finally:
                    file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Where an error has come before, that one is told.
        with suppress(OSError) if kind else nullcontext():
            self.close()
