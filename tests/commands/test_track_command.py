import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_attend import zoo
from keras_attend.commands.main import main
from keras_attend.models import RATM, RATMCell
from keras_attend.tracking import Tracker
from keras_attend.video import VideoWriter, read_video

pytest.importorskip("av")
pytest.importorskip("imageio")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A very small RATM, not trained."""
    keras.utils.set_random_seed(0)
    model = RATM(RATMCell(6, 8))
    model.build()
    folder = tmp_path_factory.mktemp("presets") / "ratm_tiny"
    about = {"description": "-", "paper": "-", "task": "tracking", "input": "-"}
    zoo.save_preset(model, folder, **about)
    return str(folder)


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
    assert header == "frame,x,y,w,h,present"
    assert rows[0] == "0,0.00,10.00,12.00,12.00,1"
    found = np.array([row.split(",") for row in rows], float)
    assert found[:, 0].tolist() == list(range(10))
    expected = Tracker(preset).track(read_video(source), (0, 10, 12, 12))
    np.testing.assert_allclose(found[:, 1:5], expected, atol=0.0051)
    for frame, (x, y, w, h) in zip(video, expected, strict=True):
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
        ({"--out": None, "--boxes": None}, "give --out or --boxes"),
        ({"--out": "out.avi"}, r"must be a file *.mp4"),
        ({"--out": "in.mp4"}, "must be different files"),
        ({"--out": "absent/out.mp4"}, "no folder absent"),
        ({"--boxes": "absent/boxes.csv"}, "no folder absent"),
        ({"--boxes": "."}, "--boxes must be a file"),
    ],
)
def test_errors(tmp_path, preset, capsys, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
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
    # What was started in a shell's background would ignore Ctrl-C.
    code = (
        "import signal, sys; from keras_attend.commands.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "track", str(source)]
    command += ["--box", "9,9,60,40", "--model", preset]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--boxes", str(boxes)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 200
        while not boxes.exists() or boxes.read_text().count("\n") < 5:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # the impatient press it twice
        _, error = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in error
    count = boxes.read_text().count("\n") - 1
    assert 4 <= count < 3000
    assert f"stopped after {count} frames" in error
    assert len(list(read_video(out))) == count
