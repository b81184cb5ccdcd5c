"""HART's first visual area, with what EfficientNet-Lite0 has learned from ImageNet."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.layers import Conv2D, DepthwiseConv2D

from keras_attend.arguments import KeepsArguments
from keras_attend.types import Shape, Tensor

STEM = 32  # channels of the first convolution
# Of each block: its kernel's side, its stride, how many times it widens its input, and
# the channels of its output.
BLOCKS = (
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (3, 1, 6, 24),
    (5, 2, 6, 40),
    (5, 1, 6, 40),
    (3, 2, 6, 80),
    (3, 1, 6, 80),
    (3, 1, 6, 80),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
)


@keras.saving.register_keras_serializable("keras_attend")
class EfficientV1(KeepsArguments, keras.layers.Layer):
    r"""Features of a glimpse at several resolutions, for a tracker to compare.

        v1 = EfficientV1(blocks=(2, 4, 10))
        training.imagenet.load_weights(v1)
        fine, middle, coarse = v1(glimpses)

    HART's paper (Kosiorek et al. 2017, section 3.2) takes AlexNet's first layers, which
    were trained on ImageNet. These are the stem and the first eleven blocks of
    EfficientNet-Lite0. A block (Sandler et al. 2018) widens its input to $e$ times its
    channels, filters each channel by itself, and narrows the result; where the input
    has the output's shape, it is added:

    $$x' = W_3 \, \rho(D \ast \rho(W_1 x)) \; (+\, x), \qquad
      \rho(x) = \min(\max(x, 0), 6)$$

    The network's batch normalisation is part of its convolutions' weights here, so
    that training and use are the same function. Its input is $(255 g - 127) / 128$ of a
    glimpse $g$ in 0..1.

    On a CPU it should not be compiled by XLA, whose convolutions take ten to twenty
    times as long there as TensorFlow's own. Hence a tracker's cell that uses it says
    `jit_compile = False`.

    Call arguments:
        glimpses: `[B, rows, cols, 3]`, uint8 or floats in 0..1, red first. Rows and
            columns must be multiples of the last block's stride: 16 for the default.

    Returns a list: of each of `blocks` its output `[B, rows / s, cols / s, channels]`.
    The stride $s$ and the channels are 2 and 16 for block 0, 4 and 24 for blocks 1 and
    2, 8 and 40 for 3 and 4, 16 and 80 for 5 to 7, and 16 and 112 for 8 to 10.

    Args:
        blocks: whose outputs are returned, in rising order; what lies beyond the last
            of them is not made.
        trainable_from: the first block that is trained; None trains none of them, and
            0 all, with the stem.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 4, 10),
        trainable_from: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rising = sorted(set(blocks))
        if not rising or list(blocks) != rising or not 0 <= rising[-1] < len(BLOCKS):
            raise ValueError(
                f"`blocks` must be numbers of blocks, 0 to {len(BLOCKS) - 1}, in "
                f"rising order. Received: blocks={blocks!r}"
            )
        self.blocks, self.trainable_from = tuple(blocks), trainable_from
        dtype = self.dtype_policy
        self.stem = Conv2D(STEM, 3, 2, "same", dtype=dtype, name="stem")
        self.stages = [
            MobileBlock(*block, dtype=dtype, name=f"block_{i}")
            for i, block in enumerate(BLOCKS[: rising[-1] + 1])
        ]

    @property
    def stride(self) -> int:
        """How many pixels apart the places of the last output are."""
        stride = 2
        for _, step, _, _ in BLOCKS[: len(self.stages)]:
            stride *= step
        return stride

    def build(self, input_shape: Shape) -> None:
        """Make the weights for glimpses `[B, rows, cols, 3]`."""
        self.stem.build((None, None, None, 3))
        channels = STEM
        for stage in self.stages:
            stage.build((None, None, None, channels))
            channels = stage.filters
        frozen = self.trainable_from if self.trainable else None
        self.stem.trainable = frozen == 0
        for i, stage in enumerate(self.stages):
            stage.trainable = frozen is not None and i >= frozen

    def call(self, glimpses: Tensor) -> list[Tensor]:
        """The blocks' outputs."""
        rows, cols = glimpses.shape[1:3]
        if any(n is not None and n % self.stride for n in (rows, cols)):
            raise ValueError(
                f"`glimpses` must have rows and columns that are multiples of "
                f"{self.stride}. Received: shape={tuple(glimpses.shape)}"
            )
        whole = keras.backend.is_int_dtype(glimpses.dtype)
        x = ops.cast(glimpses, self.compute_dtype)
        x = (x if whole else 255.0 * x) - 127.0
        x = ops.relu6(self.stem(x / 128.0))
        outputs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.blocks:
                outputs.append(x)
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> list[tuple[int | None, ...]]:
        """Of each of `blocks`, `[B, rows / s, cols / s, channels]`."""
        batch, rows, cols, _ = input_shape
        stride, shapes = 2, []
        for i, (_, step, _, filters) in enumerate(BLOCKS[: len(self.stages)]):
            stride *= step
            if i in self.blocks:
                sides = (None if n is None else n // stride for n in (rows, cols))
                shapes.append((batch, *sides, filters))
        return shapes


class MobileBlock(keras.layers.Layer):
    """One block: widen, filter each channel, narrow, and add what came in.

    Args:
        kernel: side of the filters.
        stride: of the filters.
        widen: how many times the input's channels there are in between; with 1 the
            input itself is filtered.
        filters: channels of the output.
    """

    def __init__(
        self, kernel: int, stride: int, widen: int, filters: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stride, self.widen, self.filters = stride, widen, filters
        dtype = self.dtype_policy
        self.depthwise = DepthwiseConv2D(
            kernel, stride, "same", dtype=dtype, name="depthwise"
        )
        self.project = Conv2D(filters, 1, dtype=dtype, name="project")
        self.expand: Any = None

    def build(self, input_shape: Shape) -> None:
        """Make the weights for `[B, rows, cols, C]`."""
        channels: Any = input_shape[-1]
        wide = channels * self.widen
        if self.widen > 1:
            kept: dict[str, Any] = {"trainable": self.trainable, "name": "expand"}
            self.expand = Conv2D(wide, 1, dtype=self.dtype_policy, **kept)
            self.expand.build(input_shape)
        self.depthwise.build((*input_shape[:-1], wide))
        self.project.build((*input_shape[:-1], wide))
        self.adds = self.stride == 1 and channels == self.filters

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        """`[B, rows / stride, cols / stride, filters]`."""
        sides = (None if n is None else -(-n // self.stride) for n in input_shape[1:3])
        return (input_shape[0], *sides, self.filters)

    def call(self, x: Tensor) -> Tensor:
        """The block's output."""
        y = x if self.expand is None else ops.relu6(self.expand(x))
        y = self.project(ops.relu6(self.depthwise(y)))
        return x + y if self.adds else y
