"""Limit how many bytes the Hub's client takes, and for how long.

The client itself takes whatever a server sends: files of no end, pages of no end, a
byte a second. Its connections are shared with the rest of the program, which is left
alone: the limits hold within `limited`, in the thread that entered it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

PATIENCE, RATE, MORE = 60.0, 20_000, 2**20  # as of `file_server`
TIMEOUT = 15.0  # seconds without a byte


class _Limits:
    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit, self.left = name, limit, limit + MORE
        self.seconds = PATIENCE + limit / RATE
        self.end = time.monotonic() + self.seconds
        self.sockets: list[socket.socket] = []

    def check_time(self) -> None:
        """Raise once the time is over."""
        if time.monotonic() > self.end:
            raise ConnectionError(
                f"{self.name} must come within {self.seconds:.0f} seconds. "
                "Received: less, by then. Try again later."
            )

    def count(self, size: int) -> None:
        """Count bytes that have come."""
        self.check_time()
        self.left -= size
        if self.left < 0:
            raise ValueError(
                f"{self.name} must have at most {self.limit} bytes. Received: more. "
                "Nothing of it was kept."
            )

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the connections that are made."""
        if event in (
            "connection.connect_tcp.complete",
            "connection.start_tls.complete",
        ):
            self.sockets.append(info["return_value"].get_extra_info("socket"))

    def break_off(self) -> None:
        """End the connections: a header that never ends is seen by nobody else."""
        for found in self.sockets:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


_current: ContextVar[_Limits | None] = ContextVar("limits", default=None)


@contextmanager
def limited(client: Any, name: str, limit: int) -> Iterator[None]:
    """Let the Hub's client take `limit` bytes for `name`, and a time that suffices."""
    hooks = client.event_hooks
    for kind, hook in (("request", _on_request), ("response", _on_response)):
        if hook not in hooks.setdefault(kind, []):
            hooks[kind].append(hook)
    limits = _Limits(name, limit)
    token = _current.set(limits)
    watch = threading.Timer(limits.seconds, limits.break_off)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        _current.reset(token)


def _on_request(request: Any) -> None:
    limits = _current.get()
    if limits is None:
        return
    limits.check_time()
    kinds = ("connect", "read", "write", "pool")
    request.extensions["timeout"] = dict.fromkeys(kinds, TIMEOUT)
    request.extensions["trace"] = limits.trace
    # What is compressed could become a thousand times as much.
    request.headers["Accept-Encoding"] = "identity"


def _on_response(response: Any) -> None:
    limits = _current.get()
    if limits is None:
        return
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise ValueError(
            f"{limits.name} must come as it is. Received: compressed, as {coding[:40]}"
        )
    response.stream = _bounded(response.stream, limits.count)


def _bounded(stream: Any, count: Callable[[int], None]) -> Any:
    """Return a stream of the client's own kind that counts what comes."""
    base = next(c for c in type(stream).__mro__ if c.__name__ == "SyncByteStream")

    class Bounded(base):  # type: ignore[misc, valid-type]
        def __iter__(self) -> Iterator[bytes]:
            for chunk in stream:
                count(len(chunk))
                yield chunk

        def close(self) -> None:
            stream.close()

    return Bounded()
