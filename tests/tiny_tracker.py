"""A tracker so small that a test can compute what it does."""

import keras
from keras import ops

from keras_attend import zoo
from keras_attend.layers.recurrent_tracker import RecurrentTrackerCell
from keras_attend.unroll import unroll


class CentroidCell(RecurrentTrackerCell):
    """Moves the box some of the way to the brightness centroid of the frame."""

    def __init__(self, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    @property
    def state_spec(self):
        return {"box": 4, "memory": [4]}

    def build(self, frame_shape):
        self.speed = self.add_weight(shape=(), initializer="ones", name="speed")

    def scaled(self, frame):
        scale = 1.0 if keras.backend.is_float_dtype(frame.dtype) else 255.0
        return ops.cast(frame, "float32") / scale

    def initial_state(self, frame, box):
        first = ops.mean(self.scaled(frame), axis=(1, 2, 3), keepdims=True)[..., 0, 0]
        return {"box": box, "memory": [ops.repeat(first, 4, axis=1)]}

    def step(self, frame, state):
        height, width = frame.shape[1:3]
        mass = ops.mean(self.scaled(frame), axis=-1)  # [B, H, W]
        total = ops.sum(mass, axis=(1, 2)) + 1e-6
        rows = ops.arange(height, dtype="float32") + 0.5
        columns = ops.arange(width, dtype="float32") + 0.5
        y = ops.sum(mass * rows[:, None], axis=(1, 2)) / total
        x = ops.sum(mass * columns, axis=(1, 2)) / total
        w, h = state["box"][:, 2], state["box"][:, 3]
        goal = ops.stack([x - w / 2, y - h / 2, w, h], axis=-1)
        box = state["box"] + 0.5 * self.speed * (goal - state["box"])
        memory = [state["memory"][0] + box]
        glimpse = self.scaled(frame)[:, :2, :2]
        window = ops.concatenate([box[:, :2] - 2, box[:, 2:] + 4], axis=1)
        outputs = {"box": box, "glimpse": glimpse, "window": window}
        outputs["memory"] = memory[0]
        return outputs, {"box": box, "memory": memory}


@keras.saving.register_keras_serializable("keras_attend")
class TrackerModel(keras.Model):
    def __init__(self, cell=None, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell or CentroidCell(channels)
        self.channels = channels

    def build(self, input_shape=None):
        self.cell.build(None)
        self.cell.built = True

    def call(self, inputs):
        frames, box = inputs["frames"], inputs["box"]
        state = self.cell.initial_state(frames[:, 0], ops.cast(box, "float32"))
        steps, _ = unroll(self.cell.step, state, frames)
        return {"boxes": steps.pop("box"), **steps}

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


def save_tiny_preset(folder):
    """A preset for `--model`."""
    model = TrackerModel()
    model.build()
    zoo.save_preset(
        model,
        folder,
        description="Goes where it is bright.",
        paper="none",
        task="tracking",
        input="frames [B, T, H, W, 1]",
    )
    return folder
