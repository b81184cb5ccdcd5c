"""Clips for a tracker that compares."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_attend.datasets import TrackingPairs, otb


@pytest.fixture
def videos(tmp_path: Path) -> tuple:
    """Two videos of twelve frames, a bright object on noise."""
    random = np.random.default_rng(0)
    for name, (height, width) in (("a", (60, 80)), ("b", (90, 70))):
        folder = tmp_path / name / "img"
        folder.mkdir(parents=True)
        lines = []
        for t in range(12):
            frame = random.integers(0, 120, (height, width, 3)).astype("uint8")
            x, y, w, h = 10 + t, 20 + t, 18, 14
            frame[y : y + h, x : x + w] = (250, 40, 40)
            Image.fromarray(frame).save(folder / f"{t + 1:04d}.png")
            lines.append(f"{x + 1},{y + 1},{w},{h}")
        (tmp_path / name / "groundtruth_rect.txt").write_text("\n".join(lines))
    return otb(tmp_path)


def pairs(videos: tuple, **kwargs) -> TrackingPairs:
    return TrackingPairs(
        videos, **{"batch_size": 6, "batches": 3, "side": 96, **kwargs}
    )


def test_shapes(videos: tuple) -> None:
    x, y = pairs(videos, frames=5)[0]
    assert x["frames"].shape == (6, 5, 96, 96, 3) and x["frames"].dtype == np.uint8
    shapes = {name: value.shape for name, value in {**x, **y}.items()}
    four, one = (6, 5, 4), (6, 5)
    wanted = {"boxes": four, "guide": four, "moves": four, "guided": one}
    wanted |= {"shown": one, "present": one, "judged": one, "box": (6, 4)}
    assert {name: shapes[name] for name in wanted} == wanted
    np.testing.assert_array_equal(x["box"], y["boxes"][:, 0])


def test_drawn_anew_but_repeatable(videos: tuple) -> None:
    a, b = pairs(videos), pairs(videos)
    np.testing.assert_array_equal(a[1][0]["frames"], b[1][0]["frames"])
    assert not np.array_equal(a[0][0]["frames"], a[1][0]["frames"])
    b.on_epoch_end()
    assert not np.array_equal(a[1][0]["frames"], b[1][0]["frames"])


def test_boxes_show_the_object(videos: tuple) -> None:
    """In real clips whose object is not away the box holds the red rectangle."""
    data = pairs(videos, batch_size=30, real=1.0, gone=0.0)
    x, y = data[0]
    good = 0
    for frames, boxes in zip(x["frames"], y["boxes"], strict=True):
        for frame, (left, top, w, h) in zip(frames, boxes, strict=True):
            rows, cols = (
                slice(round(top), round(top + h)),
                slice(round(left), round(left + w)),
            )
            inner = frame[rows, cols].astype(int)
            good += np.median(inner[..., 0] - inner[..., 1]) > 60
    assert good / y["boxes"].shape[0] / y["boxes"].shape[1] > 0.8


def test_windows_show_the_object(videos: tuple) -> None:
    """A window that follows the guide, and errs by the moves, has it inside."""
    for real, farthest in ((0.0, 1.4), (1.0, 1.4), (0.0, 0.7)):
        x, y = pairs(videos, batch_size=30, real=real, farthest=farthest)[0]
        center = y["boxes"][..., :2] + y["boxes"][..., 2:] / 2
        guide = x["guide"][:, :-1]
        middle = guide[..., :2] + guide[..., 2:] / 2
        size = np.sqrt(guide[..., 2] * guide[..., 3])[..., None]
        moved = middle + size * x["moves"][:, 1:, 1::-1]
        off = np.abs(center[:, 1:] - moved) / size
        assert 0.8 * farthest < off.max() < farthest + 0.2


def test_objects_that_are_away(videos: tuple) -> None:
    _, y = pairs(videos, batch_size=40, gone=1.0)[0]
    assert (y["present"][:, 0] == 1).all()
    assert (y["present"] == 0).any(1).all()
    _, y = pairs(videos, batch_size=40, gone=0.0)[0]
    assert (y["present"] == 1).all()


def test_guided(videos: tuple) -> None:
    assert (pairs(videos, guided=1.0)[0][0]["guided"] == 1).all()
    x, _ = pairs(videos, guided=0.0)[0]
    assert (x["guided"] == 0).all() and (x["moves"][:, 1:] == 0).all()


def test_large_pictures_stay_where_they_are(videos: tuple) -> None:
    """Their part is that of the first frame: what moves in them moves in the clip."""
    frames = np.zeros((12, 150, 300, 3), "uint8")
    boxes = np.array([[90 + 12 * t, 60, 20, 16] for t in range(12)], "float32")
    drawn = [(frames, boxes, np.ones(12, bool))]
    data = pairs(videos, batch_size=40, real=1.0, gone=0.0, drawn=drawn, frames=4)
    data.drawn_share = 1.0
    _, y = data[0]
    steps = np.abs(np.diff(y["boxes"][:, 1:, 0], axis=1))
    assert (steps % 12 == 0).all() and (steps > 0).all()
    inside = (y["boxes"][..., 0] >= -10) & (y["boxes"][..., 0] < 86)
    np.testing.assert_array_equal(y["present"], inside)
    assert 0 < y["present"].mean() < 1 and (y["present"][:, 0] == 1).all()


def test_clips_do_not_wait_at_a_videos_end(videos: tuple) -> None:
    data, random = pairs(videos, frames=6), np.random.default_rng(0)
    there = np.arange(12) > 1
    for _ in range(200):
        first, *rest = data._indices(random, there, real=True)
        assert there[first]
        steps = np.diff(rest)
        assert len(set(steps)) == 1 and 1 <= abs(steps[0]) <= 2
    short = data._indices(random, np.ones(3, bool), real=True)
    assert len(short) == 6 and set(short) <= {0, 1, 2}


def test_another_picture_for_a_while(videos: tuple) -> None:
    """The object is taken to be where it was; its box is placed once, not twice."""
    data = pairs(videos, batch_size=1, side=200, real=1.0, gone=0.0)
    data._away = lambda random: np.array([0, 3, 3, 0, 0, 0])
    for index in range(3):
        boxes = data[index][1]["boxes"][0]
        np.testing.assert_allclose(boxes[2], boxes[1], atol=60)
        assert (boxes[:, :2] > 50).all() and (boxes[:, :2] < 140).all()


def test_stills(videos: tuple) -> None:
    """Pictures without labels: a third of the clips that are not real are of them."""
    blue = np.zeros((70, 110, 3), "uint8")
    blue[..., 2] = 200
    x, y = pairs(videos, batch_size=60, real=0.0, gone=0.0, stills=[blue])[0]
    middle = x["frames"][:, :, 40:56, 40:56].mean((1, 2, 3))  # [60, 3]
    shown = middle[:, 2] > 2 * middle[:, 0]
    assert 8 < shown.sum() < 34
    assert y["present"][shown].all() and (y["boxes"][shown][..., 2:] > 2).all()
    # None of them where all clips are real.
    x, _ = pairs(videos, batch_size=30, real=1.0, gone=0.0, stills=[blue])[0]
    middle = x["frames"][:, :, 40:56, 40:56].mean((1, 2, 3))
    assert not (middle[:, 2] > 2 * middle[:, 0]).any()
