"""Drive Chromium by ChromeDriver: as much of the W3C's protocol as the tests need."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of a reference
# A container's user is root, and its shared memory is small.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
SECONDS = 300.0  # a busy machine takes a while


def browser():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Chromium:
    """A headless browser, from `__enter__` to `__exit__`.

    Args:
        folder: for what it writes.
        size: of the window.
        touch: whether it is a telephone's, with a finger instead of a mouse.
    """

    def __init__(self, folder, size=(1280, 900), touch=False):
        self.size, self.touch = size, touch
        self.flags = [*FLAGS, f"--user-data-dir={folder}"]

    def __enter__(self):
        command = [shutil.which("chromedriver"), "--port=0"]
        self.driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                break
        else:
            raise RuntimeError("ChromeDriver did not start.")
        self.root = f"http://127.0.0.1:{found[1]}/session"
        width, height = self.size
        chrome = {
            "binary": browser(),
            "args": [*self.flags, f"--window-size={width},{height}"],
        }
        if self.touch:
            metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
            chrome["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {"alwaysMatch": {"goog:chromeOptions": chrome}}
        self.session = self.root  # there is none yet
        made = self.ask("POST", "", {"capabilities": wanted})
        self.session = f"{self.root}/{made['sessionId']}"
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, RuntimeError):
            self.ask("DELETE", "")
        self.driver.kill()
        self.driver.wait()

    def ask(self, method, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.session + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from error

    def open(self, address):
        self.ask("POST", "/url", {"url": address})

    def run(self, script, *arguments):
        content = {"script": script, "args": list(arguments)}
        return self.ask("POST", "/execute/sync", content)

    def text(self, name):
        """The text of an element, by its id; None if it is hidden."""
        return self.run(
            "const e = document.getElementById(arguments[0]);"
            "return e.checkVisibility() ? e.textContent : null",
            name,
        )

    def click(self, name):
        found = self.ask(
            "POST", "/element", {"using": "css selector", "value": f"#{name}"}
        )
        self.ask("POST", f"/element/{found[ELEMENT]}/click", {})

    def until(self, what, seconds=SECONDS):
        """Wait until a function returns something true, and return that."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, self.run("return document.body.innerText")
            time.sleep(0.1)
        return found

    def drag(self, *points):
        """Press at the first point of the window, go to the others, and let go."""
        kind = "touch" if self.touch else "mouse"
        limits = self.run("return [innerWidth - 1, innerHeight - 1]")
        points = [[min(a, b) for a, b in zip(p, limits, strict=True)] for p in points]
        (x, y), *others = points
        actions = [{"type": "pointerMove", "duration": 0, "x": x, "y": y}]
        actions.append({"type": "pointerDown", "button": 0})
        for x, y in others:
            move = {"type": "pointerMove", "duration": 50, "x": x, "y": y}
            actions.append(move)
        actions.append({"type": "pointerUp", "button": 0})
        pointer = {
            "type": "pointer",
            "id": "pointer",
            "parameters": {"pointerType": kind},
            "actions": actions,
        }
        self.ask("POST", "/actions", {"actions": [pointer]})

    def place(self, x, y):
        """Where a pixel of the frame is in the window."""
        return self.run(
            "const s = document.getElementById('boxes');"
            "const r = s.getBoundingClientRect(), v = s.viewBox.baseVal;"
            "return [r.left + arguments[0] * r.width / v.width,"
            "        r.top + arguments[1] * r.height / v.height].map(Math.round)",
            x,
            y,
        )

    def draw(self, x, y, w, h):
        """Draw a box, in pixels of the frame, from corner to corner."""
        self.drag(
            self.place(x, y), self.place(x + w / 2, y + h / 3), self.place(x + w, y + h)
        )

    def tabs(self):
        return self.ask("GET", "/window/handles")

    def new_tab(self):
        made = self.ask("POST", "/window/new", {"type": "tab"})
        self.switch(made["handle"])

    def switch(self, tab):
        self.ask("POST", "/window", {"handle": tab})

    def close_tab(self):
        self.ask("DELETE", "/window")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def complaints(self):
        """What the browser has said against the page, such as an error of a script."""
        return self.ask("POST", "/se/log", {"type": "browser"})
