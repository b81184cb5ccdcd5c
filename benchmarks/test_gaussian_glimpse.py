"""Compare the Gaussian read of whole images (dense) with the read of a crop.

    pytest -s benchmarks/test_gaussian_glimpse.py

A 56x56 glimpse of a box of 60x100 pixels, batch 8, on the backend that `KERAS_BACKEND`
names. `-s` shows the table of ratios, which are timed turn by turn and so mean
something on a busy machine too; pin it to one core (`taskset -c 0`) for steady times.
"""

import keras
import numpy as np
import pytest
from common import take_turns
from keras import ops

from keras_attend.layers.gaussian_glimpse import GaussianGlimpse

BATCH, GLIMPSE, BOX = 8, 56, (60, 100)
SIZES = [(100, 100), (375, 1242), (1080, 1920)]
TENSORFLOW = keras.backend.backend() == "tensorflow"
MODES = ["xla", "graph"] if TENSORFLOW else ["xla"]
# Times faster than dense, forward, under XLA.
TARGETS = {(375, 1242): 10, (1080, 1920): 25}


def make_inputs(height, width):
    rng = np.random.default_rng(0)
    images = rng.random((BATCH, height, width, 3), dtype="float32")
    strides = np.float32(BOX) / (GLIMPSE - 1)
    row = [height / 2, width / 2, *strides, 0.6, 0.9]  # HART's sigmas
    params = np.float32([row] * BATCH)
    params[:, :2] += rng.uniform(-15, 15, (BATCH, 2))
    return ops.convert_to_tensor(images), ops.convert_to_tensor(params)


def make_run(crop, mode, direction):
    """A compiled read, or its slopes for the parameters, that waits for its result."""
    layer = GaussianGlimpse(GLIMPSE, crop=crop)
    if TENSORFLOW:
        import tensorflow as tf

        def slopes(images, params):
            with tf.GradientTape() as tape:
                tape.watch(params)
                total = tf.reduce_sum(tf.square(layer(images, params)))
            return tape.gradient(total, params)

        chosen = slopes if direction == "backward" else lambda x, p: layer(x, p)
        compiled = tf.function(chosen, jit_compile=mode == "xla", autograph=False)
        return lambda *inputs: compiled(*inputs).numpy()
    import jax

    def total(images, params):
        return ops.sum(ops.square(layer(images, params)))

    compiled = jax.jit(jax.grad(total, 1) if direction == "backward" else layer.call)
    return lambda *inputs: compiled(*inputs).block_until_ready()


@pytest.mark.parametrize("crop", [None, "auto"], ids=["dense", "cropped"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_read(benchmark, direction, mode, size, crop):
    benchmark.group = f"{direction}, {mode}, {size[0]}x{size[1]}"
    run, inputs = make_run(crop, mode, direction), make_inputs(*size)
    run(*inputs)
    benchmark.pedantic(run, inputs, rounds=10, iterations=1, warmup_rounds=2)


def test_cropped_against_dense():
    print(f"\n{keras.backend.backend()}, ms for a batch of {BATCH}")
    print("direction mode       size    dense  cropped   ratio")
    ratios = {}
    for direction in ("forward", "backward"):
        for mode in MODES:
            dense, cropped = (make_run(c, mode, direction) for c in (None, "auto"))
            for size in SIZES:
                inputs = make_inputs(*size)
                found = cropped(*inputs)
                expected = dense(*inputs)
                near = 1e-5 if direction == "forward" else 1e-4 * np.abs(expected).max()
                assert np.abs(found - expected).max() <= near
                calls = (lambda: dense(*inputs), lambda: cropped(*inputs))  # noqa: B023
                a, b = 1e3 * take_turns(*calls, rounds=15)
                ratios[direction, mode, size] = a / b
                name = f"{size[0]}x{size[1]}"
                print(
                    f"{direction:9} {mode:5} {name:>9} {a:8.2f} {b:8.2f} {a / b:7.1f}",
                    flush=True,
                )
    for size, target in TARGETS.items():
        assert ratios["forward", "xla", size] >= target


def test_the_cost_does_not_grow_with_the_image():
    run = make_run("auto", "xla", "forward")
    small, large = make_inputs(200, 200), make_inputs(2000, 2000)
    a, b = 1e3 * take_turns(lambda: run(*small), lambda: run(*large), rounds=60)
    print(f"\ncropped read: {a:.2f} ms at 200x200, {b:.2f} ms at 2000x2000")
    assert b <= 1.2 * a
