"""Serve one page to the browser of this computer, and to nobody else.

The server listens on the loopback address alone, which no other computer can reach. Its
address holds a token that nobody can guess, so that neither other users nor pages of
other sites can read or change anything. A request must name this server as its host: a
site that has its own name point to this computer is refused.
"""

import errno
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
MAX_BODY = 2**16  # bytes of a request; a hundred boxes have less than 4000
SECONDS = 20.0  # after which a connection that says nothing is closed
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
        "script-src 'self'; style-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # which would hold the token
    "X-Content-Type-Options": "nosniff",
}


class Answer(NamedTuple):
    """What a request is answered with."""

    content: bytes = b""
    kind: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = {}


# Takes what stands behind the `?` of the address, and the body.
Route = Callable[[Mapping[str, str], bytes], Answer]


class LocalServer:
    """Answers requests on the loopback address, each in a thread of its own.

    Args:
        routes: by method and name, such as `("GET", "picture")`, what answers; the name
            "" is the page itself.
        port: the port to listen on; 0 for any that is free.
    """

    def __init__(self, routes: Mapping[tuple[str, str], Route], port: int = 0) -> None:
        self.routes, self.token = routes, secrets.token_urlsafe(24)
        if not 0 <= port < 2**16:
            raise ValueError(f"`port` must be in 0..65535. Received: port={port}")
        try:
            self._server = _Server((HOST, port), _handler(self))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise ValueError(
                f"The port {port} cannot be used ({error.strerror}). Choose another "
                "--port, or leave it out: any that is free will do."
            ) from error
        self.port = int(self._server.server_address[1])
        self.hosts = (f"{HOST}:{self.port}", f"localhost:{self.port}")
        self.address = f"http://{HOST}:{self.port}/{self.token}/"

    def __enter__(self) -> Self:
        # Many times a second it looks whether it is to end.
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> Answer:
        """Answer a request, if it may ask."""
        headers = request.headers
        if headers.get("Host", "") not in self.hosts:
            return _refusal(403, "This server answers to its own address alone.")
        origin = headers.get("Origin")
        if origin is not None and origin not in [f"http://{h}" for h in self.hosts]:
            return _refusal(403, "This server answers to its own page alone.")
        parts = urlsplit(request.path)
        token, _, name = parts.path.removeprefix("/").partition("/")
        same = secrets.compare_digest(token.encode(), self.token.encode())
        route = self.routes.get((request.command, name))
        if not same or route is None or "/" not in parts.path[1:]:
            return _refusal(404, "There is nothing here.")
        size = headers.get("Content-Length", "0")
        if not (size.isascii() and size.isdecimal() and int(size) <= MAX_BODY):
            return _refusal(413, f"A request must have at most {MAX_BODY} bytes.")
        body = request.rfile.read(int(size))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return route(query, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # an open page does not keep the program from ending
    # On Windows it would let two servers share a port.
    allow_reuse_address = os.name == "posix"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has closed its connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _handler(server: LocalServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS
        server_version, sys_version = "keras-attend", ""

        def do_GET(self) -> None:
            self._send(server.answer(self))

        do_POST = do_GET

        def _send(self, answer: Answer) -> None:
            headers = {
                "Content-Type": answer.kind,
                "Content-Length": str(len(answer.content)),
            }
            self.send_response(answer.status)
            for name, value in (headers | HEADERS | dict(answer.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Write nothing: stderr is the program's own."""

    return Handler


def _refusal(status: int, words: str) -> Answer:
    return Answer(f"{words}\n".encode(), "text/plain; charset=utf-8", status)


def has_screen() -> bool:
    """Return whether windows can be opened here."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    always = sys.platform in ("win32", "darwin", "cygwin")
    return always or any(os.environ.get(name) for name in names)


def open_browser(address: str) -> bool:
    """Open an address in the browser, and return whether there seems to be one.

    A browser that draws letters in the terminal is no help, and would take it over.
    """
    if not (has_screen() or os.environ.get("BROWSER")):
        return False
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False

    def open_it() -> None:
        with suppress(OSError, webbrowser.Error):
            browser.open(address)

    # Some browsers return when they are closed.
    threading.Thread(target=open_it, daemon=True).start()
    return True
