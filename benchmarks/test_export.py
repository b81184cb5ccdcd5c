"""Compare an exported tracker (ONNX Runtime) with the Keras one, on one core.

Frames a second in turns; and, in a process of its own each, the time from import to the
first box, the memory at its most, and what has to be installed for it.
"""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
from common import BACKEND, print_table, take_turns

import keras_attend as ka

pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="`export` is by TensorFlow"
)
ROOT = Path(__file__).parents[1]
MODELS = {
    "hart_street": (180, 320),
    "ratm_person": (180, 320),
    "drlt_mnist": (100, 100),
}
FRAMES = 20
SOONER = 5.0  # times, at least, that the first box is there
# The dependencies in pyproject.toml and in runtime/pyproject.toml.
NEEDED = {
    "Keras": [
        "keras",
        "tensorflow",
        "tensorflow-probability",
        "tf-keras",
        "numpy",
        "h5py",
        "huggingface-hub",
    ],
    "ONNX Runtime": ["numpy", "onnxruntime"],
}
START = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
from {package} import Tracker
frame = np.zeros({shape}, "uint8")
tracker = Tracker({model!r})
tracker.init(frame, (20, 20, 30, 30))
tracker.outputs["box"]
seconds = time.perf_counter() - begin
status = open("/proc/self/status").read() if sys.platform == "linux" else ""
peak = [int(x.split()[1]) / 1024 for x in status.splitlines() if "VmHWM" in x]
print(json.dumps([seconds, *(peak or [float("nan")])]))
"""


def make_frames(size, channels):
    """A bright square that moves over noise."""
    frames = np.random.default_rng(0).integers(
        0, 60, (FRAMES, *size, channels), "uint8"
    )
    for t, frame in enumerate(frames):
        frame[20 + t : 50 + t, 30 + t : 60 + t] = 200
    return frames, (30, 20, 30, 30)


def follow(tracker, frames):
    """A call that updates a tracker with every frame."""

    def call():
        for frame in frames:
            tracker.update(frame)

    return call


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """A preset's name and model, and its file, of bytes and one size of frames."""
    name, size = request.param, MODELS[request.param]
    model = ka.zoo.load(name)
    path = tmp_path_factory.mktemp("export") / f"{name}.onnx"
    ka.export(model, path, "onnx", size=size, uint8=True)
    return name, model, path


def test_step(exported):
    name, model, path = exported
    frames, box = make_frames(MODELS[name], model.channels)
    trackers = {"Keras": ka.Tracker(model), "ONNX Runtime": ka.Tracker(path)}
    for tracker in trackers.values():
        tracker.init(frames[0], box)
    seconds = take_turns(*(follow(t, frames) for t in trackers.values()), rounds=41)
    rows = [
        [k, FRAMES / t, seconds[0] / t] for k, t in zip(trackers, seconds, strict=True)
    ]
    height, width = MODELS[name]
    title = f"{name}, one object, {height}x{width}, one core"
    print_table(title, ["", "frames/s", "times Keras's"], rows)
    assert seconds[1] <= seconds[0]


def test_start(exported):
    name, model, path = exported
    shape = (*MODELS[name], model.channels)
    ways = {
        "Keras": {"package": "keras_attend", "model": name},
        "ONNX Runtime": {"package": "keras_attend_runtime", "model": str(path)},
    }
    found = {way: [] for way in ways}
    for _ in range(3):  # in turns; the first reads the disk
        for way, names in ways.items():
            code = START.format(shape=shape, **names)
            run = subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
            found[way].append(json.loads(run.stdout.splitlines()[-1]))
    best = {way: np.min(runs, axis=0) for way, runs in found.items()}
    rows = [[way, *best[way], installed(NEEDED[way])] for way in ways]
    columns = ["", "seconds to the first box", "MB at most", "MB installed"]
    print_table(f"{name}, a process of its own, one core", columns, rows)
    assert best["Keras"][0] / best["ONNX Runtime"][0] >= SOONER


def installed(names):
    """Megabytes of some distributions and all that they require."""
    seen, waiting = {}, list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for other platforms
            continue
        files = [Path(f.locate()) for f in found.files or ()]
        seen[name] = sum(f.stat().st_size for f in files if f.is_file())
        for line in found.requires or ():
            if "extra ==" not in line:
                waiting.append(re.match(r"[\w.-]+", line).group())
    return sum(seen.values()) / 1e6
