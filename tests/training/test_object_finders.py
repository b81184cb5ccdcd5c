"""What AIR is trained with, and what is done to it afterwards."""

import numpy as np
from keras import ops

from keras_attend.datasets import MultiDigits
from keras_attend.evaluation import DrawnPictures
from keras_attend.models import AIR
from keras_attend.training.object_finders import Dreams, dream_data, with_odds


def drawn(background, seed=0):
    return MultiDigits("train", 6, 32, 1, background, True, seed=seed, length=3)


def test_dreams_are_turned_pictures_and_others_as_they_are():
    """What is done to a picture depends on the seed, the epoch and the batch alone."""
    data = Dreams(drawn("grid"), drawn("black", 1), seed=3)
    assert len(data) == 3 and data.epoch == 0
    batch, again = data[1], data[1]
    before = drawn("grid")[1]
    np.testing.assert_array_equal(batch["plain"], drawn("black", 1)[1])
    np.testing.assert_array_equal(batch["images"], again["images"])
    ways = [
        (turn, mirror, channels)
        for turn in range(4)
        for mirror in (1, -1)
        for channels in (
            (0, 1, 2),
            (0, 2, 1),
            (1, 0, 2),
            (1, 2, 0),
            (2, 0, 1),
            (2, 1, 0),
        )
    ]
    changed = 0
    for image, found in zip(before, batch["images"], strict=True):
        made = [np.rot90(image, t)[:, ::m][..., list(c)] for t, m, c in ways]
        assert any(np.array_equal(found, one) for one in made)
        changed += not np.array_equal(found, image)
    assert changed > 2
    data.on_epoch_end()
    assert data.epoch == data.plain.epoch == 1
    assert not np.array_equal(data[1]["plain"], batch["plain"])
    data.epoch = 0
    np.testing.assert_array_equal(data[1]["images"], batch["images"])


def test_what_is_on_black_does_not_tell_what_is_in_the_pictures(mnist_file):
    """No picture's objects are those of the black picture that is laid over it."""
    data = dream_data(DrawnPictures(64, background="black", color=True), seed=2)
    images, plain = data.images[4], data.plain[4]
    shown = images.any((1, 2, 3)) | plain.any((1, 2, 3))
    same = (images == plain).all((1, 2, 3))
    assert shown.sum() > 10 and not (same & shown).any()
    counts = (images.any((1, 2, 3)), plain.any((1, 2, 3)))
    assert not np.array_equal(*counts)  # nor are there as many


def test_odds_of_objects_alone_change(random):
    """Places stay, and each presence has so many times the odds that it had."""
    images = random.random((4, 16, 16, 3)).astype("float32")
    model = AIR(16, 3, window=4, units=8, search="map", background="grid")
    expected = model(images)
    found = with_odds(model, 3.0)(images)
    odds = [ops.exp(outputs["logits"]) for outputs in (found, expected)]
    np.testing.assert_allclose(odds[0], 3 * odds[1], rtol=1e-4)
    np.testing.assert_allclose(found["where"], expected["where"], atol=1e-5)
