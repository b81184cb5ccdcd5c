"""No frame, and no use of a tracker, ends in anything but a box or a clear error."""

import copy
import multiprocessing
import os
import pickle

import numpy as np
import pytest
from tiny_tracker import TrackerModel

from keras_attend import Tracker

SIZE = (12, 16)
BOX = (3, 3, 5, 4)


def frame(channels=0, dtype="uint8", scale=1.0):
    shape = (*SIZE, channels) if channels else SIZE
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    if dtype == "uint8":
        return pixels.astype("uint8")
    return (pixels / 255 * scale).astype(dtype)


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def tracker(request):
    tracker = Tracker(TrackerModel(None, request.param))
    tracker.init(frame(3), BOX)
    return tracker


KINDS = [(0, "uint8"), (1, "float32"), (3, "float64"), (0, "float16"), (3, "uint8")]


def test_frames_of_other_kinds_after_the_first(tracker):
    """They are followed as the same frames of one kind would be, nearly."""
    other = Tracker(tracker.model)
    other.init(frame(3), BOX)
    for channels, dtype in KINDS:
        present, box = tracker.update(frame(3, dtype))
        np.testing.assert_allclose(box, other.update(frame(3))[1], atol=0.01)
        present, box = tracker.update(frame(channels, dtype))
        other.update(frame(channels))
        assert present and np.isfinite(box).all()


def test_kinds_alternate_with_several_objects():
    tracker = Tracker(TrackerModel())
    tracker.init(frame(0), [BOX, BOX])
    for channels, dtype in KINDS * 2:
        present, boxes = tracker.update(frame(channels, dtype))
        assert present.all() and np.isfinite(boxes).all()


@pytest.mark.parametrize(
    "bad", [frame(3, "float32", 255.0), frame(3, "float32") * np.nan, -frame(3, "f4")]
)
def test_frames_that_would_poison_the_state(bad, tracker):
    with pytest.raises(ValueError, match=r"numbers in 0\.\.1"):
        tracker.update(bad)
    one = frame(3, "float32")
    one[2, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"numbers in 0\.\.1"):
        tracker.update(one)
    assert np.isfinite(tracker.update(frame(3))[1]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_frames_of_a_single_row_or_column(size, tracker):
    with pytest.raises(ValueError, match="at least two rows and columns"):
        tracker.init(np.zeros(size, "uint8"), (0, 0, 1, 1))


@pytest.mark.parametrize("function", [pickle.dumps, copy.copy, copy.deepcopy])
def test_copies(function, tracker):
    with pytest.raises(TypeError, match="cannot be pickled or copied: make another"):
        function(tracker)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork(tracker):
    def use(sender):
        for call in (lambda: tracker.update(frame(3)), lambda: tracker.init(0, 0)):
            try:
                call()
            except ValueError as error:
                sender.send(str(error))
        sender.close()

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    process = context.Process(target=use, args=(sender,))
    process.start()
    try:
        for _ in range(2):
            assert receiver.poll(20)
            assert "by the process that made it" in receiver.recv()
    finally:
        process.kill()
        process.join()
