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
    for real in (0.0, 1.0):
        x, y = pairs(videos, batch_size=30, real=real)[0]
        center = y["boxes"][..., :2] + y["boxes"][..., 2:] / 2
        guide = x["guide"][:, :-1]
        middle = guide[..., :2] + guide[..., 2:] / 2
        size = np.sqrt(guide[..., 2] * guide[..., 3])[..., None]
        moved = middle + size * x["moves"][:, 1:, 1::-1]
        off = np.abs(center[:, 1:] - moved) / size
        assert off.max() < 1.6


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
