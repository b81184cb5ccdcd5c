"""Names for annotations, and what models ask of the networks that they are given."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Tensor: TypeAlias = Any  # of the active backend; a `KerasTensor` when symbolic
Nested: TypeAlias = Any  # a tensor, or lists, tuples and dicts of tensors
Array: TypeAlias = NDArray[Any]  # of NumPy: data are no tensors
Shape: TypeAlias = Sequence[int | None]

LARGE = 100_000  # numbers of an array whose mean is not worth the wait


class OneLine:
    """An object whose `repr` is one line that a person can read.

    It shows the public attributes: of an array its shape, of a long list its length.
    """

    def __repr__(self) -> str:
        """Return the class and its attributes."""
        shown = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        words = ", ".join(f"{name}={_short(value)}" for name, value in shown.items())
        return f"{type(self).__name__}({words})"


def _short(value: Any) -> str:
    """Return a value in a few words."""
    if isinstance(value, np.ndarray):
        words = f"{'x'.join(map(str, value.shape)) or 'one'} {value.dtype}"
        if value.dtype.kind == "f" and 0 < value.size <= LARGE:
            finite = value[np.isfinite(value)]
            words += f", mean {finite.mean():.4g}" if finite.size else ""
        return f"<{words}>"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, str | int | np.integer | None):
        return repr(value)
    if isinstance(value, tuple) and len(value) <= 4:
        return f"({', '.join(map(_short, value))})"
    if isinstance(value, list | tuple | dict | set):
        return f"<{len(value)} items>"
    return f"<{type(value).__name__}>"


@runtime_checkable
class Remembers(Protocol):
    """A network that compares each image with a template of an object seen before.

    `remember(images, ...)` makes the templates; it is called as `network(images,
    template)`.
    """

    @property
    def memory_size(self) -> int:
        """How many numbers a template has."""

    @property
    def remember(self) -> Callable[..., Tensor]:
        """The method that makes templates `[B, memory_size]`."""


@runtime_checkable
class Embeds(Protocol):
    """A network whose features have embeddings, in which two images are compared."""

    @property
    def units(self) -> int:
        """How many numbers an embedding has."""

    def embed(self, features: Tensor) -> Tensor:
        """Embeddings `[B, units]` of features `[B, F]`."""


@runtime_checkable
class Classifies(Embeds, Protocol):
    """A network that also tells the class of an embedding."""

    @property
    def classes(self) -> int:
        """How many classes there are."""

    def classify(self, embeddings: Tensor) -> Tensor:
        """Logits `[B, classes]` of embeddings `[B, units]`."""


@runtime_checkable
class Candidates(Remembers, Protocol):
    """A network that proposes a few boxes for the remembered object in each image."""

    @property
    def candidates(self) -> int:
        """How many boxes it proposes."""

    def matches(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Scores `[N, P]` and boxes `[N, P, 4]` of an image's P places."""

    def best(self, m: Tensor, boxes: Tensor) -> Tensor:
        """Candidates `[N, 6 candidates]`, of scores and boxes."""
