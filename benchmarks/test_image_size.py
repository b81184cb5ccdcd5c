"""RAM's arithmetic does not depend on the image; a convolutional network's does.

(Its time grows with what it takes to reach a few rows of a large image in memory.)

RAM (8 glimpses of 12x12, three scales) and the paper's convolutional baseline (8
filters of 10x10, stride 5, then 256 units), answering a batch of 64 images of growing
side, on one core: time and floating point operations of an image.
"""

import numpy as np
from common import compiled_logits, print_table, take_turns
from keras import ops

from keras_attend.models import RAM, Feedforward

BATCH = 64
SIDES = (60, 100, 200, 400)


def ram_flops(model):
    """Two for each product of a weight, a glimpse at a time; and the box filters."""
    network = sum(
        2 * w.shape[0] * w.shape[1]
        for w in model.trainable_variables
        if w.path.endswith("kernel") and "action" not in w.path
    )
    widest = model.size * 2 ** (model.scales - 1)
    # Rows are added over each patch's height, columns multiplied over two widths.
    sensor = 2 * widest * sum(model.size * 2**k for k in range(model.scales))
    sensor += 2 * model.scales * model.size**2 * 2 * widest
    return model.glimpses * (network + sensor) + 2 * 256 * model.classes


def feedforward_flops(model, side):
    places = ((side - 10) // 5 + 1) ** 2
    convolution, hidden, action = (
        w for w in model.trainable_variables if w.path.endswith("kernel")
    )
    return 2 * (
        places * np.prod(convolution.shape)
        + np.prod(hidden.shape)
        + np.prod(action.shape)
    )


def test_image_size():
    rng = np.random.default_rng(0)
    ram = RAM(glimpses=8, size=12, scales=3)
    names, calls, flops = [], [], []
    for side in SIDES:
        images = rng.random((BATCH, side, side, 1), dtype="float32")
        rival = Feedforward((256,), filters=8)
        for name, model in (("RAM", ram), ("convolutional", rival)):
            logits = compiled_logits(model, images[:1])
            batch = ops.convert_to_tensor(images)
            names.append((name, side))
            calls.append(lambda logits=logits, batch=batch: logits(batch))
            count = ram_flops(ram) if model is ram else feedforward_flops(model, side)
            flops.append(float(count))
    times = take_turns(*calls)
    rows = [
        [f"{name}, {side}x{side}", 1e6 * t / BATCH, f / 1e6]
        for (name, side), t, f in zip(names, times, flops, strict=True)
    ]
    print_table("an image's cost", ["", "microseconds", "MFLOP"], rows)
    by_name = dict(zip(names, times, strict=True))
    growth = by_name["RAM", 400] / by_name["RAM", 60]
    assert growth < by_name["convolutional", 400] / by_name["convolutional", 60] / 5
