"""How many frames a second presets follow in real videos' sizes, beside OpenCV's.

A bright square moves over noise, in frames of two sizes, on one core. All take turns
within one run.
"""

import pytest
from common import BACKEND, follow, moving_square, print_table, take_turns

import keras_attend as ka
from keras_attend.evaluation.opencv import opencv_box, opencv_factory, opencv_image

# TensorFlow's step is the one that is tuned for a call a frame.
pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="the promise is TensorFlow's"
)
SIZES = [(240, 320), (375, 1242)]
PRESETS = ("hart_kitti", "hart_person", "drlt_otb")
PEERS = ("TrackerNano", "KCF", "CSRT")
FRAMES, SIDE = 10, 48
# HART's window is read in as many pixels whatever the frame's size; it is copied.
GROWTH = 1.5


def of_preset(name, frames, box):
    """A call that follows with a preset."""
    model = ka.zoo.load(name)
    tracker = ka.Tracker(model, getattr(model.cell, "jit_compile", True))
    tracker.init(frames[0], box)
    return follow(tracker.update, frames[1:])


def of_peer(name, frames, box):
    """A call that follows with one of OpenCV's trackers, or None without it."""
    try:
        create, whole = opencv_factory(name)
    except (ImportError, FileNotFoundError) as problem:
        print(f"Not measured: {name}: {problem}")
        return None
    images = [opencv_image(frame) for frame in frames]
    tracker = create()
    tracker.init(images[0], opencv_box(box, whole))
    return follow(tracker.update, images[1:])


def test_frames_per_second():
    rates = {}
    for size in SIZES:
        frames, box = moving_square(size, FRAMES + 1, SIDE)
        calls = {name: of_preset(name, frames, box) for name in PRESETS}
        calls |= {name: of_peer(name, frames, box) for name in PEERS}
        calls = {name: call for name, call in calls.items() if call is not None}
        for name, seconds in zip(calls, take_turns(*calls.values()), strict=True):
            rates.setdefault(name, []).append(FRAMES / seconds)
    heads = ["frames/s", *(f"{rows}x{cols}" for rows, cols in SIZES)]
    rows = [[name, *found] for name, found in rates.items()]
    print_table("Presets for real videos, one object, one core", heads, rows)
    for name in ("hart_kitti", "hart_person"):
        small, large = rates[name]
        assert small < GROWTH * large, name
