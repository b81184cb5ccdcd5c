"""What the benchmarks share: compiled calls, times taken in turns, tables."""

import time

import keras
import numpy as np

BACKEND = keras.backend.backend()


def compiled(function):
    """`function` under XLA; a call waits for its result."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(function, jit_compile=True, autograph=False)
        return lambda *inputs: keras.tree.map_structure(
            lambda x: x.numpy(), run(*inputs)
        )
    import jax

    run = jax.jit(function)
    return lambda *inputs: jax.block_until_ready(run(*inputs))


def compiled_gradient(loss, variables):
    """`loss(*inputs)` and its slopes for `variables`, under XLA."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        def slopes(*inputs):
            with tf.GradientTape() as tape:
                value = loss(*inputs)
            return value, tape.gradient(value, [v.value for v in variables])

        return compiled(slopes)
    import jax

    def stateless(weights, *inputs):
        with keras.StatelessScope(zip(variables, weights, strict=True)):
            return loss(*inputs)

    run = compiled(jax.value_and_grad(stateless))
    return lambda *inputs: run([v.value for v in variables], *inputs)


def compiled_logits(model, example):
    """The logits of a batch under XLA; a call waits for them."""
    model(example)  # builds it
    if BACKEND == "tensorflow":
        return compiled(lambda batch: model(batch, training=False)["logits"])

    def stateless(variables, batch):
        outputs, _ = model.stateless_call(*variables, batch, training=False)
        return outputs["logits"]

    run = compiled(stateless)
    parts = (model.trainable_variables, model.non_trainable_variables)
    return lambda batch: run([[v.value for v in part] for part in parts], batch)


def take_turns(*calls, rounds=11, warmup=2):
    """The median seconds of each call.

    The calls take turns, so that a busy machine slows all of them alike: their
    ratios mean something even where their times do not.
    """
    for call in calls * warmup:
        call()
    times = []
    for _ in range(rounds):
        row = [time.perf_counter()]
        for call in calls:
            call()
            row.append(time.perf_counter())
        times.append(np.diff(row))
    return np.median(times, axis=0)


def moving_square(size, count, side):
    """Frames `[count, H, W, 3]` of a bright square on noise, and its first box."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 80, (count, *size, 3), dtype="uint8")
    y, x = (n // 2 - side // 2 for n in size)
    for t, frame in enumerate(frames):
        frame[y : y + side, x + t // 4 : x + t // 4 + side] += 120
    return frames, (x, y, side, side)


def follow(update, frames):
    """A call that updates a tracker with every frame."""

    def call():
        for frame in frames:
            update(frame)

    return call


def print_table(title, columns, rows):
    """A table: names in its first column, numbers in the others."""
    cells = [list(columns)]
    for name, *numbers in rows:
        cells.append([name, *(f"{x:,.{0 if x >= 100 else 2}f}" for x in numbers)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{BACKEND}: {title}")
    for name, *numbers in cells:
        line = [f"{x:>{w}}" for x, w in zip(numbers, widths[1:], strict=True)]
        print(f"  {name:{widths[0]}}  {'  '.join(line)}", flush=True)
