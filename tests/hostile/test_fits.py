"""What would make all weights NaN is refused, and so is what is no model."""

import json

import keras
import numpy as np
import pytest
from zoo_case import vouch

from keras_attend import zoo
from keras_attend.models import RATM, RATMCell


def clips():
    random = np.random.default_rng(0)
    frames = random.uniform(0, 1, (3, 4, 12, 12, 1)).astype("float32")
    boxes = np.tile(np.float32([2, 2, 5, 5]), (3, 4, 1))
    present = np.ones((3, 4), "float32")
    x = {"frames": frames, "box": boxes[:, 0].copy()}
    return x, {"boxes": boxes, "present": present}


class Clips(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


ATTACKS = {
    "frames nan": ("frames", (1, 2, 3, 3, 0), np.nan),
    "frames inf": ("frames", (1, 2, 3, 3, 0), np.inf),
    "frames 255": ("frames", (1, 2, 3, 3, 0), 255.0),
    "frames -1": ("frames", (1, 2, 3, 3, 0), -1.0),
    "box nan": ("box", (1, 0), np.nan),
    "box zero": ("box", (1, 2), 0.0),
    "box negative": ("box", (1, 3), -5.0),
    "boxes nan": ("boxes", (1, 2, 0), np.nan),
    "boxes inf": ("boxes", (1, 2, 0), -np.inf),
    "present nan": ("present", (1, 2), np.nan),
    "present 2": ("present", (1, 2), 2.0),
}


@pytest.fixture(scope="module")
def tracker():
    model = RATM(RATMCell(5, 4))
    model.compile("sgd", jit_compile=False)
    model.build()
    return model


@pytest.mark.parametrize("how", ["arrays", "PyDataset", "tf.data"])
@pytest.mark.parametrize("name", ATTACKS)
def test_what_would_spoil_the_weights(name, how, tracker):
    key, place, value = ATTACKS[name]
    x, y = clips()
    (x if key in x else y)[key][place] = value
    before = [w.copy() for w in tracker.get_weights()]
    with pytest.raises(ValueError, match=f"`{key}` must .* in clip 1 of the first"):
        if how == "arrays":
            tracker.fit(x, y, batch_size=3, verbose=0)
        elif how == "PyDataset":
            tracker.fit(Clips((x, y)), verbose=0)
        else:
            tf = pytest.importorskip("tensorflow")
            tracker.fit(tf.data.Dataset.from_tensors((x, y)), verbose=0)
    for one, other in zip(before, tracker.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_it_is_absent_a_box_may_hold_anything(tracker):
    x, y = clips()
    y["boxes"][1, 2], y["present"][1, 2] = np.nan, 0
    tracker.fit(x, y, batch_size=3, verbose=0)
    assert all(np.isfinite(w).all() for w in tracker.get_weights())


# Configurations of what is no compiled model.


def changed(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(change(config) or config))
    vouch(folder)


DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"units": 2},
    "registered_name": None,
}
CONFIGURATIONS = {
    "compile_config of a list": lambda c: c.update(compile_config=["adam"]),
    "compile_config of a text": lambda c: c.update(compile_config="adam"),
    "compile_config of zero": lambda c: c.update(compile_config=0),
    "unknown argument": lambda c: c.update(compile_config={"optimiser": "adam"}),
    "unknown optimizer": lambda c: c.update(compile_config={"optimizer": "adamant"}),
    "an optimizer of a number": lambda c: c.update(compile_config={"optimizer": 7}),
    "a layer": lambda c: DENSE,
    "a value": lambda c: {"class_name": "__bytes__", "config": {"value": "x"}},
    "nothing": lambda c: {"a": 1},
    "no config": lambda c: {**DENSE, "config": None},
    "a list as config": lambda c: {**c, "config": [1]},
    "no name": lambda c: {k: v for k, v in c.items() if k != "class_name"},
}


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_is_no_compiled_model(name, weights, folder):
    changed(folder, CONFIGURATIONS[name])
    with pytest.raises(ValueError, match=r"config\.json"):
        zoo.load(folder, weights=weights)
