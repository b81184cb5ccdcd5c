"""Compare RAM's retina, matrix products, with a gather of pixels and with PyTorch."""

import numpy as np
import pytest
from common import compiled, print_table, take_turns
from keras import ops

from keras_attend.layers.retina import Retina

BATCH, SIDE, SIZE, SCALES, GLIMPSES = 128, 60, 12, 3, 6


def gathered(images, locations):
    """The same glimpses, a pixel at a time: pad, gather, average."""
    side, patches = images.shape[1], []
    centre = ops.cast(0.5 * (locations + 1.0) * side, "int32")  # [B, 2], (x, y)
    for k in range(SCALES):
        width = SIZE * 2**k
        padded = ops.pad(images, [[0, 0], [width, width], [width, width], [0, 0]])
        span = ops.arange(width, dtype="int32") + width - width // 2
        rows = centre[:, 1:] + span  # [B, width]
        columns = centre[:, :1] + span
        index = rows[:, :, None] * (side + 2 * width) + columns[:, None]
        flat = ops.reshape(padded, (BATCH, -1))
        patch = ops.take_along_axis(flat, ops.reshape(index, (BATCH, -1)), axis=1)
        patch = ops.reshape(patch, (BATCH, SIZE, 2**k, SIZE, 2**k))
        patches.append(ops.mean(patch, axis=(2, 4)))
    return ops.stack(patches, axis=-1)  # [B, size, size, scales]


def test_matrix_products_against_a_gather():
    rng = np.random.default_rng(0)
    images = rng.random((BATCH, SIDE, SIDE, 1), dtype="float32")
    locations = rng.uniform(-1, 1, (GLIMPSES, BATCH, 2)).astype("float32")
    retina = Retina(SIZE, SCALES)
    calls = {
        "matrix products": compiled(lambda x, l: [retina(x, l_t) for l_t in l]),
        "gather": compiled(lambda x, l: [gathered(x, l_t) for l_t in l]),
    }
    inputs = [
        ops.convert_to_tensor(images),
        list(map(ops.convert_to_tensor, locations)),
    ]
    products, gather = (run(*inputs) for run in calls.values())
    np.testing.assert_allclose(products, gather, atol=1e-6)
    runs = [lambda run=run: run(*inputs) for run in calls.values()]

    torch = pytest.importorskip("torch")
    import torch_ram

    torch.set_num_threads(1)
    rival = torch_ram.Retina(SIZE, SCALES)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    where = torch.from_numpy(locations)

    def eager():
        return [rival(x, l_t) for l_t in where]

    flat = np.moveaxis(np.asarray(products), -1, 2).reshape(GLIMPSES, BATCH, -1)
    np.testing.assert_allclose(flat, torch.stack(eager()).numpy(), atol=1e-6)

    ours, *others = take_turns(*runs, eager, rounds=21)
    rows = [["matrix products", 1e3 * ours, 1.0]]
    for name, theirs in zip(["gather", "PyTorch, eager"], others, strict=True):
        rows.append([name, 1e3 * theirs, theirs / ours])
    print_table(
        f"Retina({SIZE}, {SCALES}), {SIDE}x{SIDE}, batch {BATCH}, {GLIMPSES} glimpses",
        ["", "ms", "ratio"],
        rows,
    )
    assert min(others) > ours
