import keras
import numpy as np
import pytest
from keras import ops

from keras_attend import plots
from keras_attend.datasets import BouncingBalls, Catch
from keras_attend.evaluation import OnePass
from keras_attend.models import (
    AIR,
    HART,
    RAM,
    RATM,
    HARTCell,
    ObjectPrior,
    RAMAgent,
    RATMCell,
    SequentialAIR,
    StoppingRAM,
    ZoomingRAM,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return RAM(classes=3, glimpses=4, size=6, scales=2, glimpse_units=8, units=8)


def test_plot_glimpses(model, random, tmp_path):
    """The path drawn is the path looked along, the patches those seen."""
    images = random.random((2, 20, 30, 1), dtype="float32")
    path = tmp_path / "deep" / "glimpses.png"
    figure = plots.plot_glimpses(model, images, [0, 1], path=path, seed=5)
    assert path.stat().st_size > 5000
    assert len(figure.axes) == 2 * (1 + 4)

    first = np.random.default_rng(5).uniform(-1, 1, (2, 2)).astype("float32")
    seen = model(images, first_location=ops.convert_to_tensor(first))
    locations = ops.convert_to_numpy(seen["locations"])
    for row in range(2):
        axis = figure.axes[5 * row]
        x, y = axis.lines[0].get_data()
        centre = np.trunc(0.5 * (locations[row] + 1) * [30, 20]) - 0.5
        np.testing.assert_allclose(np.stack([x, y], -1), centre)
        # The finest patch's box encloses the pixels that the retina read.
        box = axis.patches[0]
        left, top = np.round(np.array(box.get_xy()) + 0.5).astype(int)
        padded = np.pad(images[row, :, :, 0], 10)
        patch = padded[top + 10 : top + 16, left + 10 : left + 16]
        glimpse = ops.convert_to_numpy(seen["glimpses"])[row, 0, :, :, 0]
        np.testing.assert_allclose(patch, glimpse, atol=1e-6)
        shown = figure.axes[5 * row + 1].images[0].get_array()
        np.testing.assert_allclose(shown[:6], glimpse, atol=1e-6)
    answer = int(np.argmax(seen["logits"][0]))
    assert figure.axes[0].get_title().startswith(str(answer))
    figure = plots.plot_glimpses(model, images[:1], names=("A", "B", "C"), seed=5)
    assert figure.axes[0].get_title().startswith("ABC"[answer])


def test_plot_glimpses_of_episodes_and_colours(random):
    model = RAM(glimpses=2, size=4, channels=3, episodes=3, glimpse_units=4, units=4)
    figure = plots.plot_glimpses(model, random.random((1, 9, 9, 3), dtype="float32"))
    assert len(figure.axes) == 3


def test_plot_history(tmp_path):
    curves = {"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "accuracy": [0.1, 0.9]}
    figure = plots.plot_history(curves, path=tmp_path / "history.png")
    assert (tmp_path / "history.png").exists()
    assert [axis.get_title() for axis in figure.axes] == ["loss", "accuracy"]
    lines = figure.axes[0].lines
    np.testing.assert_array_equal(lines[1].get_data(), [[1, 2], [2.5, 1.5]])


def test_bad_inputs(model):
    with pytest.raises(ValueError, match="`images` must have shape"):
        plots.plot_glimpses(model, np.zeros((8, 8, 1)))
    with pytest.raises(ValueError, match="`labels` must be as many"):
        plots.plot_glimpses(model, np.zeros((2, 8, 8, 1)), [1])
    with pytest.raises(ValueError, match="`names` must be 3, one for each class"):
        plots.plot_glimpses(model, np.zeros((2, 8, 8, 1)), names="AB")
    with pytest.raises(ValueError, match="`history` must hold"):
        plots.plot_history({})


@pytest.mark.parametrize("chosen", ["glimpses_taken", "zooms"])
def test_plot_glimpses_that_were_chosen(random, chosen):
    """A path ends where the model stopped, or in a box as wide as its zoom."""
    keras.utils.set_random_seed(1)
    images = random.random((6, 20, 20, 1), dtype="float32")
    images *= np.linspace(0.1, 1, 6, dtype="float32")[:, None, None, None]
    arguments = {"glimpses": 4, "size": 4, "units": 8, "glimpse_units": 8}
    stops = chosen == "glimpses_taken"
    model = StoppingRAM(**arguments) if stops else ZoomingRAM(**arguments)
    model.build(images.shape)
    # Half of the images choose one thing, half another.
    head = model.stopper if stops else model.zoomer
    kernel = random.normal(size=head.kernel.shape)
    head.kernel.assign(kernel)
    first = np.random.default_rng(5).uniform(-1, 1, (6, 2)).astype("float32")
    first = ops.convert_to_tensor(first)
    found = model.episode(ops.convert_to_tensor(images), first, "mean")
    scores = ops.convert_to_numpy(found["hidden"])[:, 2] @ kernel
    head.bias.assign(-np.median(scores - scores[:, :1], axis=0))
    figure = plots.plot_glimpses(model, images, seed=5)
    seen = model(images, first_location=first)
    taken = ops.convert_to_numpy(seen.get("glimpses_taken", np.full(6, 4)))
    zooms = ops.convert_to_numpy(seen.get("zooms", np.zeros((6, 4), "int32")))
    assert len(set(taken if chosen == "glimpses_taken" else zooms[:, -1])) > 1
    for row in range(6):
        axes = figure.axes[5 * row : 5 * row + 5]
        assert len(axes[0].lines[0].get_data()[0]) == taken[row]
        assert axes[0].patches[1].get_width() == 4 * 2 ** zooms[row, taken[row] - 1]
        assert [axis.axison for axis in axes[1:]] == [t < taken[row] for t in range(4)]


def test_animate_games(tmp_path):
    image = pytest.importorskip("PIL.Image")
    agent = RAMAgent(Catch(size=6), size=2, scales=2, units=8, glimpse_units=8)
    path = tmp_path / "deep" / "games.gif"
    plots.animate_games(agent, path, games=2, frames_per_second=2)
    with image.open(path) as animation:
        # Equal frames are one, shown longer.
        assert 4 <= animation.n_frames <= 8
        first = np.asarray(animation.convert("L"))
        animation.seek(animation.n_frames - 1)
        assert (np.asarray(animation.convert("L")) != first).any()
    with pytest.raises(ValueError, match=r"must end in \.gif"):
        plots.animate_games(agent, tmp_path / "games.mp4")


def test_plot_track(tmp_path):
    """A column a frame: the boxes above, the glimpse below."""
    inputs, targets = BouncingBalls(batch_size=1, batches=1, frames=9)[0]
    model = RATM(RATMCell(7, 4, scale=2.0))
    frames, boxes = inputs["frames"][0], targets["boxes"][0]
    figure = plots.plot_track(
        model, frames, boxes, columns=4, path=tmp_path / "track.png"
    )
    assert (tmp_path / "track.png").stat().st_size > 5_000
    above, below = np.array(figure.axes).reshape(2, 4)
    titles = [axis.get_title() for axis in above]
    assert titles == ["frame 1", "frame 4", "frame 6", "frame 9"]
    # Box, truth and a window twice as wide.
    assert all(len(axis.patches) == 3 for axis in above)
    widths = [patch.get_width() for patch in above[0].patches]
    np.testing.assert_allclose(widths, [9.6, 4.8, 4.8], atol=1e-3)
    assert below[0].images[0].get_array().shape == (7, 7)
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.texts]
    named = dict(zip(words, legend.get_patches(), strict=True))
    assert list(named) == ["the tracker's box", "the true box", "its window"]
    drawn = {patch.get_label(): patch.get_ec() for patch in above[0].patches}
    assert {name: patch.get_ec() for name, patch in named.items()} == drawn
    # As wide as a page, however many frames of whatever shape there are.
    assert figure.get_figwidth() == pytest.approx(10)
    square = below[0].get_position()
    inches = figure.get_size_inches()
    assert min(square.width * inches[0], square.height * inches[1]) > 1.5
    # With the first box alone, and a colour video of one frame.
    colour = RATM(RATMCell(7, 4, channels=3))
    figure = plots.plot_track(colour, frames[:1].repeat(3, -1), boxes[0])
    assert len(figure.axes[0].patches) == 1
    # HART's rows: glimpse, location map, and the glimpse where that is bright.
    hart = HART(HARTCell(16, 8, 1, maps=2, filters=(8, 8, 8)))
    figure = plots.plot_track(hart, frames[:2], boxes[:2])
    assert len(figure.axes) == 8
    assert figure.axes[4].get_ylabel() == "location map"
    glimpse, mask, masked = (figure.axes[i].images[0].get_array() for i in (3, 5, 7))
    whole = np.repeat(np.repeat(mask, 4, 0), 4, 1)
    np.testing.assert_allclose(masked, glimpse * whole, atol=1e-6)
    for bad in (boxes[:3], boxes[0, :2]):
        with pytest.raises(ValueError, match="`boxes` must have shape"):
            plots.plot_track(model, frames, bad)
    with pytest.raises(ValueError, match="`frames` must have shape"):
        plots.plot_track(model, frames[..., 0], boxes)


def test_plot_iou(tmp_path):
    curves = {"RATM": [1.0, 0.8, 0.6], "static box": [1.0, 0.4, np.nan]}
    figure = plots.plot_iou(curves, path=tmp_path / "iou.png", title="Balls")
    (axis,) = figure.axes
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["RATM (0.800)", "static box (0.700)"]
    with pytest.raises(ValueError, match="at least one"):
        plots.plot_iou({})


def test_plot_one_pass(tmp_path):
    curve = np.linspace(1, 0, 21)[None]
    score = OnePass(
        names=("one",),
        success=curve,
        precision=np.linspace(0, 1, 51)[None],
        mean_iou=np.array([0.5]),
        center_error=np.array([9.0]),
    )
    path = tmp_path / "ope.png"
    figure = plots.plot_one_pass({"DRLT": score}, path=path)
    labels = [axis.get_legend().get_texts()[0].get_text() for axis in figure.axes]
    assert labels == ["DRLT (0.500)", "DRLT (0.400)"]
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_allclose(line.get_xydata()[[0, -1]], [[0, 1], [1, 0]])
    assert path.stat().st_size > 1000
    with pytest.raises(ValueError, match="at least one"):
        plots.plot_one_pass({})


def test_plot_success(tmp_path):
    """The mean of the trainings is a line, their range an area around it."""
    curve = np.linspace(1, 0, 21)
    path = tmp_path / "success.png"
    figure = plots.plot_success({"T = 2": [curve, curve / 2]}, path=path)
    (axis,) = figure.axes
    assert axis.get_legend().get_texts()[0].get_text() == "T = 2 (0.375)"
    np.testing.assert_allclose(axis.get_lines()[0].get_ydata(), 0.75 * curve)
    (area,) = axis.collections
    heights = area.get_paths()[0].vertices[:, 1]
    assert heights.max() == 1 and {0.5, 1.0} <= set(heights)
    assert path.stat().st_size > 1000
    with pytest.raises(ValueError, match="at least one"):
        plots.plot_success({})


@pytest.mark.long
def test_plot_followed(tmp_path):
    """The video, what is drawn, what is imagined and a future; boxes of the objects."""
    air = AIR(size=16, steps=1, window=6, what=2, units=4, prior=ObjectPrior(side=6.0))
    model = SequentialAIR(air, units=4)
    model.build(model.serving_shape)
    air.cell.found.bias.assign([9.0, 0, 0, 0, 0, 0, 0])  # it finds one, in the middle
    air.cell.shape.bias.assign(np.full(36, 3.0))
    frames = np.zeros((3, 16, 16, 1), "float32")
    path = tmp_path / "followed.png"
    figure = plots.plot_followed(model, frames, ahead=1, futures=1, path=path)
    assert path.stat().st_size > 2000
    axes = np.array(figure.axes).reshape(4, 3)
    boxes = [[len(axis.patches) for axis in line] for line in axes]
    assert boxes == [[1, 1, 1], [0, 0, 0], [0, 0, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match="more frames than `ahead`"):
        plots.plot_followed(model, frames, ahead=3)
