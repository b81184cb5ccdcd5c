"""Compare AIR with a plain eager PyTorch AIR of the same sizes, on one core.

Batches of 64 pictures of 50x50 pixels, three steps: what `air_mnist` was trained with.
The two take turns within one run, a few batches each, and the medians of their times
make the ratio.
"""

import keras
import numpy as np
import pytest
from common import print_table, take_turns
from keras import ops

from keras_attend.models import AIR

torch = pytest.importorskip("torch")
torch_air = pytest.importorskip("torch_air")
torch.set_num_threads(1)

BATCH, BATCHES = 64, 8
FASTER = 1.0  # than PyTorch


def test_training():
    rng = np.random.default_rng(0)
    images = rng.random((BATCH * BATCHES, 50, 50, 1), dtype="float32")
    model = AIR(size=50, steps=3)
    model.compile(keras.optimizers.Adam(1e-4, global_clipnorm=200.0))
    rival = torch_air.TorchAIR()
    optimizer = torch.optim.Adam(rival.parameters(), 1e-4)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    batches = [ops.convert_to_tensor(b) for b in np.split(images, BATCHES)]

    def theirs():
        for batch in x.split(BATCH):
            torch_air.train_step(rival, optimizer, batch)

    def fit():
        model.fit(images, batch_size=BATCH, verbose=0)

    def train_on_batch():
        for batch in batches:
            model.train_on_batch(batch)

    seconds = take_turns(theirs, fit, train_on_batch)
    ours = sum(np.prod(v.shape) for v in model.trainable_variables)
    # PyTorch's LSTM has its bias twice.
    assert parameters(rival) == ours + 4 * rival.units
    milliseconds = [1000 * t / BATCHES for t in seconds]
    names = ["PyTorch, eager", "AIR, fit", "AIR, train_on_batch"]
    rows = [
        [name, ms, milliseconds[0] / ms]
        for name, ms in zip(names, milliseconds, strict=True)
    ]
    print_table("AIR training, 50x50", ["", "ms a batch of 64", "ratio"], rows)
    assert milliseconds[0] / min(milliseconds[1:]) >= FASTER


def parameters(network):
    """How many numbers a PyTorch network has."""
    return sum(p.numel() for p in network.parameters())
