import numpy as np
import pytest

from keras_attend.datasets import (
    Clips,
    MixedClips,
    Sequence,
    StillClips,
    got10k,
    otb,
    read_frames,
    still_clips,
)
from keras_attend.datasets.views import resample

Image = pytest.importorskip("PIL.Image")


def scene(x, y, w=8, h=6, shape=(48, 64)):
    """A white object on black."""
    frame = np.zeros((*shape, 3), "uint8")
    frame[y : y + h, x : x + w] = 255
    return frame


def write(folder, frames, first=1, digits=4, suffix=".png"):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=first):
        Image.fromarray(frame).save(folder / f"{number:0{digits}}{suffix}")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two videos in OTB's layout; the object moves right, and down."""
    root = tmp_path_factory.mktemp("videos")
    for name, dx, dy in (("Across", 2, 0), ("Down", 0, 1)):
        places = [(10 + dx * t, 9 + dy * t) for t in range(16)]
        write(root / name / "img", [scene(x, y) for x, y in places])
        lines = [f"{x + 1},{y + 1},8,6" for x, y in places]
        (root / name / "groundtruth_rect.txt").write_text("\n".join(lines))
    return root


def assert_box_is_where_the_object_is(frame, box, atol=0.1):
    """The box's centre is the light's centre of gravity, its area the light's.

    (Interpolation between pixels is off by up to so much, either way.)
    """
    light = frame[..., 0] / 255.0
    area = light.sum()
    y, x = (np.arange(n) + 0.5 for n in light.shape)  # pixel i goes from i to i + 1
    center = (light.sum(0) @ x / area, light.sum(1) @ y / area)
    np.testing.assert_allclose(box[:2] + box[2:] / 2, center, atol=atol)
    np.testing.assert_allclose(box[2] * box[3], area, rtol=0.03)


def test_otb(videos):
    across, down = otb(videos)
    assert (across.name, down.name) == ("Across", "Down")
    assert len(across) == 16 and across.frames[0].name == "0001.png"
    assert across.boxes.dtype == np.float32
    np.testing.assert_array_equal(across.boxes[0], [10, 9, 8, 6])  # 0-based
    np.testing.assert_array_equal(across.boxes[-1], [40, 9, 8, 6])
    assert across.present.all()
    for frame, box in zip(read_frames(across), across.boxes, strict=True):
        assert_box_is_where_the_object_is(frame, box)
    part = across.part(4, 6)
    np.testing.assert_array_equal(part.boxes, across.boxes[4:6])
    assert part.frames == across.frames[4:6]


@pytest.mark.parametrize(
    "line", ["11,10,8,6", "11\t10\t8\t6", "11 10  8 6\r", "11, 10, 8, 6"]
)
def test_otb_separators(tmp_path, line):
    write(tmp_path / "a" / "img", [scene(10, 9)] * 2)
    (tmp_path / "a" / "groundtruth_rect.txt").write_bytes(
        f"{line}\n{line}\n\n".encode()
    )
    (found,) = otb(tmp_path)
    np.testing.assert_array_equal(found.boxes, [[10, 9, 8, 6]] * 2)


def test_otb_absent(tmp_path):
    write(tmp_path / "a" / "img", [scene(10, 9)] * 5)
    text = "NaN,NaN,NaN,NaN\n11,10,8,6\n0,0,0,0\n11,10,0,6\n11,10,8,-1\n"
    (tmp_path / "a" / "groundtruth_rect.txt").write_text(text)
    (found,) = otb(tmp_path)
    np.testing.assert_array_equal(found.present, [False, True, False, False, False])
    np.testing.assert_array_equal(found.boxes[~found.present], 0)


def test_otb_annotation_of_some_frames(tmp_path):
    """A known late start; else the first lines and the first frames go together."""
    for name, first, lines in (("David", 298, 3), ("short", 1, 3), ("long", 1, 9)):
        write(tmp_path / name / "img", [scene(9, 9)] * 5, first=first)
        text = "\n".join(f"{i + 1},1,2,3" for i in range(lines))
        (tmp_path / name / "groundtruth_rect.txt").write_text(text)
    david, long, short = otb(tmp_path)
    assert [f.stem for f in david.frames] == ["0300", "0301", "0302"]
    assert [f.stem for f in short.frames] == ["0001", "0002", "0003"]
    assert [f.stem for f in long.frames] == [f"000{i}" for i in range(1, 6)]
    for found in (david, short, long):
        np.testing.assert_array_equal(found.boxes[:, 0], np.arange(len(found)))
    _, _, later = otb(tmp_path, starts={"short": 2})
    assert [f.stem for f in later.frames] == ["0002", "0003", "0004"]


def test_otb_two_objects_and_unpadded_names(tmp_path):
    folder = tmp_path / "Jogging"
    write(folder / "img", [scene(t, 9) for t in range(11)], digits=1)
    for number in (1, 2):
        text = f"{number},1,2,3\n" * 11
        (folder / f"groundtruth_rect.{number}.txt").write_text(text)
    one, two = otb(tmp_path)
    assert (one.name, two.name) == ("Jogging-1", "Jogging-2")
    assert (one.boxes[0, 0], two.boxes[0, 0]) == (0, 1)
    assert [f.stem for f in one.frames] == [str(i) for i in range(1, 12)]


def test_got10k(tmp_path):
    folder = tmp_path / "GOT-10k_Val_000001"
    write(folder, [scene(10, 9)] * 3, digits=8, suffix=".jpg")
    (folder / "groundtruth.txt").write_text("11.0,10.0,8.0,6.0\n" * 3)
    (tmp_path / "list.txt").write_text(folder.name)
    (found,) = got10k(tmp_path)
    assert found.name == folder.name and found.frames[2].name == "00000003.jpg"
    assert found.present.all()
    np.testing.assert_array_equal(found.boxes[2], [10, 9, 8, 6])
    (folder / "absence.label").write_text("0\n1\n0\n")
    (found,) = got10k(tmp_path)
    np.testing.assert_array_equal(found.present, [True, False, True])
    (folder / "absence.label").write_text("0\n1\n")
    with pytest.raises(ValueError, match="must have a line for each line"):
        got10k(tmp_path)


def test_read_frames(videos):
    across, _ = otb(videos)
    frames = read_frames(across, [3, 1])
    assert frames.shape == (2, 48, 64, 3) and frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, [scene(16, 9), scene(12, 9)])


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="`folder` must hold videos"):
        otb(tmp_path)
    truth = tmp_path / "a" / "groundtruth_rect.txt"
    truth.parent.mkdir()
    truth.write_text("1,2,3,4\n1,2,3\n")
    with pytest.raises(FileNotFoundError, match="must hold frames"):
        otb(tmp_path)
    write(truth.parent / "img", [scene(9, 9), scene(9, 9, shape=(40, 40))])
    with pytest.raises(ValueError, match=r"Line 2 of .* Received: '1,2,3'"):
        otb(tmp_path)
    truth.write_text("\n")
    with pytest.raises(ValueError, match=r"must have annotated frames.* in .*img"):
        otb(tmp_path)
    truth.write_text("1,2,3,4\n1,2,3,4\n")
    (found,) = otb(tmp_path)
    with pytest.raises(ValueError, match="All frames of a video must have one size"):
        read_frames(found)
    found.frames[0].write_bytes(found.frames[0].read_bytes()[:60])
    with pytest.raises(ValueError, match=r"0001.png is damaged"):
        read_frames(found, [0])
    with pytest.raises(ValueError, match="`boxes` must have shape"):
        Sequence("a", found.frames, found.boxes[:1], found.present)


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (96, 64), (33, 47)])
def test_resample_moves_boxes_with_pixels(size):
    frames = np.stack([scene(20, 15), scene(31, 22)])
    boxes = np.array([[20, 15, 8, 6], [31, 22, 8, 6]], "float32")
    for view in ([0, 0, 64, 48], [10.3, 7.6, 40.5, 32.2], [-6, -4, 80, 60]):
        seen, moved = resample(frames, boxes, np.array(view), size)
        assert seen.shape == (2, *size, 3) and seen.dtype == np.uint8
        for frame, box in zip(seen, moved, strict=True):
            assert_box_is_where_the_object_is(frame, box)
    same, _ = resample(frames, boxes, np.array([0, 0, 64, 48]), (48, 64))
    np.testing.assert_array_equal(same, frames)


def test_resample_is_pillows(random):
    frame = random.integers(0, 256, (48, 64, 3)).astype("uint8")
    for view in ((0, 0, 64, 48), (5.25, 7.5, 31.25, 24.5)):
        x, y, w, h = view
        for size in ((20, 30), (96, 128)):
            seen, _ = resample(frame[None], np.zeros((1, 4)), np.array(view), size)
            expected = Image.fromarray(frame).resize(
                size[::-1], Image.Resampling.BILINEAR, box=(x, y, x + w, y + h)
            )
            # Pillow rounds between the axes, and reads nothing outside of the box.
            inner = np.s_[3:-3, 3:-3]
            difference = seen[0].astype(int) - np.asarray(expected)
            assert abs(difference[inner]).max() <= 2


def clips(videos, **kwargs):
    arguments = {"batch_size": 6, "frames": 5, "size": (32, 32), "photometric": 0}
    return Clips(otb(videos), **{**arguments, **kwargs})


def test_clips(videos):
    x, y = clips(videos)[0]
    assert x["frames"].shape == (6, 5, 32, 32, 3) and x["frames"].dtype == np.uint8
    assert x["box"].shape == (6, 4) and y["boxes"].shape == (6, 5, 4)
    assert y["present"].shape == (6, 5) and y["present"][:, 0].all()
    assert {a.dtype.name for a in (x["box"], *y.values())} == {"float32"}
    np.testing.assert_array_equal(x["box"], y["boxes"][:, 0])
    assert len(np.unique(x["box"], axis=0)) == 6


@pytest.mark.parametrize("crop", [None, (2.0, 5.0)])
def test_clips_boxes_are_where_the_object_is(videos, crop):
    x, y = clips(videos, crop=crop, batch_size=20, steps=2)[0]
    checked = 0
    for frame, box in zip(
        x["frames"].reshape(-1, 32, 32, 3), y["boxes"].reshape(-1, 4), strict=True
    ):
        if (box[:2] >= 1).all() and (box[:2] + box[2:] <= 31).all():
            assert_box_is_where_the_object_is(frame, box)
            checked += 1
    assert checked > 40


def test_clips_present_is_what_the_view_shows(videos):
    x, y = clips(videos, batch_size=40, frames=12, crop=(1.5, 2.0), visible=0.5)[0]
    light = x["frames"][..., 0].sum((2, 3)) / 255.0
    share = light / y["boxes"][..., 2:].prod(-1)
    assert y["present"].min() == 0
    assert (share[y["present"] == 1] > 0.4).all()
    assert (share[y["present"] == 0] < 0.6).all()


def test_clips_cut_at_the_border(videos):
    """Boxes end with the view; all else is as it was."""
    views = {"batch_size": 40, "frames": 12, "crop": (1.5, 2.0)}
    (x, y), (x_cut, y_cut) = (
        clips(videos, **views)[0],
        clips(videos, cut=True, **views)[0],
    )
    np.testing.assert_array_equal(x_cut["frames"], x["frames"])
    np.testing.assert_array_equal(y_cut["present"], y["present"])
    low = np.clip(y["boxes"][..., :2], 0, 32)
    high = np.clip(y["boxes"][..., :2] + y["boxes"][..., 2:], 0, 32)
    np.testing.assert_allclose(y_cut["boxes"], np.concatenate([low, high - low], -1))
    assert (y_cut["boxes"] != y["boxes"]).any()
    np.testing.assert_array_equal(x_cut["box"], y_cut["boxes"][:, 0])
    mixed = MixedClips([(clips(videos, cut=True, **views), 1)], 40)[0][1]["boxes"]
    assert mixed.min() >= 0 and (mixed[..., :2] + mixed[..., 2:]).max() <= 32


def test_clips_mirror_and_reverse(videos):
    def motion(**kwargs):
        data = clips(videos, crop=None, batch_size=40, size=(48, 64), **kwargs)
        found = np.diff(data[0][1]["boxes"], axis=1)
        assert (abs(np.diff(found, axis=1)) < 1e-3).all()  # uniform
        return {(round(float(x)), round(float(y))) for x, y, _, _ in found[:, 0]}

    assert motion(flip=False, reverse=False) == {(2, 0), (0, 1)}
    assert motion(flip=True, reverse=False) == {(2, 0), (-2, 0), (0, 1)}
    assert motion(flip=False, reverse=True) == {(2, 0), (-2, 0), (0, 1), (0, -1)}
    faster = motion(flip=False, reverse=False, steps=3)
    assert faster == {(s * 2, 0) for s in (1, 2, 3)} | {(0, s) for s in (1, 2, 3)}


def test_clips_light_changes_alike(videos):
    plain, _ = clips(videos, batch_size=1, crop=None)[0]
    lit, _ = clips(videos, batch_size=1, crop=None, photometric=0.5)[0]
    values = {}
    for before, after in zip(plain["frames"].flat, lit["frames"].flat, strict=True):
        assert values.setdefault(before, after) == after
    assert any(before != after for before, after in values.items())
    order = [values[key] for key in sorted(values)]
    assert order == sorted(order)


def test_clips_depend_on_seed_epoch_and_index_alone(videos):
    def leaves(data, index):
        x, y = data[index]
        return x["frames"], y["boxes"]

    one, other = clips(videos, photometric=0.2), clips(videos, photometric=0.2)
    other[1]
    other.cache = False
    for a, b in zip(leaves(one, 2), leaves(other, 2), strict=True):
        np.testing.assert_array_equal(a, b)
    before = leaves(one, 0)[1]
    assert (before != leaves(one, 1)[1]).any()
    assert (before != leaves(clips(videos, seed=1), 0)[1]).any()
    one.on_epoch_end()
    assert (before != leaves(one, 0)[1]).any()
    one.epoch = 0
    np.testing.assert_array_equal(before, leaves(one, 0)[1])
    with pytest.raises(IndexError, match="There are 100 batches"):
        one[100]


def test_clips_read_each_frame_once(videos, monkeypatch):
    from keras_attend.datasets import sequences

    read = []
    monkeypatch.setattr(
        sequences, "read_image", lambda path: read.append(path) or scene(10, 9)
    )
    data = clips(videos, batch_size=20)
    for index in range(4):
        data[index]
    assert len(read) == len(set(read)) == 32


def test_clips_begin_with_the_object(tmp_path):
    write(tmp_path / "a" / "img", [scene(10 + t, 9) for t in range(8)])
    lines = [f"{t + 11},10,8,6" if t in (2, 3) else "0,0,0,0" for t in range(8)]
    (tmp_path / "a" / "groundtruth_rect.txt").write_text("\n".join(lines))
    (video,) = otb(tmp_path)
    data = Clips([video], 20, frames=5, size=(32, 32))
    _, y = data[0]
    assert (y["present"][:, 0] == 1).all() and (y["present"][:, 2:] == 0).all()
    assert (y["boxes"][y["present"] == 0] == 0).all()  # mirrored too
    with pytest.raises(ValueError, match=r"a video of at least \d+ frames"):
        Clips([video], 20, frames=7)


def test_clips_of_short_videos_go_as_they_can(videos):
    """Backwards or at three steps there is no room: as filmed, then."""
    across = otb(videos)[0].part(0, 6)
    only_first = np.arange(6) == 0
    video = Sequence("a", across.frames, across.boxes * only_first[:, None], only_first)
    _, y = Clips([video], 10, frames=5, size=(32, 32), steps=3)[0]
    np.testing.assert_array_equal(y["present"], [[1, 0, 0, 0, 0]] * 10)


def test_clips_are_as_fast_as_there_is_room_for(videos):
    """Of 16 frames: four of them, at up to five steps."""
    data = clips(videos, frames=4, batch_size=200, steps=30, crop=None, size=(48, 64))
    _, y = data[0]
    moved = abs(np.diff(y["boxes"][:, :2, :2], axis=1)).max((1, 2))  # 1 or 2 a step
    assert moved.max() == 10 and set(moved) >= {2, 4, 6, 8, 10}


def test_clips_longer_than_their_videos(videos):
    """The last frame stands, and the object is absent there."""
    clips = Clips(
        *(otb(videos), 32),
        **{"frames": 20, "shortest": 9, "steps": 2},
        **{"crop": None, "flip": False, "reverse": False},
    )
    x, y = clips[0]
    assert x["frames"].shape == (32, 20, 128, 128, 3)
    lengths = y["present"].sum(1)
    np.testing.assert_array_equal(y["present"], np.arange(20) < lengths[:, None])
    assert 9 <= lengths.min() < lengths.max() <= 16
    assert (x["frames"][:, 15:] == x["frames"][:, -1:]).all()  # of 16 frames
    with pytest.raises(ValueError, match="a video of at least 17 frames"):
        Clips(otb(videos), 2, frames=20, shortest=17)


def test_still_clips():
    images = [scene(20, 15), scene(40, 30, shape=(60, 90))]
    boxes = [[20, 15, 8, 6], [40, 30, 8, 6]]
    data = StillClips(
        images, boxes, 12, frames=8, size=(32, 40), crop=(3, 6), photometric=0
    )
    x, y = data[0]
    assert x["frames"].shape == (12, 8, 32, 40, 3) and x["frames"].dtype == np.uint8
    np.testing.assert_array_equal(x["box"], y["boxes"][:, 0])
    assert (y["present"] == 1).all()
    frames, found = x["frames"].reshape(-1, 32, 40, 3), y["boxes"].reshape(-1, 4)
    inside = (found[:, :2] >= -1e-3).all(-1)
    inside &= (found[:, :2] + found[:, 2:] <= [40 + 1e-3, 32 + 1e-3]).all(-1)
    assert inside.all()  # the view is larger than the object and holds it
    for frame, box in zip(frames, found, strict=True):
        if (box[:2] > 1).all() and (box[:2] + box[2:] < [39, 31]).all():
            assert_box_is_where_the_object_is(frame, box)
    # Smooth: a quadratic curve bends little from frame to frame.
    speed = np.diff(y["boxes"], axis=1)
    assert abs(speed[..., :2]).max() > 1
    assert abs(np.diff(speed, axis=1)).max() < 4
    again = StillClips(images, boxes, 12, frames=8, size=(32, 40), motion=0)[0][1]
    assert (np.diff(again["boxes"], axis=1) == 0).all()


def test_mixed_clips(videos):
    views = {"batch_size": 1, "frames": 4, "size": (32, 40), "photometric": 0}
    real = Clips(otb(videos), crop=(3, 6), **views)
    stills = still_clips(otb(videos), every=8, crop=(3, 6), motion=0, **views)
    assert len(stills.images) == 4
    data = MixedClips([(stills, 1.0), (real, 3.0)], batch_size=64, seed=3, batches=2)
    x, y = data[0]
    assert x["frames"].shape == (64, 4, 32, 40, 3)
    still = (np.diff(y["boxes"], axis=1) == 0).all((1, 2))
    assert 0.1 < still.mean() < 0.45
    np.testing.assert_array_equal(
        MixedClips([(stills, 1), (real, 3)], 64, seed=3)[0][0]["frames"], x["frames"]
    )
    data.judged = 2
    y = data[1][1]
    assert (y["judged"] == [1, 1, 0, 0]).all() and (y["present"][:, 2:] == 0).all()
    # Each part has its own light.
    dark = still_clips(otb(videos), crop=(3, 6), **{**views, "photometric": 0.9})
    peaks = MixedClips([(dark, 1)], 32)[0][0]["frames"].max((1, 2, 3, 4))
    assert len(np.unique(peaks)) > 8
    with pytest.raises(ValueError, match="of the same frames, size, grey and cut"):
        MixedClips([(real, 1), (Clips(otb(videos), 1, frames=5), 1)], 2)
    with pytest.raises(ValueError, match="must not be negative, nor all 0"):
        MixedClips([(real, 0)], 2)


def test_bad_arguments(videos):
    image, box = scene(20, 15), [20, 15, 8, 6]
    for name, value, message in (
        ("crop", (3, 2), r"`crop` must be \(least, greatest\)"),
        ("photometric", 1.0, "`photometric` must be"),
        ("frames", 0, "`frames` must be a positive integer"),
        ("size", (0, 3), "`height` must be a positive integer"),
    ):
        with pytest.raises(ValueError, match=message):
            clips(videos, **{name: value})
        with pytest.raises(ValueError, match=message):
            StillClips([image], [box], **{"batch_size": 2, name: value})
    with pytest.raises(ValueError, match=r"`visible` must be in 0\.\.1"):
        clips(videos, visible=2)
    with pytest.raises(ValueError, match=r"`motion` must be in 0\.\.1"):
        StillClips([image], [box], 2, motion=-1)
    with pytest.raises(ValueError, match=r"`boxes` must be \[N, 4\]"):
        StillClips([image], [box, box], 2)
    with pytest.raises(ValueError, match=r"must be \[H, W, C\] uint8"):
        StillClips([image / 255], [box], 2)
    for bad in ([20, 15, 0, 6], [99, 15, 8, 6], [np.nan, 15, 8, 6]):
        with pytest.raises(ValueError, match=r"must be \(x, y, w, h\) with w, h > 0"):
            StillClips([image], [bad], 2)


def test_real_videos(data_path):
    videos = otb(data_path("tracking"))
    assert len(videos) == 31 and sum(len(v) for v in videos) == 4692
    skiing = next(v for v in videos if v.name == "otb_Skiing")
    np.testing.assert_allclose(skiing.boxes[0], [222.5, 90, 14.5, 13])
    assert read_frames(skiing, [0]).shape == (1, 180, 320, 3)
    x, y = Clips(videos, 4, frames=4, size=(48, 48))[0]
    assert x["frames"].std() > 10 and y["present"].mean() > 0.5
