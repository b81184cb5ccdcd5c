"""Fetch files from a plain file server, with limits of their size and checks.

It takes the standard library's client, which is imported faster than the Hub's.
"""

import base64
import hashlib
import http.client
import io
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT = 30.0  # seconds without a byte
# A file must come within `PATIENCE` seconds and another one for `RATE` bytes of it. All
# that comes with it, such as headers and the bodies of redirections, is at most `MORE`.
PATIENCE, RATE, MORE = 60.0, 20_000, 2**19
CHUNK = 2**20
# The Hub's client has this variable, and shows the same bars.
NO_BARS = "HF_HUB_DISABLE_PROGRESS_BARS"
# The error to raise, by the status of the server's response.
RESPONSES: dict[int, tuple[type[OSError], str]] = {
    403: (
        PermissionError,
        "{file} may not be read ({status}). Put a name and a password that may into "
        "the address: https://name:password@server/folder.",
    ),
    404: (FileNotFoundError, "There is no {file} ({status})."),
    429: (OSError, "{file}: too many requests ({status}). Try again later."),
    500: (ConnectionError, "{file}: the server has failed ({status}). Try later."),
}
RESPONSES |= {401: RESPONSES[403]}


def is_url(text: str) -> bool:
    """Return whether a text is the address of a file server."""
    return text.startswith(("http://", "https://"))


def without_secrets(url: str) -> str:
    """Return a URL without its user, password and query, which may be secrets."""
    if not is_url(url):
        return url
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def read(url: str, limit: int) -> bytes:
    """Return a small file's bytes, or raise if there are more than `limit`."""
    with _open(url, limit) as response:
        content: bytes = response.read(limit + 1)
        _check_whole(url, response, len(content), limit)
        return content


def save(url: str, path: Path, limit: int, sha256: str | None = None) -> None:
    """Fetch a file of at most `limit` bytes to `path`; after an error there is none."""
    found, size = hashlib.sha256(), 0
    try:
        with (
            _open(url, limit) as response,
            path.open("xb") as file,
            _bar(path.name, _promised(response)) as bar,
        ):
            while chunk := response.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    break
                found.update(chunk)
                file.write(chunk)
                bar.update(len(chunk))
            _check_whole(url, response, size, limit)
        if sha256 is not None and found.hexdigest() != sha256:
            raise ValueError(
                f"{without_secrets(url)} is damaged or was changed: its sha256 must be "
                f"{sha256}. Received: {found.hexdigest()} ({size} bytes)"
            )
    except BaseException as error:
        path.unlink(missing_ok=True)
        if not isinstance(error, OSError) or isinstance(error, ConnectionError):
            raise
        if error.errno is None:
            raise
        free = shutil.disk_usage(path.parent).free
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror}; {free} bytes are free). "
            f"Free {limit} bytes or more there, and try again",
        ) from error


def _check_whole(
    url: str, response: http.client.HTTPResponse, size: int, limit: int
) -> None:
    if size > limit:
        raise ValueError(
            f"{without_secrets(url)} must have at most {limit} bytes. Received: more"
        )
    promised = _promised(response)
    # The client itself notices this when it reads a file at once, not by parts.
    if promised is not None and promised != size:
        raise ConnectionError(
            f"{without_secrets(url)} must have {promised} bytes. Received: {size}, "
            "then the connection broke off. Nothing was kept; try again."
        )


def _promised(response: http.client.HTTPResponse) -> int | None:
    """Return how many bytes the server announces, if it does."""
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _bar(file: str, size: int | None) -> Any:
    """Return a progress bar, which shows on a terminal unless it is switched off."""
    from tqdm.auto import tqdm  # the Hub's client requires it

    off = os.environ.get(NO_BARS, "").upper() in ("1", "ON", "YES", "TRUE")
    return tqdm(desc=file, total=size, unit="B", unit_scale=True, disable=off or None)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirections over HTTP: not to FTP, and not from HTTPS to HTTP."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("https", req.type):  # `req` is of http or https
            raise urllib.error.URLError(f"it redirects to {scheme}://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _TooMuch(http.client.HTTPException):
    reason = "it sends more than it may, or too slowly"


class _Budget:
    """What is left of the bytes and the time that a file and all with it may take."""

    def __init__(self, limit: int) -> None:
        self.left = limit + MORE
        self.end = time.monotonic() + PATIENCE + limit / RATE


class _BoundedFile(io.RawIOBase):
    """Reads from a socket, whatever the server says of lengths, within a budget."""

    def __init__(self, sock: Any, budget: _Budget) -> None:
        self._sock, self._budget = sock, budget
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        budget, remaining = self._budget, self._budget.end - time.monotonic()
        if budget.left <= 0 or remaining <= 0:
            raise _TooMuch
        self._sock.settimeout(min(TIMEOUT, remaining))
        count: int | None = self._raw.readinto(buffer)
        budget.left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedSocket:
    """A socket whose `makefile`, from which the client reads, keeps to a budget."""

    def __init__(self, sock: Any, budget: _Budget) -> None:
        self._sock, self._budget = sock, budget

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, *args: Any, **kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_BoundedFile(self._sock, self._budget))


class _Bounded(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections that keep to a budget, one for all redirections."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__()
        self._budget = budget

    def _bounded(self, kind: type[http.client.HTTPConnection]) -> Any:
        budget = self._budget

        class Connection(kind):  # type: ignore[misc, valid-type]
            sock: Any

            def connect(self) -> None:
                super().connect()
                whole = self.sock
                self.sock = _BoundedSocket(whole, budget)

        return Connection

    def http_open(self, req: Any) -> Any:
        return self.do_open(self._bounded(http.client.HTTPConnection), req)

    def https_open(self, req: Any) -> Any:
        return self.do_open(self._bounded(http.client.HTTPSConnection), req)


@contextmanager
def _open(url: str, limit: int) -> Iterator[http.client.HTTPResponse]:
    """Give the server's response; every error says what to do about it."""
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    address = urllib.parse.urlunsplit((parts.scheme, host, *parts[2:]))
    request = urllib.request.Request(address)
    if at:
        secret = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        # "unredirected": it is not sent on to wherever the server redirects.
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    plain = without_secrets(url)
    try:
        opener = urllib.request.build_opener(_Redirects, _Bounded(_Budget(limit)))
        try:
            response = opener.open(request, timeout=TIMEOUT)
        except ValueError as error:  # the server redirects to no valid address
            raise urllib.error.URLError(str(error)) from None
        with response:
            yield response
    except urllib.error.HTTPError as error:
        kind, text = RESPONSES.get(error.code, RESPONSES[500])
        raise kind(text.format(file=plain, status=error.code)) from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ConnectionError(
            f"{plain} cannot be reached ({reason}), and it was not fetched before. "
            "Check the address and the network, and try again."
        ) from None
