"""The page on which a person draws boxes, and watches how they are followed."""

import io
import json
import sys
import threading
import time
from collections.abc import Mapping
from importlib import resources
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from keras_attend.boxes import check_box
from keras_attend.video.files import Frame, checked_frame
from keras_attend.video.page.server import Answer, LocalServer, Route, open_browser

MAX_BOXES = 100
MAX_PAGES = 20  # that are waited for
CLOSED = 4.0  # seconds without a page that mean that it was closed, not loaded again
PATIENCE = 0.5  # seconds for which a picture is kept for pages to fetch it
LAST = 3.0  # seconds in which an open page fetches the last picture
WAIT = 10.0  # seconds that a request waits for a new picture
QUALITY = 88  # of the pictures, as JPEG has it


class Page:
    """A page in the browser, from `__enter__` to `__exit__`.

        with Page() as page:
            boxes = page.boxes(frame)
            page.show(drawn, "frame 1")

    Its address is printed on stderr, for a computer whose browser does not open.

    Args:
        port: the port to listen on; 0 for any that is free.

    Attributes:
        stopped: whether a person has pressed "Stop".
    """

    def __init__(self, port: int = 0) -> None:
        self._changed = threading.Condition()
        self._phase, self._words = "wait", "Loading the model ..."
        self._picture: Frame | None = None
        self._number, self._fetched = 0, 0  # of the picture, and of the last one sent
        self._shown_at = time.monotonic()
        self._answered: NDArray[np.float32] | None = None
        self._open: set[str] = set()  # the pages, by what they call themselves
        self._told: set[str] = set()  # those of them that have shown the last picture
        self._closed_at: float | None = None
        self.stopped = False
        self._server = LocalServer(
            {
                ("GET", ""): _file("page.html", "text/html; charset=utf-8"),
                ("GET", "page.css"): _file("page.css", "text/css"),
                ("GET", "page.js"): _file("page.js", "text/javascript"),
                ("GET", "state"): self._state,
                ("GET", "picture"): self._get_picture,
                ("POST", "boxes"): self._boxes,
                ("POST", "stop"): self._stop,
                ("POST", "closed"): self._closed,
            },
            port,
        )

    @property
    def address(self) -> str:
        """The page's address."""
        return self._server.address

    def __enter__(self) -> Self:
        self._server.__enter__()
        if open_browser(self.address):
            print(f"The page in the browser is {self.address}", file=sys.stderr)
        else:
            port = self._server.port
            there = f"ssh -L {port}:127.0.0.1:{port} HOST"
            print(
                "No browser can be opened here. Open this address in one on this "
                f"computer, or on your own after `{there}`: {self.address}",
                file=sys.stderr,
            )
        sys.stderr.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def ask(self, frame: Frame) -> None:
        """Show a frame to draw boxes on; a later one, as of a camera, replaces it."""
        with self._changed:
            if self._answered is None:
                self._show(frame, "draw", "")

    @property
    def has_boxes(self) -> bool:
        """Whether `boxes` returns at once: they have been drawn, or never will be."""
        return self._answered is not None or self.is_closed

    def boxes(self) -> NDArray[np.float32]:
        """Return the boxes `[N, 4]` once they have been drawn."""
        with self._changed:
            while self._answered is None:
                if self._is_abandoned():
                    raise ValueError(
                        "The page was closed before boxes had been drawn on it."
                    )
                self._changed.wait(0.2)  # Windows lets nobody interrupt a long wait
            return self._answered

    def show(self, frame: Frame, words: str) -> None:
        """Show a frame and a line of words, in the place of those before."""
        with self._changed:
            self._show(frame, "live", words)

    @property
    def is_ready(self) -> bool:
        """Whether a page has fetched the last picture; also now and then if none has.

        A picture that nobody waits for need not be drawn.
        """
        late = time.monotonic() > self._shown_at + PATIENCE
        return late or self._fetched >= self._number

    @property
    def is_closed(self) -> bool:
        """Whether all pages were closed some seconds ago."""
        with self._changed:
            return self._is_abandoned()

    def finish(self, words: str) -> None:
        """Show that all is done, and wait until open pages have heard it."""
        end = time.monotonic() + LAST
        with self._changed:
            self._phase, self._words = "done", words
            self._number += 1
            self._changed.notify_all()
            while time.monotonic() < end and not self._is_abandoned():
                if self._open and self._open <= self._told:
                    break
                self._changed.wait(0.1)

    def _show(self, frame: Frame, phase: str, words: str) -> None:
        self._picture, self._phase, self._words = checked_frame(frame), phase, words
        self._number += 1
        self._shown_at = time.monotonic()
        self._changed.notify_all()

    def _is_abandoned(self) -> bool:
        return (
            not self._open
            and self._closed_at is not None
            and time.monotonic() > self._closed_at + CLOSED
        )

    # What the browser asks for.

    def _state(self, query: Mapping[str, str], body: bytes) -> Answer:
        """Answer what there is to see, once it is newer than what a page has."""
        page, known = query.get("page", ""), query.get("known", "")
        end = time.monotonic() + WAIT
        with self._changed:
            if page and len(self._open) < MAX_PAGES:
                self._open.add(page)
            while known == str(self._number) and time.monotonic() < end:
                self._changed.wait(0.5)
            if query.get("shown") == str(self._number):
                self._told.add(page)
                self._changed.notify_all()
            height, width = (0, 0) if self._picture is None else self._picture.shape[:2]
            state = {
                **{"phase": self._phase, "words": self._words},
                **{"number": self._number, "width": width, "height": height},
            }
        return Answer(json.dumps(state).encode())

    def _get_picture(self, query: Mapping[str, str], body: bytes) -> Answer:
        with self._changed:
            picture = self._picture
            self._fetched = self._number
        if picture is None:
            return Answer(status=404)
        # Here, in the thread of the request: nothing is compressed that nobody sees.
        return Answer(_jpeg(picture), "image/jpeg")

    def _boxes(self, query: Mapping[str, str], body: bytes) -> Answer:
        with self._changed:
            if self._phase != "draw" or self._picture is None:
                return _error(409, "The boxes have already been drawn in another tab.")
            try:
                found = _read_boxes(body, self._picture)
            except ValueError as error:
                return _error(400, str(error))
            self._answered = found
            self._phase, self._words = "wait", "Getting ready ..."
            self._number += 1
            self._changed.notify_all()
        return Answer(b"{}")

    def _stop(self, query: Mapping[str, str], body: bytes) -> Answer:
        self.stopped = True
        return Answer(b"{}")

    def _closed(self, query: Mapping[str, str], body: bytes) -> Answer:
        with self._changed:
            self._open.discard(query.get("page", ""))
            self._closed_at = time.monotonic()
        return Answer(b"{}")


def _file(name: str, kind: str) -> Route:
    """Return what answers with a file of this folder."""
    content = resources.files(__package__).joinpath(name).read_bytes()
    return lambda query, body: Answer(content, kind)


def _read_boxes(body: bytes, frame: Frame) -> NDArray[np.float32]:
    """Return the boxes `[N, 4]` that a page has sent, if all are in the frame."""
    try:
        given: Any = json.loads(body)
        with np.errstate(over="ignore"):  # `check_box` refuses what is not finite
            boxes = np.array(given, "float32")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("The boxes must be a list of [x, y, w, h].") from error
    if boxes.size == 0:
        raise ValueError("Draw a box first.")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) > MAX_BOXES:
        raise ValueError(f"There must be at most {MAX_BOXES} boxes [x, y, w, h].")
    return check_box(boxes, *frame.shape[:2])


def _error(status: int, words: str) -> Answer:
    return Answer(json.dumps({"error": words}).encode(), status=status)


def _jpeg(frame: Frame) -> bytes:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("The page needs Pillow: pip install Pillow.") from error
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
