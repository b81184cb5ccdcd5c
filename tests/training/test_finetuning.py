"""`finetune`: a tracker learns from a few videos what suits it."""

from pathlib import Path

import keras
import numpy as np
import pytest
from wide_case import small_cell

import keras_attend as ka
from keras_attend.datasets import Clips, Sequence, TrackingPairs, otb
from keras_attend.training import finetuning

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sequence, ...]:
    """A video of 24 frames: a red rectangle moves over noise."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("videos") / "red" / "img"
    folder.mkdir(parents=True)
    lines = []
    for t in range(24):
        frame = random.integers(0, 120, (80, 100, 3)).astype("uint8")
        x, y = 10 + 2 * t, 20 + t
        frame[y : y + 14, x : x + 18] = (250, 40, 40)
        Image.fromarray(frame).save(folder / f"{t + 1:04d}.png")
        lines.append(f"{x + 1},{y + 1},18,14")
    (folder.parent / "groundtruth_rect.txt").write_text("\n".join(lines))
    return otb(folder.parents[1])


def small_wide() -> ka.models.WideHART:
    model = ka.models.WideHART(small_cell())
    model.build()
    return model


def losses_of(model: keras.Model, data: keras.utils.PyDataset) -> float:
    return float(np.mean([model.test_on_batch(*data[i])[0] for i in range(2)]))


@pytest.mark.long
def test_wide_hart_learns(videos: tuple) -> None:
    """The loss falls on other draws of the video; a V1 that is frozen stays."""
    keras.utils.set_random_seed(0)
    model = small_wide()
    model.cell.v1.trainable = False
    model.compile()
    v1 = [keras.ops.convert_to_numpy(w) for w in model.cell.v1.weights]
    judge = TrackingPairs(videos, seed=99, **finetuning.PAIRS)
    before = losses_of(model, judge)
    ka.finetune(model, videos, batches=16, rate=5e-3, blend=1.0, verbose=0)
    assert losses_of(model, judge) < 0.9 * before
    for weight, kept in zip(model.cell.v1.weights, v1, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), kept)
    assert int(model.optimizer.iterations) == 16


@pytest.mark.slow
def test_other_trackers(videos: tuple) -> None:
    """A HART learns from views of the videos, grey ones here, as it was told to."""
    cell = ka.models.HARTCell(24, 8, channels=1, maps=2, filters=(2, 2, 2))
    model = ka.models.HART(cell)
    model.compile("adam", detached=True)
    history = ka.finetune(model, videos, batches=2, seed=3, verbose=0)
    assert model.detached and np.isfinite(history.history["loss"]).all()
    assert int(model.optimizer.iterations) == 2


@pytest.mark.long
def test_batches_of_ones_own(videos: tuple) -> None:
    """Fewer than there are, and more, in epochs of one length."""
    model = small_wide()
    clips = Clips(videos, 2, frames=3, size=(64, 64), batches=3)
    for batches, epochs in ((2, 1), (4, 2)):
        history = ka.finetune(model, clips, batches=batches, verbose=0)
        assert int(model.optimizer.iterations) == batches
        assert len(history.history["loss"]) == epochs


@pytest.mark.long
def test_weights_are_blended(videos: tuple) -> None:
    """A quarter of what was learned is added to what was there."""
    model = small_wide()
    clips = Clips(videos, 2, frames=3, size=(64, 64), batches=1)
    before = model.get_weights()
    ends = []
    for blend in (1.0, 0.25):
        model.set_weights(before)
        ka.finetune(model, clips, batches=1, rate=0.1, blend=blend, verbose=0)
        ends.append(model.get_weights())
    W, after, blended = (
        np.concatenate([np.ravel(w) for w in x]) for x in (before, *ends)
    )
    learned = abs(after - W).mean()
    assert learned > 0.001
    # Adam's first step goes the other way where a gradient is nothing but rounding.
    assert abs(blended - (W + 0.25 * (after - W))).mean() < 0.2 * learned


def test_bad_arguments(videos: tuple, tmp_path: Path) -> None:
    model = small_wide()
    with pytest.raises(ValueError, match="a video or more"):
        ka.finetune(model, [])
    with pytest.raises(ValueError, match="batches"):
        ka.finetune(model, videos, batches=0)
    with pytest.raises(ValueError, match="rate"):
        ka.finetune(model, videos, rate=-1.0)
    with pytest.raises(ValueError, match="blend"):
        ka.finetune(model, videos, blend=1.5)
