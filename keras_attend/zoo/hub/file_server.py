"""Files from a plain file server: limited, checked, whole or not at all.

The standard library's client is enough for it, and starts faster than the Hub's.
"""

import base64
import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 2**20
# Of the Hub's client, whose bars these are like.
NO_BARS = "HF_HUB_DISABLE_PROGRESS_BARS"


def is_url(text: str) -> bool:
    """Whether a text is the address of a file server."""
    return text.startswith(("http://", "https://"))


def shown(url: str) -> str:
    """A URL without what may be a secret in it: user, password, query."""
    if not is_url(url):
        return url
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def read(url: str, limit: int) -> bytes:
    """A small file's bytes; more than `limit` of them are an error."""
    with _open(url) as response:
        content: bytes = response.read(limit + 1)
        _check_whole(url, response, len(content), limit)
        return content


def save(url: str, path: Path, limit: int, sha256: str | None = None) -> None:
    """Write a file; what is wrong with it leaves no file.

    Args:
        url: where it is.
        path: where it goes.
        limit: how many bytes it may have.
        sha256: of its bytes, where it is known.
    """
    found, size = hashlib.sha256(), 0
    try:
        with (
            _open(url) as response,
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
                f"{shown(url)} is damaged or was changed: its sha256 must be {sha256}. "
                f"Received: {found.hexdigest()} ({size} bytes)"
            )
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno is None or isinstance(error, ConnectionError):
            raise
        free = shutil.disk_usage(path.parent).free
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror}; {free} bytes are free). "
            f"Free {limit} bytes or more there, and try again",
        ) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _check_whole(
    url: str, response: http.client.HTTPResponse, size: int, limit: int
) -> None:
    if size > limit:
        raise ValueError(
            f"{shown(url)} must have at most {limit} bytes. Received: more"
        )
    promised = _promised(response)
    # The client reports a cut connection when it reads to the end, not by parts.
    if promised is not None and promised != size:
        raise ConnectionError(
            f"{shown(url)} must have {promised} bytes. Received: {size}, then the "
            "connection was cut. Nothing was kept; try again."
        )


def _promised(response: http.client.HTTPResponse) -> int | None:
    """How many bytes the server says that there are, if it says it."""
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _bar(file: str, size: int | None) -> Any:
    """A progress bar, on a terminal and where it is not switched off."""
    from tqdm.auto import tqdm  # which the Hub's client brings

    off = os.environ.get(NO_BARS, "").upper() in ("1", "ON", "YES", "TRUE")
    return tqdm(desc=file, total=size, unit="B", unit_scale=True, disable=off or None)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to others of its kind: not to FTP, nor out of TLS."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("https", req.type):  # `req` is of http or https
            raise urllib.error.URLError(f"it leads to {scheme}://")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(request: urllib.request.Request) -> Any:
    opener = urllib.request.build_opener(_Redirects)
    try:
        return opener.open(request, timeout=TIMEOUT)
    except ValueError as error:  # it leads to what is no address
        raise urllib.error.URLError(error) from None


@contextmanager
def _open(url: str) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request; every error says what to do about it."""
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    address = urllib.parse.urlunsplit((parts.scheme, host, *parts[2:]))
    request = urllib.request.Request(address)
    if at:
        secret = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        # Not to be sent on to wherever the server redirects.
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    where = shown(url)
    try:
        with _answer(request) as response:
            yield response
    except urllib.error.HTTPError as error:
        raise _explained(where, error.code) from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ConnectionError(
            f"{where} cannot be reached ({reason}), and it was not fetched before. "
            "Check the address and the network, and try again."
        ) from None


def _explained(where: str, status: int) -> OSError:
    if status == 404:
        return FileNotFoundError(f"There is no {where} (404).")
    if status in (401, 403):
        return PermissionError(
            f"{where} may not be read ({status}). Put a name and a password that may "
            "into the address: https://name:password@server/folder."
        )
    if status == 429:
        return OSError(f"{where}: too many requests ({status}). Try again later.")
    return ConnectionError(f"{where}: the server has failed ({status}). Try later.")
