import json

import keras
import numpy as np
import pytest
from keras import ops
from layer_check import compiled, gradients, run_layer_test

from keras_attend.layers.gaussian_glimpse import GaussianGlimpse
from keras_attend.layers.gaussian_params import HART_SIGMA, hart_params, ratm_params


def reference(images, params, size, epsilon=1e-8):
    banks = []
    for axis in (0, 1):
        center, stride, sigma = params.astype("float64")[:, axis::2].T[..., None, None]
        r = np.arange(size[axis])[:, None] - (size[axis] - 1) / 2
        c = np.arange(images.shape[1 + axis])
        e = np.exp(-0.5 * ((c - center - stride * r) / sigma) ** 2)
        banks.append(e / (e.sum(-1, keepdims=True) + epsilon))
    return np.einsum("brh,bkw,bhwc->brkc", *banks, images)


def some_images(batch=4, height=90, width=110, channels=2, seed=0):
    shape = (batch, height, width, channels)
    return np.random.default_rng(seed).random(shape, dtype="float32")


def some_params(batch=4, height=90, width=110, seed=0):
    rng = np.random.default_rng(seed)
    low = [0, 0, 0.3, 0.3, 0.4, 0.4]
    high = [height, width, 2, 2, 1.5, 1.5]
    return rng.uniform(low, high, (batch, 6)).astype("float32")


def read(layer, images, params):
    run = fast(lambda x, p: layer(x, p))
    return ops.convert_to_numpy(run(*map(ops.convert_to_tensor, (images, params))))


def fast(function):
    """Eager JAX compiles every branch of every call: one compilation is quicker."""
    return compiled(function) if keras.backend.backend() == "jax" else function


def slopes(function, *inputs):
    return gradients(fast(function), *inputs)


def weighted_slopes(layer, images, params, seed=0):
    """Slopes of a weighted sum: those of a plain one are near 0 (rows sum to 1)."""
    shape = (len(images), *layer.size, images.shape[-1])
    w = np.random.default_rng(seed).standard_normal(shape).astype("float32")
    return slopes(lambda x, p: layer(x, p) * w, images, params)


# Values -------------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [None, "auto", 40, (30, 70), [(30, 30), (60, 60)]])
def test_against_numpy(crop):
    images, params = some_images(), some_params()
    layer = GaussianGlimpse((7, 11), crop=crop)
    expected = reference(images, params, (7, 11))
    np.testing.assert_allclose(read(layer, images, params), expected, atol=1e-5)
    run = compiled(lambda x, p: layer(x, p))
    jitted = run(ops.convert_to_tensor(images), ops.convert_to_tensor(params))
    np.testing.assert_allclose(ops.convert_to_numpy(jitted), expected, atol=1e-5)


@pytest.mark.parametrize("crop", [None, 24])
def test_layer(crop, tmp_path):
    run_layer_test(
        GaussianGlimpse,
        {"size": (5, 8), "crop": crop, "epsilon": 1e-4},
        (some_images(3, 40, 50), some_params(3, 40, 50)),
        (3, 5, 8, 2),
        trainable_weights=0,
        tmp_path=tmp_path,
    )


def test_the_config_keeps_buckets():
    layer = GaussianGlimpse(5, crop=[(16, 32), (8, 8)])
    config = json.loads(json.dumps(layer.get_config()))
    again = GaussianGlimpse.from_config(config)
    assert again._buckets == layer._buckets == [(8, 8), (16, 32)]


def test_a_far_gaussian_reads_zero_and_a_near_one_reads_the_border():
    images = some_images(2, 20, 20)
    params = np.float32([[-3, 10, 1, 1, 0.8, 0.8], [-30, 10, 1, 1, 0.8, 0.8]])
    glimpse = read(GaussianGlimpse(1, crop=12), images, params)
    assert glimpse[0].min() > 0.1
    assert np.abs(glimpse[1]).max() == 0


# Cropped is dense -----------------------------------------------------------------


def windows(kind, batch=6, height=90, width=110):
    rng = np.random.default_rng(3)
    params = some_params(batch, height, width, seed=4)
    if kind == "border":
        params[:, 0] = rng.choice([-6, -1, 0, height - 1, height + 5], batch)
        params[:, 1] = rng.choice([-6, -1, 0, width - 1, width + 5], batch)
    elif kind == "outside":
        params[:, :2] = rng.choice([-1e6, -300, 400, 1e30], (batch, 2))
    elif kind == "tiny":
        params[:, 2:4], params[:, 4:] = 1e-3, 0.12
    elif kind == "huge":
        params[:, 2:4] = 20
    elif kind == "negative":
        params[:, 2:] *= -1
    return params


def test_cropped_equals_dense():
    images = some_images(6)
    w = np.random.default_rng(0).standard_normal((6, 6, 9, 2)).astype("float32")
    reads, weighted = [], []
    for crop in (None, [(24, 24), (48, 40)]):
        layer = GaussianGlimpse((6, 9), crop=crop)
        reads.append(fast(lambda x, p, layer=layer: layer(x, p)))
        weighted.append(fast(lambda x, p, layer=layer: layer(x, p) * w))
    for kind in ("border", "outside", "tiny", "huge", "negative"):
        inputs = [ops.convert_to_tensor(x) for x in (images, windows(kind))]
        dense, cropped = (ops.convert_to_numpy(run(*inputs)) for run in reads)
        np.testing.assert_allclose(cropped, dense, atol=1e-5, err_msg=kind)
        dense, cropped = (gradients(run, *inputs) for run in weighted)
        for found, expected in zip(cropped, dense, strict=True):
            assert np.isfinite(expected).all(), kind
            near = 1e-4 * np.abs(expected).max()
            np.testing.assert_allclose(found, expected, 1e-4, near, err_msg=kind)


def test_the_smallest_window_that_covers_the_batch_is_read():
    layer = GaussianGlimpse(5, crop=[(16, 16), (32, 32), (64, 64)])
    chosen = []

    def note(window, images, params):
        chosen.append(window)
        return layer._glimpse(window, images, params)

    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX traces every branch, TensorFlow runs the chosen one")
    images = some_images(2, 90, 90)
    for stride, window in ((1, 16), (4, 32), (10, 64), (30, None)):
        params = np.float32([[45, 45, 1, 1, 0.5, 0.5], [45, 45, 1, stride, 0.5, 0.5]])
        layer._choose(
            note, ops.convert_to_tensor(images), ops.convert_to_tensor(params)
        )
        assert chosen.pop() == (window and (window, window))


def test_an_image_smaller_than_the_window_is_read_densely():
    images, params = some_images(2, 10, 12), some_params(2, 10, 12)
    expected = reference(images, params, (4, 4))
    for crop in ("auto", 64, (8, 64)):
        glimpse = read(GaussianGlimpse(4, crop=crop), images, params)
        np.testing.assert_allclose(glimpse, expected, atol=1e-5)


# Gradients ------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [None, 40])
def test_gradients_against_differences(crop):
    # In float64, so that differences are exact enough.
    images, params = some_images(2), some_params(2, seed=6).astype("float64")
    params[1, 2:] *= -1
    layer = GaussianGlimpse((5, 6), crop=crop)
    w = np.random.default_rng(0).standard_normal((2, 5, 6, 2)).astype("float32")

    def value(p):
        return (reference(images, p, (5, 6)) * w).sum((1, 2, 3))

    expected = np.zeros_like(params)
    for i in range(6):
        step = np.eye(6)[i] * 1e-5
        expected[:, i] = (value(params + step) - value(params - step)) / 2e-5
    d_images, d_params = weighted_slopes(layer, images, params.astype("float32"))
    np.testing.assert_allclose(d_params, expected, rtol=1e-3, atol=1e-3)

    # The read is linear in the images: their slopes times them give the read.
    read_back = (d_images * images).sum((1, 2, 3))
    np.testing.assert_allclose(read_back, value(params), rtol=1e-4, atol=1e-4)


def test_gradients_compiled():
    images, params = some_images(3), some_params(3)
    layer = GaussianGlimpse((5, 6), crop=40)
    expected = weighted_slopes(layer, images, params)
    w = np.random.default_rng(0).standard_normal((3, 5, 6, 2)).astype("float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        def slopes(x, p):
            with tf.GradientTape() as tape:
                tape.watch([x, p])
                y = tf.reduce_sum(layer(x, p) * w)
            return tape.gradient(y, [x, p])

        runs = [tf.function(slopes, jit_compile=xla) for xla in (True, False)]
    else:
        import jax

        runs = [jax.jit(jax.grad(lambda x, p: (layer(x, p) * w).sum(), (0, 1)))]
    for run in runs:
        found = run(ops.convert_to_tensor(images), ops.convert_to_tensor(params))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(a), b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_trains_inside_a_model_before_and_after_saving(jit_compile, tmp_path):
    if not jit_compile and keras.backend.backend() == "jax":
        pytest.skip("not compiled, JAX is twenty times slower")

    class Locate(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.glimpse = GaussianGlimpse(4, crop=16)

        def build(self, shape):
            start = keras.initializers.Constant([20, 20, 1, 1, 1, 1])
            self.where = self.add_weight(shape=(6,), initializer=start)

        def call(self, images):
            params = ops.broadcast_to(self.where, (ops.shape(images)[0], 6))
            return self.glimpse(images, params)

        def compute_output_shape(self, shape):
            return (shape[0], 4, 4, shape[3])

    pixels = keras.Input((None, None, 1))
    model = keras.Model(pixels, Locate()(pixels))
    images = some_images(4, 48, 60, 1)
    targets = reference(images, np.float32([[22, 21, 1, 1, 1, 1]] * 4), (4, 4))
    for _ in range(2):
        model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=jit_compile)
        losses = [float(model.train_on_batch(images, targets)) for _ in range(5)]
        assert losses[-1] < losses[0]
        model.save(tmp_path / "model.keras")
        custom = {"Locate": Locate}
        model = keras.saving.load_model(tmp_path / "model.keras", custom_objects=custom)


# Inputs ---------------------------------------------------------------------------


@pytest.mark.parametrize("crop", [None, 24])
@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(batch, crop):
    images, params = some_images(batch, 40, 40), some_params(batch)
    layer = GaussianGlimpse(3, crop=crop)
    assert read(layer, images, params).shape == (batch, 3, 3, 2)
    d_images, d_params = slopes(layer, images, params)
    assert d_images.shape == images.shape and d_params.shape == params.shape
    run = compiled(lambda x, p: layer(x, p))
    assert run(ops.convert_to_tensor(images), ops.convert_to_tensor(params)).shape[
        0
    ] == (batch)


def test_senseless_params_do_not_crash():
    images = ops.convert_to_tensor(some_images(2, 40, 40))
    layer = GaussianGlimpse(3, crop=24)
    eager, jitted = (lambda x, p: layer(x, p)), compiled(lambda x, p: layer(x, p))
    for value in (np.nan, np.inf, -np.inf, 0.0, 1e38):
        params = some_params(2, 40, 40)
        params[1] = value
        params = ops.convert_to_tensor(params)
        for run in (jitted,) if fast(eager) is not eager else (eager, jitted):
            # The other samples of the batch are read as ever.
            assert np.isfinite(ops.convert_to_numpy(run(images, params))[0]).all()
        d_params = gradients(fast(eager), images, params)[1]
        assert np.isfinite(d_params[0]).all()


def test_a_sigma_of_zero_has_finite_gradients():
    params = np.float32([[10, 12.3, 0, 0, 0, 0]])
    for found in weighted_slopes(GaussianGlimpse(3), some_images(1, 40, 40), params):
        assert np.isfinite(found).all()


def test_integer_images():
    images = (255 * some_images(2, 40, 40)).astype("uint8")
    params = some_params(2, 40, 40)
    for crop in (None, 24):
        layer = GaussianGlimpse(3, crop=crop)
        expected = reference(images, params, (3, 3))
        np.testing.assert_allclose(read(layer, images, params), expected, atol=1e-2)
        (found,) = slopes(lambda p, layer=layer: layer(images, p), params)
        assert np.isfinite(found).all() and np.abs(found).max() > 0


def test_half_precision_keeps_the_window_in_place():
    images = some_images(1, 8, 3000, 1)
    params = np.float32([[4, 2500.4, 1, 1, 0.5, 0.5]])
    for crop in (None, 24):
        layer = GaussianGlimpse(3, crop=crop, dtype="mixed_float16")
        expected = reference(images, params, (3, 3))
        np.testing.assert_allclose(read(layer, images, params), expected, atol=2e-3)


def test_sizes_unknown_until_run_time():
    inputs = keras.Input((None, None, 2)), keras.Input((6,))
    model = keras.Model(inputs, GaussianGlimpse((5, 6), crop="auto")(*inputs))
    assert model.output.shape == (None, 5, 6, 2)
    for height, width in ((30, 40), (100, 150), (150, 100)):
        images, params = some_images(2, height, width), some_params(2, height, width)
        expected = reference(images, params, (5, 6))
        found = model.predict([images, params], verbose=0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        spec = [tf.TensorSpec((None, None, None, 2)), tf.TensorSpec((None, 6))]
        for xla in (True, False):
            run = tf.function(lambda x, p: model([x, p]), spec, jit_compile=xla)
            np.testing.assert_allclose(run(images, params), expected, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 0}, "`size`"),
        ({"size": (3, -1)}, "`size`"),
        ({"size": 2.5}, "`size`"),
        ({"size": (1, 2, 3)}, "`size`"),
        ({"size": 3, "crop": 0}, "`crop`"),
        ({"size": 3, "crop": "big"}, "`crop`"),
        ({"size": 3, "crop": []}, "`crop`"),
        ({"size": 3, "crop": (1, 2, 3)}, "`crop`"),
        ({"size": 3, "crop": [(8, 0)]}, "`crop`"),
        ({"size": 3, "epsilon": 0}, "`epsilon`"),
        ({"size": 3, "epsilon": -1e-8}, "`epsilon`"),
        ({"size": 3, "epsilon": None}, "`epsilon`"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        GaussianGlimpse(**arguments)


@pytest.mark.parametrize(
    "images_shape, params_shape, message",
    [
        ((9, 9, 1), (1, 6), "`images`"),
        ((1, 9, 9, 1), (6,), "`params`"),
        ((1, 9, 9, 1), (1, 5), "`params`"),
        ((2, 9, 9, 1), (3, 6), "`params`"),
    ],
)
def test_bad_inputs(images_shape, params_shape, message):
    with pytest.raises(ValueError, match=f"{message}(.|\n)*Received: "):
        GaussianGlimpse(3)(np.zeros(images_shape, "f"), np.zeros(params_shape, "f"))


def test_bad_windows():
    with pytest.raises(ValueError, match=r"`activations`.*Received: "):
        ratm_params(np.zeros((2, 6), "f"), (9, 9), (3, 3))
    with pytest.raises(ValueError, match=r"`index_base`.*Received: "):
        ratm_params(np.zeros((2, 7), "f"), (9, 9), (3, 3), index_base=2)
    with pytest.raises(ValueError, match=r"`attention`.*Received: "):
        hart_params(np.zeros((2, 6), "f"), (9, 9), (3, 3))
    with pytest.raises(ValueError, match=r"`sigma`.*Received: "):
        hart_params(np.zeros((2, 4), "f"), (9, 9), (3, 3), sigma="other")


# The original code ----------------------------------------------------------------


def check_golden(layer, to_params, images, inputs, expected):
    """The patches, dense and cropped, and finite slopes for every case."""
    tensors = ops.convert_to_tensor(images), ops.convert_to_tensor(inputs)
    params = ops.convert_to_numpy(fast(to_params)(tensors[1]))
    sigma = np.maximum(np.abs(params[:, 4:]).min(axis=1), 1e-3)
    # Below 0.3 pixels the rounding of a float32 coordinate shows: against float64 the
    # original's own patches are off by so much, and ours by less.
    blur = np.where(sigma < 0.3, 1.5 / sigma, 1)[:, None, None, None]
    near = 1e-5 * blur * (max(1, np.abs(images).max()) + np.abs(expected))
    for crop in (None, "auto"):
        layer = GaussianGlimpse(layer.size, crop=crop, epsilon=layer.epsilon)
        run = fast(lambda x, p, layer=layer: layer(x, to_params(p)))
        assert (np.abs(ops.convert_to_numpy(run(*tensors)) - expected) <= near).all()
    for found in gradients(run, *tensors):
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "file, int_stride", [("ratm_attention", True), ("ratm_attention_truediv", False)]
)
@pytest.mark.parametrize(
    "case", ["kth120x160_g28", "mnist100_g28", "rgb61x101_g7x11_exactdiv"]
)
def test_ratm_as_published(file, int_stride, case, golden):
    data = golden(file)
    images = data[f"{case}/images_nchw"].transpose(0, 2, 3, 1)
    patches = data[f"{case}/patches_nchw"].transpose(0, 2, 3, 1)
    size = patches.shape[1:3]

    def to_params(activations):
        shape = images.shape[1:3]
        return ratm_params(
            activations, shape, size, index_base=0, int_stride=int_stride
        )

    check_golden(
        GaussianGlimpse(size, epsilon=1e-4),
        to_params,
        images,
        data[f"{case}/acts"],
        patches,
    )


def test_ratm_is_centred_by_default():
    params = ratm_params(
        np.float32([[0.5, 0.25, 2, 1, 9, -4, -0.5]]), (100, 200), (12, 21)
    )
    expected = [[25, 100, 4.5, 199 / 20, 2, 1]]
    np.testing.assert_allclose(ops.convert_to_numpy(params), expected, rtol=1e-6)


def from_corner(params, size):
    """HART's own order: `[u_y, u_x, s_y, s_x, d_y, d_x]`, u the first Gaussian."""
    params = ops.convert_to_tensor(params)
    u, s, d = params[:, 0:2], params[:, 2:4], params[:, 4:6]
    half = (np.float32(size) - 1) / 2
    return ops.concatenate([u + d * half, d, s], axis=1)


@pytest.mark.parametrize("size", [(28, 28), (14, 20)])
def test_hart_read(size, golden):
    data = golden("hart_ops")
    check_golden(
        GaussianGlimpse(size),
        lambda p: from_corner(p, size),
        data["extract_glimpse/images_nhwc"],
        data["extract_glimpse/params_uy_ux_sy_sx_dy_dx"],
        data[f"extract_glimpse/{size[0]}x{size[1]}/glimpse"],
    )


@pytest.mark.parametrize("kind", ["attention_fixedstd", "attention_ratm"])
def test_hart_attention(kind, golden):
    data = golden("hart_ops")
    expected = data[f"{kind}/glimpse"]
    images = data["attention/images_uint8"][: len(expected)].astype("float32")
    size, shape = expected.shape[1:3], images.shape[1:3]
    pixels = from_corner(data[f"{kind}/att_px_uy_ux_sy_sx_dy_dx"], size)
    to_params, inputs = (lambda p: p), ops.convert_to_numpy(pixels)
    if kind == "attention_fixedstd":
        inputs = data[f"{kind}/att_norm"]

        def to_params(attention):
            return hart_params(attention, shape, size, sigma="hart_code")

        found = ops.convert_to_numpy(to_params(inputs))
        np.testing.assert_allclose(found, pixels, rtol=1e-5, atol=1e-4)
    inputs = inputs[: len(expected)]
    check_golden(GaussianGlimpse(size), to_params, images, inputs, expected)


def test_hart_sigma_is_the_published_fit(golden_path):
    fit = json.loads(golden_path("hart_sigma_quartic.json").read_text())
    assert [[a, b] for _, _, a, b in HART_SIGMA] == fit["coefficients"]


def test_hart_sigma_of_strides(golden):
    """Their `stride_to_std`: the sigmas that strides of all sizes give."""
    data = golden("hart_ops")
    strides, size, shape = data["stride_to_std/stride_yx"], (56, 56), (187, 621)
    # A box of a stride is (size - 1) strides high, as part of the frame less one pixel.
    attention = np.concatenate(
        [0 * strides, strides * 55 / (np.float32(shape) - 1)], axis=1
    ).astype("float32")
    found = hart_params(attention, shape, size, sigma="hart_code")[:, 4:]
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), data["stride_to_std/sigma_yx"], atol=1e-5
    )
