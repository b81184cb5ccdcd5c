"""Compare RAM with a plain eager PyTorch RAM of the same sizes, on one core.

Batches of 128 from an array in memory, six glimpses. The two take turns within one
run, an epoch each, and the medians of their times make the ratio.
"""

import keras
import numpy as np
import pytest
from common import compiled_logits, print_table, take_turns
from keras import ops

from keras_attend.models.ram import RAM

torch = pytest.importorskip("torch")
torch_ram = pytest.importorskip("torch_ram")
torch.set_num_threads(1)

BATCH, BATCHES, GLIMPSES = 128, 24, 6
IMAGES = BATCH * BATCHES
# side of the images: (size, scales)
RETINAS = {28: (8, 1), 60: (12, 3)}
# Times faster than PyTorch.
TRAINING = {28: 1.9, 60: 3.0}
INFERENCE = {28: 3.0, 60: 4.0}


@pytest.fixture(scope="module", params=list(RETINAS), ids=lambda n: f"{n}x{n}")
def contest(request):
    """The two models and what they train on."""
    side = request.param
    size, scales = RETINAS[side]
    rng = np.random.default_rng(0)
    images = rng.random((IMAGES, side, side, 1), dtype="float32")
    labels = rng.integers(0, 10, IMAGES)
    model = RAM(glimpses=GLIMPSES, size=size, scales=scales)
    model.compile(keras.optimizers.Adam(1e-3))
    rival = torch_ram.TorchRAM(GLIMPSES, size, scales)
    return side, images, labels, model, rival


def test_training(contest):
    side, images, labels, model, rival = contest
    x, y = (
        torch.from_numpy(images.transpose(0, 3, 1, 2).copy()),
        torch.from_numpy(labels),
    )
    optimizer = torch.optim.Adam(rival.parameters(), 1e-3)

    def torch_epoch():
        rival.train()
        for chosen in torch.randperm(IMAGES).split(BATCH):
            torch_ram.train_step(rival, optimizer, x[chosen], y[chosen])

    def fit():
        model.fit(images, labels, batch_size=BATCH, verbose=0)

    batch = [ops.convert_to_tensor(a[:BATCH]) for a in (images, labels)]

    def train_on_batch():
        for _ in range(BATCHES):
            model.train_on_batch(*batch)

    theirs, *ours = take_turns(torch_epoch, fit, train_on_batch)
    print_speeds(f"training, {side}x{side}", theirs, ours, ["fit", "train_on_batch"])
    assert theirs / min(ours) >= TRAINING[side]


def test_inference(contest):
    side, images, _, model, rival = contest
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    def torch_epoch():
        rival.eval()
        with torch.no_grad():
            for batch in x.split(BATCH):
                rival(batch)[0].numpy()

    logits = compiled_logits(model, images[:1])
    batches = [
        ops.convert_to_tensor(b) for b in images.reshape(-1, BATCH, side, side, 1)
    ]

    def compiled_call():
        for batch in batches:
            logits(batch)

    def predict():  # and where it looked, and what it saw
        model.predict(images, batch_size=BATCH, verbose=0)

    theirs, *ours = take_turns(torch_epoch, compiled_call, predict)
    print_speeds(
        f"inference, {side}x{side}", theirs, ours, ["compiled call", "predict"]
    )
    assert theirs / ours[0] >= INFERENCE[side]


def print_speeds(title, theirs, ours, names):
    rows = [["PyTorch, eager", IMAGES / theirs, 1.0]]
    rows += [
        [f"RAM, {name}", IMAGES / t, theirs / t]
        for name, t in zip(names, ours, strict=True)
    ]
    print_table(f"RAM {title}", ["", "images/s", "ratio"], rows)
