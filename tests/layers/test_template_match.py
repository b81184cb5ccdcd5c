import numpy as np
from keras import ops
from layer_check import run_layer_test

from keras_attend.layers import TemplateMatch


def numpy(x):
    return ops.convert_to_numpy(x)


def test_template_match(random, tmp_path):
    features = random.normal(size=(2, 8, 8, 3)).astype("float32")
    template = random.normal(size=(2, 4 * 5)).astype("float32")
    layer = run_layer_test(
        TemplateMatch,
        {"maps": 2, "units": 5, "parts": 2, "extent": 0.5},
        (features, template),
        (2, 8, 8, 2),
        trainable_weights=4,
        tmp_path=tmp_path,
    )
    # Maps that are moved first, then votes of one place: the same.
    moved = TemplateMatch(1, 5, 2, 0.5, kernel=1)
    moved.build((None, 8, 8, 3))
    moved.embed.set_weights(layer.embed.get_weights())
    moved.votes.kernel.assign(np.full((1, 1, 4, 1), 1 / 4))
    # The template in NumPy, and the votes of parts that are where they were.
    e = numpy(layer.embed(features))
    e = e / np.linalg.norm(e, axis=-1, keepdims=True)
    parts = e[:, 2:6, 2:6].reshape(2, 2, 2, 2, 2, 5).mean(axis=(2, 4))
    parts = (parts / np.linalg.norm(parts, axis=-1, keepdims=True)).reshape(2, 4, 5)
    tau = layer.describe(features)
    np.testing.assert_allclose(numpy(tau), parts.reshape(2, 20), atol=1e-3)
    ones = np.zeros(layer.votes.kernel.shape)
    for k, (i, j) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        ones[1 + i, 1 + j, k] = 1 / 4
    layer.votes.kernel.assign(ones)
    S = np.einsum("bhwe,bke->bhwk", e, parts)
    S = np.pad(S, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = S[:, :-2, :-2, 0] + S[:, :-2, 2:, 1] + S[:, 2:, :-2, 2] + S[:, 2:, 2:, 3]
    found = numpy(layer(features, tau))
    np.testing.assert_allclose(found[..., 0], expected / 4, atol=1e-3)
    found = numpy(moved(features, tau))
    np.testing.assert_allclose(found[..., 0], expected / 4, atol=1e-3)
