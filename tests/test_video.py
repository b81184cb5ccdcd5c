import sys

import numpy as np
import pytest

from keras_attend.video import VideoWriter, annotate, read_video

av = pytest.importorskip("av")
imageio = pytest.importorskip("imageio.v3")
pytest.importorskip("PIL")


def moving_square(count=12, height=32, width=48):
    """A white square that moves by a pixel a frame, on reddish noise."""
    ground = np.random.default_rng(0).integers(0, 90, (height, width, 1), "uint8")
    ground = ground + np.array([40, 0, 0], "uint8")
    frames = np.repeat(ground[None], count, axis=0)
    for t in range(count):
        frames[t, 8:18, 4 + t : 14 + t] = 255
    return frames


def write(path, frames, fps=25, **options):
    """By imageio alone, not by what is tested."""
    with imageio.imopen(path, "w", plugin="pyav", **options) as file:
        file.init_video_stream("libx264", fps=fps, pixel_format="yuv420p")
        for frame in frames:
            file.write_frame(frame)
    return path


def halve(path, part=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    return path


def test_reads_a_file_one_frame_at_a_time(tmp_path):
    frames = moving_square()
    video = read_video(write(tmp_path / "in.mp4", frames, fps=30000 / 1001))
    assert video.fps == pytest.approx(30000 / 1001)
    assert video.length == 12
    first = next(iter(video))
    assert first.shape == (32, 48, 3) and first.dtype == np.uint8
    found = np.stack(list(video))  # from the start again
    assert found.shape == frames.shape
    assert np.abs(found.astype(int) - frames).mean() < 12  # H.264 loses some


def test_a_file_without_a_length(tmp_path):
    video = read_video(write(tmp_path / "in.mkv", moving_square()))
    assert video.length is None and len(list(video)) == 12


def test_turns_what_was_filmed_upright(tmp_path):
    """As OpenCV does, whose users click boxes on what they see."""
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(90)
        image = np.zeros((32, 64, 3), "uint8")
        image[:, :32] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    (frame,) = read_video(path)
    assert frame.shape == (64, 32, 3)
    assert frame[:28].max() < 40 and frame[36:].min() > 215


def test_reads_a_folder_in_the_order_of_its_numbers(tmp_path):
    for number, shade in ((9, 10), (10, 20), (100, 30)):
        picture = np.full((6, 8, 3), shade, "uint8")
        imageio.imwrite(tmp_path / f"{number}.png", picture)
    video = read_video(tmp_path)
    assert (video.fps, video.length) == (30, 3)
    assert [frame[0, 0, 0] for frame in video] == [10, 20, 30]


def test_a_truncated_mp4(tmp_path):
    """With its table of contents first, as videos on the web have it."""
    options = {"options": {"movflags": "faststart"}}
    path = write(tmp_path / "in.mp4", moving_square(60), **options)
    video = read_video(halve(path, 0.8))
    count = 0
    with pytest.raises(ValueError, match="truncated") as caught:
        for _ in video:
            count += 1
    assert 0 < count < 60
    assert f"after {count} frames" in str(caught.value)


def test_a_truncated_mkv(tmp_path):
    path = halve(write(tmp_path / "in.mkv", moving_square(40), fps=8))
    with pytest.raises(ValueError, match=r"in.mkv is truncated: .* after \d+ frames"):
        list(read_video(path))


def test_a_damaged_picture(tmp_path):
    for number in range(3):
        imageio.imwrite(tmp_path / f"{number}.png", np.zeros((6, 8, 3), "uint8"))
    halve(tmp_path / "2.png")
    frames = iter(read_video(tmp_path))
    next(frames), next(frames)
    with pytest.raises(ValueError, match=r"2.png is damaged, .* after 2 frames"):
        next(frames)


@pytest.mark.parametrize("name", ["notes.txt", "film.mp4", "still.png", "empty.mp4"])
def test_not_a_video(tmp_path, name):
    path = tmp_path / name
    if name == "still.png":
        imageio.imwrite(path, np.zeros((6, 8, 3), "uint8"))
    else:
        path.write_text("" if name == "empty.mp4" else "a line of text\n" * 40)
    with pytest.raises(ValueError, match=f"{name} is not a video"):
        read_video(path)


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_video(tmp_path / "absent.mp4")
    with pytest.raises(FileNotFoundError, match="must hold frames"):
        read_video(tmp_path)
    with pytest.raises(ValueError, match="'camera:' and a number"):
        read_video("camera:front")
    with pytest.raises(ValueError, match="camera"):
        read_video("camera:99")


def test_without_the_libraries(tmp_path, monkeypatch):
    path = write(tmp_path / "in.mp4", moving_square(2))
    monkeypatch.setitem(sys.modules, "imageio.v3", None)
    with pytest.raises(ImportError, match="pip install av imageio Pillow"):
        read_video(path)
    with pytest.raises(ImportError, match="pip install av imageio Pillow"):
        VideoWriter(tmp_path / "out.mp4", 25)


def test_writes_odd_sizes(tmp_path):
    frames = moving_square(5, 31, 45)
    with VideoWriter(tmp_path / "out.mp4", 29.97) as writer:
        for frame in frames:
            writer.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    video = read_video(tmp_path / "out.mp4")
    assert video.fps == pytest.approx(29.97, abs=1e-3)
    found = np.stack(list(video))
    assert found.shape == (5, 32, 46, 3)
    assert np.abs(found[:, :31, :45].astype(int) - frames).mean() < 12


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_file_can_be_played(tmp_path, error):
    path = tmp_path / "out.mp4"
    with pytest.raises(error), VideoWriter(path, 25) as writer:
        for t, frame in enumerate(moving_square()):
            if t == 7:
                raise error
            writer.write(frame)
    assert len(list(read_video(path))) == 7


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"must be a file \*.mp4"):
        VideoWriter(tmp_path / "out.avi", 25)
    with pytest.raises(FileNotFoundError, match="no folder"):
        VideoWriter(tmp_path / "absent" / "out.mp4", 25)
    with pytest.raises(ValueError, match="`fps` must be positive"):
        VideoWriter(tmp_path / "out.mp4", 0)
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        with pytest.raises(ValueError, match=r"\[H, W, 3\] of uint8"):
            writer.write(np.zeros((8, 8, 3), "float32"))
        assert not (tmp_path / "out.mp4").exists()
        writer.write(np.zeros((8, 8, 3), "uint8"))
        with pytest.raises(ValueError, match="must have one size"):
            writer.write(np.zeros((8, 10, 3), "uint8"))


def green(frame):
    return (frame[..., 1] > 200) & (frame[..., 0] < 100) & (frame[..., 2] < 100)


def blue(frame):
    return (frame[..., 2] > 200) & (frame[..., 0] < 100)


def test_annotate_draws_the_box():
    frame = np.full((100, 120, 3), 50, "uint8")
    drawn = annotate(frame, (30, 40, 20, 10))
    assert (frame == 50).all()
    rows, columns = np.nonzero(green(drawn))
    assert (rows.min(), rows.max()) == (40, 49)
    assert (columns.min(), columns.max()) == (30, 49)
    assert (drawn[41:49, 31:49] == 50).all()  # the object is seen
    assert len(rows) == 2 * 20 + 2 * 8


def test_lines_are_in_proportion_to_the_frame():
    small = annotate(np.zeros((240, 240, 3), "uint8"), (100, 100, 90, 90))
    large = annotate(np.zeros((960, 960, 3), "uint8"), (400, 400, 360, 360))
    assert green(small)[145].sum() == 2
    assert green(large)[580].sum() == 8


@pytest.mark.parametrize(
    "box",
    [(-30, -40, 400, 400), (90, 90, 1e9, 1e9), (-50, 0, 10, 10), (np.nan, 0, 9, 9)],
)
def test_boxes_that_are_not_in_the_frame(box):
    frame = np.full((100, 100, 3), 50, "uint8")
    drawn = annotate(frame, box)
    # Only the one that begins inside has edges to draw: two of them.
    assert green(drawn).sum() == (19 if box[0] == 90 else 0)


def test_the_window_is_drawn_where_it_differs():
    frame = np.full((100, 100, 3), 50, "uint8")
    glimpse = np.full((5, 5, 1), 0.25, "float32")
    window = np.array([60.0, 50.0, 5.0, 5.0, 1.0, 1.0])  # 20 x 20 around (50, 60)
    same = annotate(frame, (40, 50, 20, 20), window, glimpse)
    assert not blue(same).any()
    other = annotate(frame, (45, 55, 10, 10), window, glimpse)
    rows, columns = np.nonzero(blue(other))
    assert (rows.min(), rows.max()) == (50, 69)
    assert (columns.min(), columns.max()) == (40, 59)
    with pytest.raises(ValueError, match="`window` needs `glimpse`"):
        annotate(frame, (45, 55, 10, 10), window)


@pytest.mark.parametrize("box", [(60, 60, 20, 20), (5, 5, 20, 20), (0, 0, 90, 20)])
def test_the_glimpse_does_not_hide_the_box(box):
    frame = np.full((100, 100, 3), 50, "uint8")
    glimpse = np.full((5, 5, 1), 0.75, "float32")
    drawn = annotate(frame, box, glimpse=glimpse)
    inset = (drawn == 191).all(-1)
    assert inset.sum() == 30 * 30
    x, y, w, h = box
    assert not inset[y : y + h, x : x + w].any()


def test_annotate_in_a_frame_too_small_for_the_glimpse():
    frame = np.full((2, 3, 3), 50, "uint8")
    drawn = annotate(frame, (0, 0, 1, 1), glimpse=np.ones((9, 4, 3)))
    assert green(drawn[0, 0]) and (np.delete(drawn.reshape(6, 3), 0, 0) == 50).all()


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"\[H, W, 3\] of uint8"):
        annotate(np.zeros((8, 8)), (0, 0, 1, 1))
    with pytest.raises(ValueError, match=r"\[n, m, 1\] or \[n, m, 3\]"):
        annotate(np.zeros((8, 8, 3), "uint8"), (0, 0, 1, 1), glimpse=np.zeros((2, 2)))
