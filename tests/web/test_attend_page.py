"""The page in a real browser: what is followed, read and refused there."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from page_case import BUILT, SECONDS, Visitor, served

from keras_attend.boxes import iou
from keras_attend.video import read_video
from keras_attend_runtime import Tracker

pytestmark = pytest.mark.web
MODEL = BUILT / "models" / "hart_kitti.onnx"
COUNT = 60


@pytest.fixture(scope="session", autouse=True)
def _built():
    if not MODEL.exists():
        pytest.fail("`make web` builds the page.", pytrace=False)


@pytest.fixture(scope="module")
def address():
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    camera = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    with Visitor(tmp_path_factory.mktemp("browser"), *camera) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, address):
    """The page, which all tests use that a visitor could do one after the other."""
    browser.visit(address)
    return browser


def view(frame):
    """A view of a picture that moves in a circle: what is in it moves, and stays.

    On most films the last digits grow to pixels within some ten frames, between two
    settings of one ONNX Runtime as well; here they do not.
    """
    for angle in np.linspace(0, 2 * np.pi, COUNT):
        x, y = (50 + 40 * np.sin(angle)).round(), (20 - 15 * np.cos(angle)).round()
        yield frame[int(y) :, int(x) :][:130, :220]


def saved(frames, folder):
    """Lossless files, whose names must be sorted as numbers."""
    from PIL import Image

    paths = [folder / f"{t + 1}.png" for t in range(len(frames))]
    for frame, path in zip(frames, paths, strict=True):
        Image.fromarray(frame).save(path)
    return paths


def table(path):
    head, *rows = path.read_text().splitlines()
    assert head == "frame,object,x,y,w,h,present,score,time"
    return np.array([[float(x or "nan") for x in row.split(",")] for row in rows])


def followed(page, frames, box, folder):
    """The page's table for pictures and a box that is drawn."""
    page.downloads_to(folder)
    page.press("follow-tab")
    page.choose(*saved(frames, folder)[::-1])
    page.wait_for("follow-status", "Draw a box")
    x, y, w, h = box
    page.stroke("stage", (x, y), (x + w / 2, y + h / 3), (x + w, y + h))
    page.wait_for("follow-status", f"Done after {len(frames)} frames.")
    page.press("download")
    path = folder / "boxes.csv"
    page.until(path.exists)
    return table(path)


def test_boxes_are_those_of_the_runtime(page, tmp_path):
    """Each box depends on all before it; the page's and Python's stay together."""
    frames = list(view(next(iter(read_video(BUILT / "sample.mp4")))))
    box = (140, 15, 35, 64)
    rows = followed(page, frames, box, tmp_path)
    assert rows[:, 0].tolist() == list(range(COUNT))
    drawn, found = rows[0, 2:6], rows[:, 2:6]
    np.testing.assert_allclose(drawn, box, atol=2)
    tracker = Tracker(MODEL)
    expected = tracker.track(frames, drawn)
    assert np.ptp(expected[:, 0]) > 60, "what hardly moves is no test of parity"
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert rows[-1, 7] == pytest.approx(tracker.outputs["presence"], abs=1e-3)
    # What the page shows beside the frame is drawn.
    for name in ("glimpse", "map"):
        assert page.run(BRIGHTEST, name) > 100
    assert float(page.text("rate")) > 0
    assert page.complaints() == []


def test_boxes_on_the_sample_clip(page, tmp_path):
    """The same at first; later the same object."""
    frames = list(islice(read_video(BUILT / "sample.mp4"), COUNT))
    rows = followed(page, frames, (190, 20, 35, 64), tmp_path)
    page.show("followed")
    found, expected = rows[:, 2:6], Tracker(MODEL).track(frames, rows[0, 2:6])
    np.testing.assert_allclose(found[:8], expected[:8], atol=0.05)
    assert np.ptp(expected[:, 0]) > 20
    assert np.asarray(iou(found, expected)).mean() > 0.8


BRIGHTEST = """
const canvas = document.getElementById(arguments[0]);
const {width, height} = canvas;
return Math.max(...canvas.getContext("2d").getImageData(0, 0, width, height).data
  .filter((_, i) => i % 4 !== 3));
"""


def test_the_sample_clip_and_the_camera(page):
    page.press("follow-tab")
    page.press("sample")
    page.wait_for("follow-status", "Press")
    page.press("follow")
    page.wait_for("follow-status", "Following")
    page.until(lambda: int(page.text("count")) > 5, SECONDS)
    page.show("follow")
    page.press("stop")
    page.wait_for("follow-status", "Stopped after")
    page.press("camera")
    page.wait_for("follow-status", "Draw a box")
    page.stroke("stage", (100, 100), (150, 150), (200, 200))
    page.wait_for("follow-status", "Following")
    page.until(lambda: int(page.text("count")) > 2, SECONDS)
    page.press("stop")
    page.wait_for("follow-status", "Stopped after")
    assert page.text("follow-alert") is None


MODULE = """
const address = new URL("keras-attend-web.js", location.href);
const {Tracker, Classifier} = await import(address);
const errors = [];
const failing = async (work) => {
  try {
    await work();
    errors.push("none");
  } catch (error) {
    errors.push(error.message);
  }
};
const tracker = await Tracker.load("models/hart_kitti.onnx");
const grey = {data: new Uint8Array(40 * 30), width: 40, height: 30, channels: 1};
const wide = {data: new Uint8Array(41 * 30), width: 41, height: 30, channels: 1};
await failing(() => tracker.update(grey));
await failing(() => tracker.init(grey, [1, 2, 0, 4]));
await failing(() => tracker.init(grey, [50, 2, 3, 4]));
await failing(() => tracker.init(grey, [1, NaN, 3, 4]));
await tracker.init(grey, [10, 10, 8, 8]);
const found = await tracker.update(grey);
await failing(() => tracker.update(wide));
await failing(() => Promise.all([tracker.update(grey), tracker.update(grey)]));
await failing(() => Tracker.load("models/ram_cluttered_mnist.onnx"));
await failing(() => Classifier.load("models/hart_kitti.onnx"));
await failing(() => Tracker.load("models/none.onnx"));
await failing(() => Tracker.load("models/hart_kitti.onnx", {bytes: 10}));
return {errors, found, names: Object.keys(tracker.outputs)};
"""


def test_the_module_and_its_errors(page):
    told = page.run(f"return (async () => {{{MODULE}}})()")
    words = "before `update(frame)`|a width and a height|overlap the frame|finite"
    words += "|height and width of the first|await the last call|must be a tracker"
    words += "|must be a classifier|HTTP status 404|at most 10 bytes"
    for error, part in zip(told["errors"], words.split("|"), strict=True):
        assert part in error
    assert set(told["found"]) == {"present", "presence", "box"}
    assert {"glimpse", "location", "region"} <= set(told["names"])
    messages = [complaint["message"] for complaint in page.complaints()]
    assert all("none.onnx" in message for message in messages), messages


def test_a_drawn_digit_is_read(page):
    """A seven without clutter, from several first glimpses."""
    page.press("digits-tab")
    page.run(
        "const c = document.getElementById('clutter'); c.value = 0;"
        "c.dispatchEvent(new Event('input'))"
    )
    page.stroke("pad", (70, 60), (130, 58), (190, 60), (150, 130), (120, 210))
    answers = []
    for again in ("look", "look", "given"):
        page.wait_for("digits-status", "It reads")
        page.show("digit")
        answers.append(page.text("answer"))
        page.run("document.getElementById('digits-status').textContent = ''")
        page.press(again)
    assert max(answers, key=answers.count) == "7", answers
    # The last is one of MNIST's. Back to one of the glimpses:
    page.wait_for("digits-status", "It reads")
    page.run(
        "const s = document.getElementById('step'); s.value = 3;"
        "s.dispatchEvent(new Event('input'))"
    )
    assert page.text("step-text") == "3 of 8" and page.text("answer") == "?"
    assert page.run(BRIGHTEST, "patch-2") > 0
    assert page.text("digits-alert") is None and page.complaints() == []


def test_what_is_no_video_gives_a_message(page, tmp_path):
    page.press("follow-tab")
    for name in ("broken.mp4", "broken.png"):
        path = tmp_path / name
        path.write_bytes((BUILT / "sample.mp4").read_bytes()[40:4000])
        page.choose(path)
        said = page.wait_for("follow-alert", f"“{name}”")
        assert "cannot be played" in said or "no picture" in said
    page.press("sample")  # the page goes on
    page.wait_for("follow-status", "Press")
    assert page.text("follow-alert") is None


def test_a_model_that_was_changed_is_refused(browser):
    content = bytearray(MODEL.read_bytes())
    content[len(content) // 2] ^= 1
    replaced = {"/models/hart_kitti.onnx": bytes(content)}
    with served(replaced) as address:
        browser.visit(address)
        browser.press("sample")
        browser.wait_for("follow-status", "Press")
        browser.press("follow")
        browser.until(lambda: browser.text("follow-alert"), SECONDS)
        assert "SHA-256" in browser.text("follow-alert")
        replaced.clear()  # the page loads the file again when it is asked again

        def answered():
            following = (browser.text("follow-status") or "").startswith("Following")
            return following or browser.text("follow-alert")

        browser.press("follow")
        browser.until(answered, SECONDS)
        assert browser.text("follow-alert") is None
        browser.press("stop")
        browser.wait_for("follow-status", "Stopped after")


def test_without_webassembly_the_page_says_so(address, tmp_path):
    """As where an administrator forbids to compile: there is none without that."""
    with Visitor(tmp_path, "--js-flags=--jitless") as browser:
        browser.visit(address)
        assert "no WebAssembly" in browser.text("no-wasm")
        browser.press("sample")
        browser.wait_for("follow-status", "Press")
        browser.press("follow")
        browser.until(lambda: browser.text("follow-alert"), SECONDS)
        assert "no WebAssembly" in browser.text("follow-alert")


def test_a_telephone_and_what_it_asks_for(address, tmp_path):
    """All fits; a finger draws; the browser's own record has no other server."""
    log = tmp_path / "network.json"
    options = {"size": (390, 844), "touch": True}
    with Visitor(tmp_path / "it", f"--log-net-log={log}", **options) as browser:
        browser.visit(address)
        for tab in ("digits-tab", "follow-tab"):
            browser.press(tab)
            wide = browser.run("return document.documentElement.scrollWidth")
            assert wide <= 390
        browser.press("sample")
        browser.wait_for("follow-status", "Press")
        browser.stroke("stage", (190, 20), (205, 60), (225, 84))
        browser.until(lambda: int(browser.text("count")) > 2, SECONDS)
        browser.show("telephone_follow")
        browser.press("digits-tab")
        browser.press("given")
        browser.wait_for("digits-status", "It reads")
        browser.show("telephone_digit")
        browser.ask("DELETE", "")  # the browser ends, and completes its record
    urls = asked(log, address)
    paths = {url.removeprefix(address) for url in urls}
    assert {"ort/ort-wasm-simd-threaded.wasm", "models/hart_kitti.onnx"} <= paths
    ours = (address, f"blob:{address}")
    assert not [url for url in urls if not url.startswith(ours)]


def asked(log: Path, address: str) -> list[str]:
    """What the page asked for, whether it got it or not."""
    content = json.loads(log.read_text())
    found = (event.get("params", {}) for event in content["events"])
    origin = address.rstrip("/")
    return [x["url"] for x in found if "url" in x and x.get("initiator") == origin]
