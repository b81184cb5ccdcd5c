"""The page that `make web` builds, served as it will be, and what tests do with it."""

import base64
import functools
import http.server
import threading
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

import chromium

BUILD = Path(__file__).parents[2] / "build"
BUILT = BUILD / "web"
SCREENSHOTS = BUILD / "web-screenshots"  # for whoever wants to look
SECONDS = 600.0  # until a model has followed some frames, on a busy machine

PLACE = """
const canvas = document.getElementById(arguments[0]);
canvas.scrollIntoView({block: "center"});
const r = canvas.getBoundingClientRect();
return [r.left + arguments[1] * r.width / canvas.width,
        r.top + arguments[2] * r.height / canvas.height].map(Math.round);
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the page, but for those that a test has replaced."""

    replaced: dict[str, bytes]

    def do_GET(self):
        content = self.replaced.get(urllib.parse.urlsplit(self.path).path)
        if content is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def served(replaced=None):
    """Serve the page; `replaced` has contents by the paths that they stand for.

    What is put into it, or taken out, while the page is served counts as well.
    """
    replaced = {} if replaced is None else replaced
    handler = functools.partial(
        type("Here", (Handler,), {"replaced": replaced}), directory=str(BUILT)
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Visitor(chromium.Chromium):
    """A visitor of the page; `flags` are further ones of the browser."""

    def __init__(self, folder, *flags, **options):
        super().__init__(folder, **options)
        self.flags += flags

    def visit(self, address):
        self.ask("POST", "/timeouts", {"script": 1000 * int(SECONDS)})
        self.open(address)

    def choose(self, *paths):
        """Choose files by the page's file input."""
        what = {"using": "css selector", "value": "#file"}
        found = self.ask("POST", "/element", what)[chromium.ELEMENT]
        text = "\n".join(map(str, paths))
        self.ask("POST", f"/element/{found}/value", {"text": text})

    def stroke(self, name, *points):
        """Draw on a canvas; points are in its own pixels."""
        self.drag(*(self.run(PLACE, name, x, y) for x, y in points))

    def press(self, name):
        """Press a button, wherever on the page it is."""
        self.run("document.getElementById(arguments[0]).scrollIntoView()", name)
        self.click(name)

    def wait_for(self, name, words):
        """Wait until an element says something that begins with words."""
        said = self.until(
            lambda: (text := self.text(name) or "").startswith(words) and text, SECONDS
        )
        return said

    def show(self, name):
        """Keep a picture of all that is on the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        height = self.run("scrollTo(0, 0); return document.body.scrollHeight")
        width = self.run("return innerWidth")
        whole = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        params = {"captureBeyondViewport": True, "clip": whole}
        content = {"cmd": "Page.captureScreenshot", "params": params}
        found = self.ask("POST", "/goog/cdp/execute", content)["data"]
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(found))

    def downloads_to(self, folder):
        allowed = {"behavior": "allow", "downloadPath": str(folder)}
        content = {"cmd": "Browser.setDownloadBehavior", "params": allowed}
        self.ask("POST", "/goog/cdp/execute", content)
