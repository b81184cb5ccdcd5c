"""RAM in the paper's setting: where it may look, and what its locations are."""

import keras
import numpy as np
import pytest

from keras_attend.models import RAM, PaperRAM

SMALL = {"classes": 3, "glimpses": 4, "size": 4, "units": 8, "glimpse_units": 6}
WHITE = np.ones((200, 12, 10, 1), "float32")


def seen(model, location="mean"):
    """What a model sees of white images, where it shall look outside of them."""
    model.build(model.serving_shape)
    model.locator.kernel.assign(100 * model.locator.kernel)
    model.location = location
    found = model(WHITE)
    return (keras.ops.convert_to_numpy(found[n]) for n in ("glimpses", "locations"))


@pytest.mark.parametrize("location", ["mean", "sample", "random", "first"])
@pytest.mark.parametrize("overhang", [0, 1])
def test_patches_lie_inside_but_for_the_overhang(overhang, location):
    glimpses, locations = seen(PaperRAM(overhang=overhang, **SMALL), location)
    dark = 1 - glimpses[..., 0]  # [B, T, 4, 4]; black is beyond the border
    rows, columns = (dark.all(axis=axis).sum(axis=2) for axis in (3, 2))
    assert rows.max() <= overhang and columns.max() <= overhang
    assert dark.any() == (overhang > 0)
    limit = 1 - (4 - 2 * overhang) / np.array([10, 12])
    assert (np.abs(locations) <= limit + 1e-6).all()
    # All of it is used: by the draws, and by what would go beyond.
    assert (np.abs(locations).max(axis=(0, 1)) > 0.97 * limit).all()
    assert np.abs(locations[:, 0].mean(axis=0)).max() < 0.15


def test_with_half_a_patch_of_overhang_it_is_ram():
    """The same draws, the same places, the same answers."""
    models = []
    for kind, arguments in ((RAM, {"locator": "linear"}), (PaperRAM, {"overhang": 2})):
        keras.utils.set_random_seed(0)
        models.append(kind(**arguments, **SMALL))
        models[-1].build(models[-1].serving_shape)
    ours, papers = models
    papers.set_weights(ours.get_weights())
    (one, other) = (model(WHITE[:5]) for model in (ours, papers))
    for name in ("logits", "locations", "glimpses"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-6)


def test_a_given_first_location_is_kept():
    first = np.full((200, 2), 0.95, "float32")
    model = PaperRAM(**SMALL)
    np.testing.assert_allclose(
        model(WHITE, first_location=first)["locations"][:, 0], first
    )


def test_defaults_are_the_papers():
    model = PaperRAM(**SMALL)
    credit = model.credit
    assert (model.locator_activation, model.overhang) == ("linear", 0.5)
    assert (credit.reward, credit.baseline, credit.trace) == ("correct", "state", 1.0)
    again = PaperRAM.from_config(PaperRAM(overhang=1.5, **SMALL).get_config())
    assert again.overhang == 1.5 and again.locator_activation == "linear"


@pytest.mark.long
def test_it_trains_on_images_of_any_size():
    model = PaperRAM(**SMALL)
    model.compile("adam", jit_compile=True)
    labels = np.arange(8) % 3
    for side in (12, 2):  # smaller than a patch: all locations are the middle
        images = np.random.default_rng(0).random((8, side, side, 1), "float32")
        history = model.fit(images, labels, batch_size=4, verbose=0).history
        assert np.isfinite(history["loss"]).all()
    assert not np.asarray(model(images)["locations"]).any()


def test_a_bad_overhang():
    with pytest.raises(ValueError, match=r"in 0\.\.size / 2. Received: overhang=3"):
        PaperRAM(overhang=3, **SMALL)
