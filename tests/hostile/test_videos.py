"""What calls itself a video or a picture opens nothing else, and fills no memory."""

import os
import resource
import signal
import struct
import subprocess
import sys
import time
import zlib

import av
import imageio.v3 as imageio
import numpy as np
import pytest
from track_films import film

from keras_attend import zoo
from keras_attend.commands.main import main
from keras_attend.commands.track_results import signals
from keras_attend.datasets.sequences import image_size, read_image
from keras_attend.models import RATM, RATMCell
from keras_attend.video import VideoWriter, read_video

PATIENCE = 600.0  # seconds: other processes need time, too
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n"
LISTS = {
    "list.m3u8": PLAYLIST,
    "list.mp4": PLAYLIST,  # whatever its name says
    "concat.mp4": "ffconcat version 1.0\nfile '{}'\n",
    "list.mpd": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    "<BaseURL>{}</BaseURL></AdaptationSet></Period></MPD>",
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\n"
    "m=video 9 RTP/AVP 96\n",
    "list.pls": "[playlist]\nFile1={}\n",
    "list.asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "script.avs": 'FFmpegSource2("{}")\n',
}


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A film that no list of files shall open; to write it takes seconds."""
    return film(tmp_path_factory.mktemp("film") / "secret.mp4", 3)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("to", ["/etc/passwd", "film", "http://127.0.0.1:9/x"])
def test_lists_of_other_files(name, to, tmp_path, secret):
    if to == "film":
        to = secret
    path = tmp_path / name
    path.write_text(LISTS[name].format(to))
    begin = time.monotonic()
    with pytest.raises(ValueError, match=f"{name} is not a video"):
        list(read_video(path))
    assert time.monotonic() - begin < 3


def test_a_name_that_is_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "in.mp4", 3)
    os.rename("in.mp4", "concat:in.mp4")
    assert len(list(read_video("concat:in.mp4"))) == 3


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_no_regular_file(kind, tmp_path):
    path = tmp_path / "in.mp4"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="must be a regular file"):
        read_video(path)


def test_a_title_in_another_encoding(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Zxxq"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), "uint8"))
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert b"Zxxq" in content
    path.write_bytes(content.replace(b"Zxxq", "Züß!".encode("latin-1")))
    assert len(list(read_video(path))) == 1


# Pictures.

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run showpage\n"


def png(width, height, depth=8, kind=2, rows=1):
    def part(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"\0" * (1 + width * 3) * rows)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", data)


PICTURES = {
    "eps": EPS,
    "many pixels": png(9000, 9000),
    "more pixels": png(60000, 60000),
    "16 bits": png(2, 2, 16, 0, 3),
    "ppm": b"P6 2 2 255\n" + b"x" * 12,
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "nothing": b"",
    "text": b"hello",
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program"))
    path = tmp_path / "0001.png"
    path.write_bytes(PICTURES[name])
    with pytest.raises(ValueError, match=r"0001\.png is damaged, or is no picture"):
        read_image(path)


def test_pixels_are_counted_before_they_are_unpacked(tmp_path):
    path = tmp_path / "0001.png"
    path.write_bytes(PICTURES["many pixels"])
    with pytest.raises(ValueError, match="9000x9000 pixels"):
        image_size(path)


@pytest.mark.parametrize("attack", ["pipe", "device"])
def test_a_picture_that_is_no_file(attack, tmp_path):
    path = tmp_path / "0001.png"
    os.mkfifo(path) if attack == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="must be a regular file"):
        read_image(path)


def test_frames_of_too_many_pixels(tmp_path):
    path = tmp_path / "in.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), "uint8"))
        container.mux(stream.encode(picture))
        container.mux(stream.encode())
    content = path.read_bytes()
    small, large = struct.pack("<II", 64, 64), struct.pack("<II", 30000, 30000)
    jpeg = struct.pack(">HH", 64, 64), struct.pack(">HH", 30000, 30000)
    path.write_bytes(content.replace(small, large).replace(*jpeg))
    with pytest.raises(ValueError, match=r"in\.avi (must have frames|is|ended)"):
        list(read_video(path))


# `track`.


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "tiny"
    model = RATM(RATMCell(5, 4))
    model.build()
    about = {"description": "-", "paper": "-", "task": "tracking", "input": "-"}
    zoo.save_preset(model, folder, **about)
    return str(folder)


def test_an_output_that_is_the_input(preset, tmp_path, capsys):
    source = film(tmp_path / "in.mp4", 5)
    out = tmp_path / "out.mp4"
    os.link(source, out)
    before = out.read_bytes()
    flags = ["--box", "0,10,12,12", "--model", preset]
    assert main(["track", source, *flags, "--out", str(out)]) == 1
    assert "must be different files" in capsys.readouterr().err
    boxes = tmp_path / "boxes.csv"
    os.link(source, boxes)
    assert main(["track", source, *flags, "--boxes", str(boxes)]) == 1
    assert out.read_bytes() == before


LIMITED = """
import resource, sys
from keras_attend.commands.main import main
import keras_attend.tracking
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(main())
"""


def noisy(path, count):
    with VideoWriter(path, 30) as writer:
        for t in range(count):
            random = np.random.default_rng(t)
            writer.write(random.integers(0, 255, (96, 96, 3), "uint8"))
    return path


def start(code, source, preset, *flags):
    command = [sys.executable, "-c", code, "track", str(source), "--model", preset]
    command += ["--box", "9,9,40,40", *map(str, flags)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def in_a_fork(function):
    """Call a function in a process of its own, and return how that ended."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def test_a_kill_leaves_a_video(tmp_path):
    def killed():
        with VideoWriter(tmp_path / "out.mp4", 30) as writer:
            for t in range(300):
                random = np.random.default_rng(t)
                writer.write(random.integers(0, 255, (64, 64, 3), "uint8"))
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_fork(killed) == signal.SIGKILL
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in decoded(container)) > 130
    whole = noisy(tmp_path / "whole.mp4", 70)
    with av.open(str(whole)) as container:  # a finished file is a plain one
        assert container.streams.video[0].frames == 70


def test_a_full_disk_leaves_a_video(tmp_path):
    path, told = tmp_path / "out.mp4", tmp_path / "told.txt"

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            noisy(path, 400)
        except OSError as error:
            told.write_text(str(error))

    assert in_a_fork(full) == 0
    assert "out.mp4 could not be written" in told.read_text()
    with av.open(str(path)) as container:
        assert sum(1 for _ in decoded(container)) > 30


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM])
def test_signals_are_collected(number):
    """Unless the process was told to ignore them, as `nohup` does."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with signals() as received:
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert received == [number]
        signal.signal(number, signal.SIG_IGN)
        with signals() as received:
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert received == []
    finally:
        signal.signal(number, before)


@pytest.mark.hostile
def test_a_full_disk_leaves_what_was_tracked(preset, tmp_path):
    source = noisy(tmp_path / "in.mp4", 400)
    out = tmp_path / "out.mp4"
    limit = source.stat().st_size // 2
    process = start(LIMITED.format(limit=limit), source, preset, "--out", out)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "Traceback" not in error
    assert "out.mp4 could not be written" in error
    assert "The first" in error and "Free some space" in error
    with av.open(str(out)) as container:
        assert sum(1 for _ in decoded(container)) > 30


def decoded(container):
    try:
        yield from container.decode(video=0)
    except av.FFmpegError:
        return


@pytest.mark.hostile
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL]
)
def test_signals_leave_what_was_tracked(number, preset, tmp_path):
    # So many frames that, on a busy machine too, the process has not ended before.
    source = noisy(tmp_path / "in.mp4", 1500)
    out, boxes = tmp_path / "out.mp4", tmp_path / "boxes.csv"
    code = "import sys; from keras_attend.commands.main import main; sys.exit(main())"
    process = start(code, source, preset, "--out", out, "--boxes", boxes)
    try:
        end = time.monotonic() + PATIENCE
        while not boxes.exists() or boxes.read_text().count("\n") < 260:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(number)
        _, error = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    tracked = boxes.read_text().count("\n") - 1
    with av.open(str(out)) as container:
        count = sum(1 for _ in decoded(container))
    if number == signal.SIGKILL:
        assert count > tracked - 150  # what was being encoded is lost
    else:
        assert process.returncode == 128 + number
        assert count == tracked and f"stopped after {count} frames" in error


def test_frames_that_change_size(tmp_path):
    for number, size in enumerate([(6, 8), (9000, 9000)]):
        path = tmp_path / f"{number}.png"
        if number:
            path.write_bytes(png(*size))
        else:
            imageio.imwrite(path, np.zeros((*size, 3), "uint8"))
    frames = iter(read_video(tmp_path))
    next(frames)
    with pytest.raises(ValueError, match=r"9000x9000 pixels.* after 1 frames"):
        next(frames)
