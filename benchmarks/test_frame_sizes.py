"""How many frames a second presets follow in real videos' sizes, beside OpenCV's.

A bright square moves over noise, in frames of two sizes, on one core. All take turns
within one run.
"""

import numpy as np
import pytest
from common import BACKEND, print_table, take_turns

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


def make_frames(size):
    """Frames `[T, H, W, 3]`, and the square's first box."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 80, (FRAMES + 1, *size, 3), dtype="uint8")
    y, x = (n // 2 - SIDE // 2 for n in size)
    for t, frame in enumerate(frames):
        frame[y : y + SIDE, x + t // 4 : x + t // 4 + SIDE] += 120
    return frames, np.float32([x, y, SIDE, SIDE])


def follow(update, frames):
    """A call that updates a tracker with every frame but the first."""

    def call():
        for frame in frames[1:]:
            update(frame)

    return call


def of_preset(name, frames, box):
    """A call that follows with a preset."""
    model = ka.zoo.load(name)
    tracker = ka.Tracker(model, getattr(model.cell, "jit_compile", True))
    tracker.init(frames[0], box)
    return follow(tracker.update, frames)


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
    return follow(tracker.update, images)


def test_frames_per_second():
    rates = {}
    for size in SIZES:
        frames, box = make_frames(size)
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
