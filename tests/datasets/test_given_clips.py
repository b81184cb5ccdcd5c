import numpy as np
import pytest

from keras_attend.datasets import GivenClips


def videos(lengths, features=False):
    """Frame t of video v holds 10 v + t."""
    found = []
    for v, length in enumerate(lengths):
        numbers = 10 * v + np.arange(length)
        boxes = np.tile([[3.0, 2, 4, 5]], (length, 1)) + np.array([0, 0, 0, v])
        if features:
            seen = {"features": numbers[:, None] * np.ones(6), "size": np.ones(2) * v}
        else:
            frames = np.broadcast_to(numbers[:, None, None, None], (length, 12, 16, 1))
            seen = {"frames": frames.astype("uint8")}
        found.append({**seen, "boxes": boxes})
    return found


def test_windows():
    """All in a row, each video as often as the others."""
    data = GivenClips(videos([9, 5, 6]), batch_size=3, frames=4, windows=2, seed=1)
    assert len(data) == 2
    for index in range(2):
        x, y = data[index]
        assert x["frames"].shape == (3, 4, 12, 16, 1) and x["frames"].dtype == np.uint8
        assert (np.diff(x["frames"][..., 0, 0, 0].astype(int), axis=1) == 1).all()
        np.testing.assert_array_equal(x["box"], y["boxes"][:, 0])
        assert (y["present"] == 1).all()
        # The boxes are those of the same video.
        number = x["frames"][:, 0, 0, 0, 0] // 10
        np.testing.assert_array_equal(y["boxes"][:, 0, 3], 5 + number)
    rows = [data[i][0]["frames"][:, 0, 0, 0, 0] // 10 for i in range(2)]
    assert sorted(np.concatenate(rows)) == [0, 0, 1, 1, 2, 2]


def test_windows_begin_anywhere():
    data = GivenClips(videos([9]), batch_size=60, frames=4, windows=60)
    begin = data[0][0]["frames"][:, 0, 0, 0, 0]
    assert set(begin.tolist()) == {0, 1, 2, 3, 4, 5}


def test_the_last_batch_is_filled_up():
    data = GivenClips(videos([9, 5, 6]), batch_size=2, frames=4)
    assert len(data) == 2
    numbers = [data[i][0]["frames"][:, 0, 0, 0, 0] // 10 for i in range(2)]
    assert sorted(np.concatenate(numbers)[:3]) == [0, 1, 2]
    assert numbers[1][1] == numbers[0][0]


def test_depends_on_seed_epoch_and_index():
    def batch(seed, epoch, index=0):
        data = GivenClips(videos([9] * 4), 2, 3, windows=4, seed=seed)
        data.epoch = epoch
        return data[index][0]["frames"][..., 0, 0, 0].tolist()

    assert batch(0, 0) == batch(0, 0)
    others = [batch(1, 0), batch(0, 1), batch(0, 0, 1)]
    assert all(other != batch(0, 0) for other in others)
    data = GivenClips(videos([9] * 4), 2, 3, windows=4)
    data.on_epoch_end()
    assert data[0][0]["frames"][..., 0, 0, 0].tolist() == batch(0, 1)


def test_short_and_absent():
    """A short video ends, the object absent; a window begins with the object."""
    given = videos([3, 8])
    given[1]["present"] = np.array([0, 0, 1, 1, 0, 1, 1, 1.0])
    data = GivenClips(given, batch_size=2, frames=5, windows=20)
    for index in range(len(data)):
        x, y = data[index]
        numbers = x["frames"][..., 0, 0, 0]
        for row, present in zip(numbers, y["present"], strict=True):
            assert present[0] == 1
            if row[0] < 10:
                assert row.tolist() == [0, 1, 2, 2, 2]
                assert present.tolist() == [1, 1, 1, 0, 0]
            else:
                expected = given[1]["present"][row - 10]
                np.testing.assert_array_equal(present, expected)


def test_features():
    x, y = GivenClips(videos([4, 4], features=True), batch_size=2, frames=4)[0]
    number = x["size"][:, 0]  # of the video
    expected = 10 * number[:, None] + np.arange(4)
    np.testing.assert_array_equal(x["features"][..., 0], expected)
    np.testing.assert_array_equal(y["boxes"][:, 0, 3], 5 + number)
    assert sorted(number) == [0, 1]
    assert x.keys() == {"features", "size", "box"}
    assert x["features"].shape == (2, 4, 6) and x["size"].shape == (2, 2)
    assert y["boxes"].shape == (2, 4, 4)


def test_shift(random):
    """Pictures and boxes move together, and the boxes stay inside."""
    given = videos([3])
    frames = np.zeros((3, 12, 16, 1), "uint8")
    frames[:, 2:7, 3:7] = 1
    given[0]["frames"] = frames
    data = GivenClips(given, batch_size=40, frames=3, windows=40, shift=True)
    x, y = data[0]
    places = {tuple(box[:2]) for box in x["box"]}
    assert len(places) > 15
    for pixels, boxes in zip(x["frames"], y["boxes"], strict=True):
        left, top, w, h = boxes[1].astype(int)
        assert pixels[1].sum() == 20 == pixels[1, top : top + h, left : left + w].sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one"),
        ([{"boxes": np.ones((3, 4))}], "either 'frames' or"),
        (
            [{"boxes": np.ones((3, 4)), "features": np.ones((3, 2)), "frames": 1}],
            "either 'frames' or",
        ),
        (
            [
                {
                    "boxes": np.ones((3, 4)),
                    "features": np.ones((3, 2)),
                    "present": np.array([0, 0, 1]),
                }
            ],
            "must show its object",
        ),
    ],
)
def test_bad_videos(given, message):
    with pytest.raises(ValueError, match=message):
        GivenClips(given)


def test_bad_index():
    with pytest.raises(IndexError, match="There are 1 batches"):
        GivenClips(videos([4]))[1]


def test_windows_are_mirrored_and_played_backwards():
    """Each in half of the windows; a mark in the picture stays in its box."""
    length, width = 6, 12
    frames = np.zeros((length, 4, width, 1), "uint8")
    boxes = np.zeros((length, 4), "float32")
    for t in range(length):
        frames[t, 1, t + 1] = 100 + t
        boxes[t] = t + 1, 1, 1, 1
    video = {"frames": frames, "boxes": boxes}
    gone = video | {"present": np.array([1, 1, 1, 1, 1, 0], "float32")}
    turned = {"flip": True, "reverse": True, "seed": 3}
    data = GivenClips([video, gone], 40, length, windows=40, **turned)
    found = {False: [], True: []}  # by whether the object is there in the last frame
    for index in range(len(data)):
        x, y = data[index]
        for shown, clip, present in zip(
            x["frames"], y["boxes"], y["present"], strict=True
        ):
            left, top = clip[:, 0].astype(int), clip[:, 1].astype(int)
            marks = shown[np.arange(length), top, left, 0]
            assert (shown.reshape(length, -1).max(1) == marks).all()
            mirrored = (clip[-1, 0] > clip[0, 0]) != (marks[-1] > marks[0])
            found[bool(present[-1])].append((mirrored, marks[-1] < marks[0]))
            assert present[0] == 1
    shares = {there: np.mean(rows, axis=0) for there, rows in found.items()}
    np.testing.assert_allclose(shares[True], (0.5, 0.5), atol=0.2)
    assert 0.3 < shares[False][0] < 0.7 and shares[False][1] == 0
    with pytest.raises(ValueError, match="must have 'frames' if `flip`"):
        GivenClips([{"features": np.zeros((6, 2)), "boxes": boxes}], flip=True)
