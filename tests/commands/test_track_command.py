import io
import json
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from track_case import Run, save_small_tracker, two_squares

from keras_attend.commands.main import main
from keras_attend.tracking import Tracker
from keras_attend.video import VideoWriter, read_video
from keras_attend.video.files import CAMERAS

pytest.importorskip("av")
pytest.importorskip("imageio")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return save_small_tracker(tmp_path_factory.mktemp("presets") / "ratm_tiny")


def film(path, count=10, **options):
    """A white square that moves by a pixel a frame."""
    import imageio.v3 as imageio

    with imageio.imopen(path, "w", plugin="pyav", **options) as file:
        file.init_video_stream("libx264", fps=20, pixel_format="yuv420p")
        for t in range(count):
            frame = np.random.default_rng(t).integers(0, 50, (48, 64, 3), "uint8")
            frame[10:22, t % 50 : t % 50 + 12] = 255
            file.write_frame(frame)
    return str(path)


def track(*arguments):
    return main(["track", *map(str, arguments)])


def test_track(tmp_path, preset, capsys):
    source = film(tmp_path / "in.mp4")
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.csv"
    options = ("--model", preset, "--out", out, "--boxes", boxes)
    assert track(source, "--box", "0,10,12,12", *options) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1  # not a terminal
    assert printed.err.startswith("10 frames, ")
    assert str(out) in printed.err and str(boxes) in printed.err

    video = read_video(out)
    assert (video.fps, video.length) == (20, 10)
    header, *rows = boxes.read_text().splitlines()
    assert header == "frame,object,x,y,w,h,present,score"
    assert rows[0] == "0,1,0.00,10.00,12.00,12.00,1,"  # a RATM gives no score
    found = np.genfromtxt(rows, delimiter=",")
    assert found[:, 0].tolist() == list(range(10)) and (found[:, 1] == 1).all()
    expected = Tracker(preset).track(read_video(source), (0, 10, 12, 12))
    np.testing.assert_allclose(found[:, 2:6], expected, atol=0.0051)
    for frame, (x, y, w, h) in zip(video, expected, strict=True):
        assert frame.shape[0] > 48 and frame[50:].max() > 200  # the text below
        frame = frame[:48]
        green = frame[..., 1].astype(float) - frame[..., 0]  # the film is grey
        across, down = np.arange(64), np.arange(48)[:, None]
        beside_x = np.maximum(np.maximum(x - across, across - x - w), 0)
        beside_y = np.maximum(np.maximum(y - down, down - y - h), 0)
        far = np.hypot(beside_x, beside_y) > 6
        assert green.max() > 50 > 40 > green[far].max()  # the box is drawn, there


def test_a_folder_into_a_table(tmp_path, preset, capsys):
    import imageio.v3 as imageio

    for t in range(3):
        frame = np.full((20, 30, 3), 80 * t, "uint8")
        imageio.imwrite(tmp_path / f"{t}.png", frame)
    boxes = tmp_path / "boxes.csv"
    assert track(tmp_path, "--box=-2,3,9,9", "--model", preset, "--boxes", boxes) == 0
    assert len(boxes.read_text().splitlines()) == 4
    assert not list(tmp_path.glob("*.mp4"))


def test_the_bar(tmp_path, preset, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    source, boxes = film(tmp_path / "in.mp4"), tmp_path / "boxes.csv"
    options = ("--model", preset, "--boxes", boxes)
    assert track(source, "--box", "0,10,12,12", *options) == 0
    bar, summary = stderr.getvalue().splitlines()[-2:]
    last = bar.split("\r")[-1]
    assert last.startswith(f"[{'#' * 30}] 10/10 frames, ") and "frames/s" in last
    assert summary.startswith("10 frames, ")


def test_a_truncated_video_keeps_what_was_tracked(tmp_path, preset, capsys):
    path = tmp_path / "in.mp4"
    film(path, 60, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: int(0.8 * path.stat().st_size)])
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.csv"
    options = ("--model", preset, "--out", out, "--boxes", boxes)
    assert track(path, "--box", "0,10,12,12", *options) == 1
    error = capsys.readouterr().err
    count = len(boxes.read_text().splitlines()) - 1
    assert 0 < count < 60 and len(list(read_video(out))) == count
    assert error.count("\n") == 1
    assert f"after {count} frames. The first {count} are in {out}" in error


def test_several_objects_in_other_programs_layouts(tmp_path, preset, capsys):
    source, out = two_squares(tmp_path / "in.mp4", 6), tmp_path / "out.mp4"
    given = [[20, 30, 20, 20], [120, 10, 20, 24]]
    boxes = [word for box in given for word in ("--box", ",".join(map(str, box)))]
    table = ("--boxes", tmp_path / "b.txt", "--boxes-layout", "otb")
    assert track(source, *boxes, "--model", preset, "--out", out, *table) == 0
    error = capsys.readouterr().err
    expected = Tracker(preset).track(read_video(source), given)  # [2, 6, 4]
    for number, found in enumerate(expected, start=1):
        name = tmp_path / f"b.{number}.txt"
        read = np.genfromtxt(name, delimiter=",")
        np.testing.assert_allclose(read, found + np.array([1, 1, 0, 0]), atol=0.0051)
        assert str(name) in error
    assert not (tmp_path / "b.txt").exists()
    (first, *_) = read_video(out)
    orange = (first[..., 0] > 180) & (first[..., 1] > 120) & (first[..., 2] < 110)
    assert orange[:, 110:150].sum() > 20  # the second box


def test_the_first_frame_with_a_grid(tmp_path, capsys):
    from PIL import Image

    source, picture = film(tmp_path / "in.mp4", 1), tmp_path / "first.png"
    assert track(source, "--first-frame", picture) == 0
    with Image.open(picture) as found:
        plain = np.asarray(found)
    assert plain.shape[1] > 640  # enlarged
    assert "64 x 48 pixels" in capsys.readouterr().err
    assert track(source, "--first-frame", picture, "--box", "0,10,12,12") == 0
    with Image.open(picture) as found:
        assert (np.asarray(found) != plain).any()
    assert track(source, "--first-frame", source) == 1
    assert "must be different files" in capsys.readouterr().err


def test_a_video_of_one_frame(tmp_path, preset, capsys):
    source, boxes = film(tmp_path / "in.mp4", 1), tmp_path / "boxes.csv"
    out, options = tmp_path / "out.mp4", ("--model", preset, "--boxes", boxes)
    assert track(source, "--box", "0,10,12,12", *options, "--out", out) == 0
    assert boxes.read_text().splitlines()[1:] == ["0,1,0.00,10.00,12.00,12.00,1,"]
    assert len(list(read_video(out))) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_while_boxes_are_drawn(tmp_path, preset):
    source, boxes = film(tmp_path / "in.mp4", 2), tmp_path / "boxes.csv"
    with Run(source, "--select", "--model", preset, "--boxes", boxes) as run:
        address = run.address()
        with urllib.request.urlopen(f"{address}state", timeout=60) as answer:
            state = json.load(answer)
        assert (state["width"], state["height"]) == (64, 48)
        run.process.send_signal(signal.SIGINT)
        assert run.wait() == 130
    assert "Traceback" not in run.errors and not boxes.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="the camera is FFmpeg's on Linux")
def test_a_camera_goes_on_while_boxes_are_drawn(tmp_path, preset, monkeypatch, capsys):
    """FFmpeg's test picture, which moves, takes a camera's place."""
    picture = "testsrc=size=64x48:rate=30,realtime"
    monkeypatch.setitem(CAMERAS, "linux", ("lavfi", picture))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    boxes, statuses = tmp_path / "boxes.csv", []
    options = ("camera:0", "--select", "--live", "--model", preset, "--boxes", boxes)
    thread = threading.Thread(target=lambda: statuses.append(track(*options)))
    thread.start()
    address, printed = None, ""
    while not address:
        assert thread.is_alive()
        time.sleep(0.05)
        printed += capsys.readouterr().err
        address = re.search(r"http://127\S+/", printed)

    def ask(name, body=None):
        with urllib.request.urlopen(f"{address[0]}{name}", body, timeout=60) as answer:
            return answer.read()

    def state(phase):
        while (found := json.loads(ask("state")))["phase"] != phase:
            time.sleep(0.05)
        return found["number"]

    first = state("draw")
    pictures = {ask("picture")}
    while len(pictures) < 3:  # it goes on
        pictures.add(ask("picture"))
    assert state("draw") > first
    ask("boxes", b"[[10, 10, 20, 20]]")
    state("live")
    ask("stop", b"null")
    thread.join(120)
    assert statuses == [0]
    assert boxes.read_text().splitlines()[1] == "0,1,10.00,10.00,20.00,20.00,1,"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--box": "64,0,9,9"}, "`box` must overlap the image of height 48"),
        ({"--box": "1,2,3"}, "--box must be four numbers, x,y,w,h"),
        ({"--box": "1,2,0,4"}, "positive w and h"),
        ({"INPUT": "absent.mp4"}, "no such file"),
        ({"INPUT": "notes.mp4"}, "is not a video"),
        ({"INPUT": "."}, "must hold frames"),
        ({"--model": "ratm_unknown"}, "no preset and no folder 'ratm_unknown'"),
        ({"--out": None, "--boxes": None}, "give --out, --boxes or --live"),
        ({"--box": None}, "in one of three ways: --select, to draw boxes"),
        ({"--select": "browser"}, "--select goes without --box"),
        ({"--box": None, "--select": "cv2"}, "--select cv2 needs"),
        ({"--first-frame": "first.jpg"}, "--first-frame must be a file *.png"),
        ({"--first-frame": "absent/first.png"}, "no folder absent"),
        ({"--live": "--port=70000"}, "must be in 0..65535"),
        ({"--out": "out.avi"}, r"must be a file *.mp4"),
        ({"--out": "in.mp4"}, "must be different files"),
        ({"--out": "absent/out.mp4"}, "no folder absent"),
        ({"--boxes": "absent/boxes.csv"}, "no folder absent"),
        ({"--boxes": "."}, "--boxes must be a file"),
    ],
)
def test_errors(tmp_path, preset, capsys, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)  # no window is to open
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    content = Path(film("in.mp4")).read_bytes()
    Path("notes.mp4").write_text("a line of text\n" * 40)
    options = {"--box": "0,10,12,12", "--model": preset, "--out": "out.mp4"}
    options |= {"--boxes": "boxes.csv", "INPUT": "in.mp4"} | change
    words = [options.pop("INPUT")]
    for name, value in options.items():
        words += [name, value] if value else []
    assert track(*words) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "notes.mp4"}
    assert Path("in.mp4").read_bytes() == content


def test_without_the_libraries(tmp_path, preset, capsys, monkeypatch):
    source = film(tmp_path / "in.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    options = ("--model", preset, "--boxes", tmp_path / "boxes.csv")
    assert track(source, "--box", "0,10,12,12", *options) == 1
    error = capsys.readouterr().err
    assert "pip install av imageio Pillow" in error and error.count("\n") == 1


def test_ctrl_c_before_the_first_frame(tmp_path, preset, capsys, monkeypatch):
    def press(self, frame, box):
        raise KeyboardInterrupt

    monkeypatch.setattr(Tracker, "init", press)
    source, boxes = film(tmp_path / "in.mp4", 2), tmp_path / "boxes.csv"
    options = ("--model", preset, "--boxes", boxes)
    assert track(source, "--box", "0,10,12,12", *options) == 130
    assert not boxes.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_leaves_what_was_tracked(tmp_path, preset):
    source = tmp_path / "in.mp4"
    with VideoWriter(source, 30) as writer:
        for _ in range(3000):
            writer.write(np.zeros((120, 160, 3), "uint8"))
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.csv"
    options = ("--box", "9,9,60,40", "--model", preset, "--out", out, "--boxes", boxes)
    with Run(source, *options) as run:
        end = time.monotonic() + 200
        while not boxes.exists() or boxes.read_text().count("\n") < 5:
            assert run.process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGINT)  # the impatient press it twice
        assert run.wait() == 130
    assert "Traceback" not in run.errors
    count = boxes.read_text().count("\n") - 1
    assert 4 <= count < 3000
    assert f"stopped after {count} frames" in run.errors
    assert len(list(read_video(out))) == count
