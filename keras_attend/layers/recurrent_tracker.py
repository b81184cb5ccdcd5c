"""What a tracker's cell is: the contract between models and time loops."""

from typing import Any

import keras

from keras_attend.arguments import KeepsArguments
from keras_attend.types import Nested, Tensor


class RecurrentTrackerCell(KeepsArguments, keras.layers.Layer):
    """A cell that follows one object: a frame and a state in, a box out.

    A tracker begins with the first frame and its box and goes on frame by frame:

        state = cell.initial_state(frames[:, 0], box)
        outputs, state = cell.step(frames[:, t], state)
        outputs["box"]                                  # [B, 4]

    It is a cell for `keras.layers.RNN` as well, which returns the boxes alone:

        state = cell.flatten_state(cell.initial_state(frames[:, 0], box))
        boxes = keras.layers.RNN(cell, return_sequences=True)(
            frames, initial_state=state)                # [B, T, 4]

    Subclasses provide

    * `state_spec`, a property: the size of each tensor of the state, nested as the
      state is, such as `{"box": 4, "lstm": [100, 100]}`. The tensors are `[B, size]`.
    * `build(frame_shape)`, for frames `[B, H, W, C]`: it builds the layers inside,
      which must not come into being within a time loop.
    * `initial_state` and `step`. Keras tells the layers inside whether they train.
    * `draw_noise`, if training needs random numbers: `initial_state` and `step` then
      have a third argument `noise`, None outside training.

    A `mixed_float16` cell keeps its state in half precision, in which a coordinate
    above 1024 is exact to a pixel only.
    """

    output_size = 4
    # Whether `initial_state` and `step`, traced for a file, take one frame `[1, H, W,
    # C]` for the boxes or the state of N objects; if not, they get N copies of it.
    shares_frame: bool = False

    @property
    def state_spec(self) -> Nested:
        """Sizes of the state's tensors, nested as the state is."""
        raise self._undefined("state_spec, such as {'box': 4, 'lstm': [100, 100]}")

    def initial_state(self, frame: Tensor, box: Tensor) -> Nested:
        """The state before the first step, of a frame `[B, H, W, C]` and its box."""
        raise self._undefined("initial_state(frame, box) -> state")

    def step(self, frame: Tensor, state: Nested) -> tuple[dict[str, Tensor], Nested]:
        """Follow the object into a frame `[B, H, W, C]`.

        It returns a dict of tensors, "box" `[B, 4]` among them, and the next state.
        """
        raise self._undefined("step(frame, state) -> (dict with 'box', state)")

    def _undefined(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} must define {what}.")

    def draw_noise(self, batch_size: Any, steps: int) -> dict[str, Tensor] | None:
        """Random numbers of training clips; within a time loop a seed cannot change.

        A dict of tensors `[batch_size, steps, ...]`; None if the cell draws none. There
        is one step more than there are frames: the first one's numbers go to
        `initial_state(frame, box, noise)`, the others' to `step(frame, state, noise)`.
        """
        return None

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of the boxes, for `summary`."""
        return (None, 4)

    def get_build_config(self) -> None:
        """Nothing: the model or the `RNN` around a cell builds it."""

    @property
    def state_size(self) -> list[int]:
        """Sizes of the flat state, for `keras.layers.RNN`."""
        return keras.tree.flatten(self.state_spec)

    def flatten_state(self, state: Nested) -> list[Tensor]:
        """The state's tensors in a list, as `keras.layers.RNN` wants them."""
        try:
            keras.tree.assert_same_structure(self.state_spec, state)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"The state of {type(self).__name__} must be nested like its "
                f"`state_spec`, {self.state_spec}. Received: state={state}"
            ) from error
        return keras.tree.flatten(state)

    def unflatten_state(self, states: list[Tensor]) -> Nested:
        """The inverse of `flatten_state`."""
        if len(states) != len(self.state_size):
            raise ValueError(
                f"The state of {type(self).__name__} has {len(self.state_size)} "
                f"tensors, {self.state_spec}. Received: {len(states)}"
            )
        return keras.tree.pack_sequence_as(self.state_spec, list(states))

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """`step` with a flat state, and of its outputs the box alone."""
        outputs, state = self.step(inputs, self.unflatten_state(states))
        if not isinstance(outputs, dict) or "box" not in outputs:
            found = sorted(outputs) if isinstance(outputs, dict) else type(outputs)
            raise ValueError(
                f"{type(self).__name__}.step must return a dict of outputs with "
                f"the key 'box', and the state. Received outputs: {found}"
            )
        box = outputs["box"]
        if box.shape[-1] != 4:
            raise ValueError(
                f"The 'box' that {type(self).__name__}.step returns must be "
                f"[B, 4]. Received: shape={tuple(box.shape)}"
            )
        return box, self.flatten_state(state)

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Called by `keras.layers.RNN` without an initial state: an error."""
        raise ValueError(
            "A tracker starts from a frame and a box, not from zeros. Call "
            "RNN(cell)(frames, initial_state=cell.flatten_state("
            "cell.initial_state(frames[:, 0], box)))."
        )
