"""Tables of attacks: hostile values in every place of every file of a preset, and files
of all kinds whose bytes are changed at random.

An attack is a function of an empty folder. Nothing here computes anything before the
harness has forked: a backend that has begun to compute does not survive a fork.
"""

import functools
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np
from zoo_case import vouch

from keras_attend import Tracker, zoo
from keras_attend.datasets import kth
from keras_attend.datasets.kitti_labels import read_labels
from keras_attend.datasets.sequences import got10k, otb, read_image
from keras_attend.video import read_video
from keras_attend.zoo.verify import verify

ZOO = Path(__file__).parents[2] / "zoo"
CONFIG, WEIGHTS, MANIFEST = "config.json", "model.weights.h5", "preset.json"
CODE = keras.layers.Lambda(
    lambda x: (__import__("pathlib").Path("../code_ran").touch(), x)[1]
).get_config()


VALUES = {
    "null": None,
    "true": True,
    "-1": -1,
    "10^9": 10**9,
    "10^30": 10**30,
    "inf": float("inf"),
    "nan": float("nan"),
    "text": "x" * 5000,
    "path": "/etc/passwd",
    "escape": "\x1b[2J",
    "list": [],
    "numbers": [10**6, 10**6, 10**6],
    "dict": {},
    # Code that would leave the marker.
    "lambda": CODE["function"],
    "hidden lambda": CODE["function"] | {"registered_name": "keras_attend>RAM"},
    "Lambda": {
        "class_name": "Lambda",
        "config": CODE,
        "registered_name": "keras_attend>RAM",
    },
    "hidden Lambda": {
        "class_name": "Lambda",
        "config": CODE
        | {"function": CODE["function"] | {"registered_name": "keras_attend>RAM"}},
        "registered_name": "keras_attend>RAM",
    },
    "lookup": {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"vocabulary": "/etc/passwd"},
        "registered_name": None,
    },
    "function": {
        "module": "builtins",
        "class_name": "function",
        "config": "deserialize",
        "registered_name": None,
    },
    "array": {
        "class_name": "__numpy__",
        "config": {"value": ["a"] * 9, "dtype": "S99999999"},
    },
}


def attacks():
    """Yield `(name, attack)` of all tables."""
    small = _small()
    for file in (CONFIG, MANIFEST, "metadata.json", "results.json"):
        yield from _changed(small, file, VALUES)
    few = {name: VALUES[name] for name in ("10^9", "null", "hidden Lambda", "list")}
    for preset in ("ram_mnist", "hart_kitti"):
        yield from _changed(ZOO / preset, CONFIG, few)
    yield from _weights(small)
    for name, content, use in _readable(small):
        yield from _fuzzed(name, content, use)


@functools.cache
def _small():
    """A preset whose making computes nothing here."""
    place = Path(tempfile.mkdtemp(prefix="small_")) / "small"
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]; "
        "from zoo_case import *; folder = Path(sys.argv[1]); "
        "zoo.save_preset(small_model(), folder, **ABOUT); "
        "about = {'device': 'x', 'training_seconds': 1, 'commit': 'c'}; "
        "zoo.write_results(folder, [RESULT], **about)"
    )
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, str(place), tests], check=True)
    return place


# JSON files, with a hostile value in each place.


def _places(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from _places(inner, (*at, key))


def _changed(preset, file, values):
    content = json.loads((preset / file).read_text())
    for at in _places(content):
        for name, value in values.items():
            attack = functools.partial(_load, preset, file, content, at, value)
            yield f"{preset.name}/{file}:{'.'.join(map(str, at))}={name}", attack


def _load(preset, file, content, at, value, folder):
    new = json.loads(json.dumps({"": content}))
    place, keys = new, ["", *at]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    target = folder / preset.name
    shutil.copytree(preset, target)
    (target / file).write_text(json.dumps(new[""]))
    if file == CONFIG:
        vouch(target)
    used(target)


def used(folder):
    """Do with a preset all that a program does with one that it does not trust."""
    keras.config.enable_unsafe_deserialization()
    verify(folder)
    zoo.info(folder)
    zoo.load(folder)


# Weights.


def _weights(preset):
    def one(change, folder):
        target = folder / preset.name
        shutil.copytree(preset, target)
        with h5py.File(target / WEIGHTS, "r+") as file:
            change(file["layers/dense/vars"])
        vouch(target)
        used(target)

    def replaced(**arguments):
        def change(group):
            del group["0"]
            group.create_dataset("0", **arguments)

        return change

    large = {"shape": (10**5, 10**5), "dtype": "float32"}
    changes = {
        "never written": replaced(**large),
        "chunks": replaced(**large, chunks=(1000, 1000)),
        "gzip": replaced(data=np.zeros((4, 3), "f4"), chunks=(4, 3), compression=9),
        "texts": replaced(data=np.array([b"a"] * 12)),
        "records": replaced(data=np.zeros(3, [("a", "f4"), ("b", "S9")])),
        "complex": replaced(data=np.zeros((4, 3), "complex64")),
        "empty": replaced(shape=None, dtype="float32"),
        "external": replaced(
            shape=(4, 3), dtype="f4", external=[("/etc/passwd", 0, 48)]
        ),
        "link": lambda group: _linked(group, h5py.ExternalLink("/etc/passwd", "/x")),
        "soft link": lambda group: _linked(group, h5py.SoftLink("/layers/dense_1")),
        "cycle": lambda group: _linked(group, group.parent),
        "attributes": lambda group: group.attrs.update({"a": np.zeros(7000)}),
        "many": lambda group: [group.create_group(f"g{i}") for i in range(20_000)],
    }
    for name, change in changes.items():
        yield f"weights:{name}", functools.partial(one, change)


def _linked(group, link):
    del group["0"]
    group["0"] = link


# Files whose bytes are changed.


def _readable(preset):
    """Yield the name, the sound content and the reader of each kind of file."""
    for file in (CONFIG, MANIFEST, "metadata.json", "results.json", WEIGHTS):
        use = functools.partial(_preset_with, preset, file)
        yield f"fuzz:{file}", (preset / file).read_bytes(), use
    boxes = b"1,1,4,4\n2,2,4,4\n3\t3 4,4\nNaN,NaN,NaN,NaN\n"
    yield "fuzz:otb", boxes, functools.partial(_video, otb, "img", "groundtruth_rect")
    yield "fuzz:got10k", boxes, functools.partial(_video, got10k, "", "groundtruth")
    label = b"0 1 Car 0 0 0.1 10 10 50 40 1.5 1.6 3.9 1 2 20 0.1\n"
    yield "fuzz:kitti", label * 3, lambda path: read_labels(path)
    yield (
        "fuzz:kth",
        b"1 1 3 1 1 1 10 10 30 20\n" * 3,
        lambda path: kth.read_boxes(path),
    )
    yield "fuzz:png", _png(), lambda path: read_image(path)
    yield "fuzz:mp4", _film(), lambda path: [None for _ in read_video(path)]
    yield "fuzz:onnx", _onnx(), _tracked


def _fuzzed(name, content, use, count=12):
    for seed in range(count):
        chance = random.Random(f"{name}{seed}")
        data = bytearray(content)
        for _ in range(chance.choice((1, 3, 20))):
            at = chance.randrange(len(data))
            how = chance.randrange(4)
            if how == 0:
                data[at] = chance.randrange(256)
            elif how == 1:
                del data[at : at + chance.randrange(1, 30)]
            elif how == 2:
                data[at:at] = bytes(data[at : at + chance.randrange(1, 30)])
            else:
                data[at : at + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, b"9999"))
            data = data or bytearray(b"\0")

        def attack(folder, data=bytes(data)):
            suffix = {"fuzz:png": ".png", "fuzz:mp4": ".mp4"}.get(name, ".onnx")
            path = folder / f"file{suffix}"
            path.write_bytes(data)
            use(path)

        yield f"{name}:{seed}", attack


def _preset_with(preset, file, path):
    target = path.with_name(preset.name)
    shutil.copytree(preset, target)
    shutil.copy(path, target / file)
    if file in (CONFIG, WEIGHTS):
        vouch(target)
    used(target)


def _video(reader, images, truth, path):
    home = path.parent / "clips" / "clip"
    (home / images).mkdir(parents=True)
    for number in range(1, 5):
        (home / images / f"{number:04d}.png").write_bytes(b"")
    shutil.copy(path, home / f"{truth}.txt")
    reader(home.parent)


def _png():
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), "uint8")).save(content, "PNG")
    return content.getvalue()


def _film():
    from track_films import film

    with tempfile.TemporaryDirectory() as folder:
        return Path(film(Path(folder) / "in.mp4", 8)).read_bytes()


def _onnx():
    from test_onnx import model

    return model().SerializeToString()


def _tracked(path):
    tracker = Tracker(path)
    tracker.init(np.zeros((12, 16), "uint8"), (3, 3, 5, 4))
    tracker.update(np.zeros((12, 16), "uint8"))
