"""Compare `Tracker.update` with OpenCV's trackers, frame by frame, on one core.

A bright square moves over noise. All take turns within one run, so that the ratios
mean something on a busy machine too.
"""

import numpy as np
import pytest
import tensorflow as tf
from common import BACKEND, follow, moving_square, print_table, take_turns

from keras_attend.models import HART, RATM, HARTCell, RATMCell
from keras_attend.tracking import Tracker

# TensorFlow's step is the one that is tuned for a call a frame.
pytestmark = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="the promise is TensorFlow's"
)
SIZES = [(100, 100), (375, 1242)]
FRAMES, SIDE, TARGETS = 20, 32, 8
# At least so many times KCF's and CSRT's frames a second.
FASTER = {"KCF": 1.0, "CSRT": 30.0}
# Times longer than at 100x100, at most: the frame is copied.
GROWTH = 1.5
# Times longer than one object, at most.
SHARED = 3.0


def make_model():
    """RATM with a window that stays where it is; what it computes is the same."""
    model = RATM(RATMCell(28, 100))
    model.build()
    model.cell.attend.kernel.assign(np.zeros((100, 7)))
    return model


def make_frames(size):
    """Frames `[T, H, W, 3]`, and the square's first box."""
    return moving_square(size, FRAMES, SIDE)


def our_frames(frames, channels):
    """What the model wants, as a caller who reads grey video would have it."""
    return np.ascontiguousarray(frames[..., :channels])


def make_hart():
    """`hart_street`'s size; not trained, it stays where it is too."""
    model = HART(HARTCell(56, 256, maps=8, filters=(24, 32, 48)))
    model.build()
    return model


MODELS = [(make_model, FASTER), (make_hart, {"CSRT": 2.0})]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(("make", "faster"), MODELS, ids=["ratm", "hart"])
def test_against_opencv(make, faster, size):
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "TrackerKCF_create"):
        pytest.skip("opencv-contrib-python-headless is needed")
    cv2.setNumThreads(1)
    frames, box = make_frames(size)
    model = make()
    seen = our_frames(frames, model.channels)
    ours = Tracker(model, jit_compile=True)
    ours.init(seen[0], box)
    calls = {"Tracker": follow(ours.update, seen)}
    for name in FASTER:
        rival = getattr(cv2, f"Tracker{name}_create")()
        rival.init(frames[0], box)
        calls[name] = follow(rival.update, frames)
    seconds = dict(zip(calls, take_turns(*calls.values()), strict=True))
    rows = [[k, FRAMES / t, t / seconds["Tracker"]] for k, t in seconds.items()]
    name = type(model).__name__
    title = f"{name}, one object, {size[0]}x{size[1]}, batch 1, one core"
    print_table(title, ["", "frames/s", "times Tracker's"], rows)
    for name, factor in faster.items():
        assert seconds[name] / seconds["Tracker"] >= factor


def test_cost_of_hart():
    """It does not grow with the frame, but for copying that; and V1's share of it."""
    model = make_hart()
    calls = {}
    for size in [*SIZES, (1080, 1920)]:
        frames, box = make_frames(size)
        tracker = Tracker(model, jit_compile=True)
        tracker.init(frames[0], box)
        calls[f"{size[0]}x{size[1]}"] = follow(tracker.update, frames)
    v1, glimpse = model.cell.v1, np.zeros((1, 56, 56, 3), "float32")
    features = tf.function(v1, jit_compile=True)
    features(glimpse)
    calls["V1 alone"] = lambda: [features(glimpse) for _ in range(FRAMES)]
    seconds = dict(zip(calls, take_turns(*calls.values()), strict=True))
    first = seconds["100x100"]
    rows = [[k, FRAMES / t, t / first] for k, t in seconds.items()]
    print_table("HART, one object, one core", ["", "frames/s", "times 100x100's"], rows)
    assert seconds["375x1242"] / first <= GROWTH


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_several_objects(size):
    frames, box = make_frames(size)
    model = make_model()
    frames = our_frames(frames, model.channels)
    one, many = (Tracker(model, jit_compile=True) for _ in range(2))
    one.init(frames[0], box)
    shifts = np.stack([np.arange(TARGETS), np.zeros(TARGETS)] + 2 * [[0] * TARGETS], 1)
    many.init(frames[0], np.array(box) + shifts)
    a, b = take_turns(follow(one.update, frames), follow(many.update, frames))
    rows = [["1", FRAMES / a, 1.0], [str(TARGETS), FRAMES / b, b / a]]
    title = f"{TARGETS} objects against one, {size[0]}x{size[1]}, one core"
    print_table(title, ["objects", "frames/s", "times one's time"], rows)
    assert b / a <= SHARED
