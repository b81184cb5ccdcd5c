"""Names for annotations, and what models ask of the networks that they are given."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from numpy.typing import NDArray

Tensor: TypeAlias = Any  # of the active backend; a `KerasTensor` when symbolic
Nested: TypeAlias = Any  # a tensor, or lists, tuples and dicts of tensors
Array: TypeAlias = NDArray[Any]  # of NumPy: data are no tensors
Shape: TypeAlias = Sequence[int | None]


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
