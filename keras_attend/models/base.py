"""What the models of the house share, whatever they look at."""

from typing import Any

import keras
from keras import ops

from keras_attend.types import Tensor


class AttentionModel(keras.Model):
    """A model with a loss of its own, compiled under XLA unless told otherwise.

    A subclass writes `compute_loss` and `compute_metrics`; Keras's own training
    step then serves on every backend. `serving_shape` is the input's shape for
    `export`.
    """

    serving_shape: tuple[int | None, ...] = ()

    def compile(
        self, optimizer: Any = "adam", *, jit_compile: bool = True, **kwargs: Any
    ) -> None:
        """Keras's `compile`, by default under XLA and without a loss."""
        if kwargs.get("loss") is not None:
            name = type(self).__name__
            raise ValueError(
                f"{name} has its own loss (see {name}.compute_loss): leave `loss` "
                f"out. Received: loss={kwargs['loss']!r}"
            )
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as a saved model was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Keras's `export`; by default for any batch and any size of image."""
        if len(args) < 3 and kwargs.get("input_signature") is None:
            kwargs["input_signature"] = [
                keras.InputSpec(shape=self.serving_shape, dtype="float32")
            ]
        super().export(filepath, *args, **kwargs)


def scaled_images(images: Tensor, channels: int, dtype: str) -> Tensor:
    """Images `[B, H, W, C]` in 0..1, of floats there or of uint8."""
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[-1] not in (None, channels):
        raise ValueError(
            f"`images` must have shape [batch, height, width, {channels}]. "
            f"Received: images.shape={shape}"
        )
    if 0 in shape[1:3]:
        raise ValueError(f"`images` must not be empty. Received: images.shape={shape}")
    if keras.backend.is_int_dtype(images.dtype):
        images = ops.cast(images, dtype) / 255.0
    return ops.cast(images, dtype)
