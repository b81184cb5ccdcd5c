import numpy as np
import pytest
from keras import ops

from keras_attend import plots
from keras_attend.models import AIR, ObjectPrior
from keras_attend.plots.objects import colored

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_plot_objects(random, tmp_path, quick):
    """The boxes drawn are those found, in as many rows as there are things to see."""
    images = random.random((3, 12, 12, 1)).astype("float32")
    path = tmp_path / "objects.png"
    for background, rows in (("none", 3), ("mean", 4)):
        model = AIR(12, steps=2, window=4, what=2, units=4, background=background)
        model.build(model.serving_shape)
        model.cell.found.bias.assign([9.0, 0, 0, 0, 0, 0, 0])
        model.cell.shape.bias.assign(ops.full((16,), 3.0))
        model.compile()
        figure = plots.plot_objects(model, images, path=path)
        assert path.stat().st_size > 3000 and len(figure.axes) == 3 * rows
        found = model.predict(images, verbose=0)
        for i in range(3):
            axis = figure.axes[i]
            assert axis.get_title() == "2" and len(axis.patches) == 2
            for patch, box in zip(axis.patches, found["boxes"][i], strict=True):
                drawn = [*patch.get_xy(), patch.get_width(), patch.get_height()]
                np.testing.assert_allclose(drawn, box - [0.5, 0.5, 0, 0], atol=1e-4)
    with pytest.raises(ValueError, match=r"\[N, H, W, C\] with N > 0"):
        plots.plot_objects(model, images[0])


def test_objects_have_colours_of_their_own():
    masks = np.zeros((1, 2, 1, 3))
    masks[0, 0, 0, 0] = masks[0, 1, 0, 1] = 1
    left, middle, right = colored(masks)[0, 0]
    assert np.abs(left - middle).max() > 0.3 and right.max() == 0


def test_plot_steps(random, tmp_path, quick):
    """A window is where the pixels come from that the step has read."""
    image = random.random((12, 12, 1)).astype("float32")
    model = AIR(12, steps=2, window=4, what=2, units=4, prior=ObjectPrior(side=5.0))
    model.build(model.serving_shape)
    model.cell.found.bias.assign([0.0, 0, 1.0, -1.0, 0, 0, 0])
    model.cell.shape.bias.assign(ops.full((16,), 3.0))
    model.compile()
    path = tmp_path / "steps.png"
    figure = plots.plot_steps(model, image, path=path)
    assert path.stat().st_size > 3000 and len(figure.axes) == 6
    found = model.predict(image[None], verbose=0)
    for t, axis in enumerate(figure.axes[1:3]):
        assert axis.get_title() == f"step {t + 1}: {found['presence'][0, t]:.0%}"
        left = np.abs(image - found["canvases"][0, t])[..., 0]
        np.testing.assert_allclose(axis.images[0].get_array(), left, atol=1e-5)
        (patch,) = axis.patches
        # What it drew has its middle in the middle of the window.
        mask = found["canvases"][0, t + 1] - found["canvases"][0, t]
        middle = (mask[..., 0] * np.indices((12, 12))).sum((1, 2)) / mask.sum()
        x, y = np.add(patch.get_xy(), patch.get_width() / 2)
        np.testing.assert_allclose([y, x], middle, atol=0.35)
    with pytest.raises(ValueError, match=r"\[H, W, C\]"):
        plots.plot_steps(model, image[None])
