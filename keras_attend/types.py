"""Names for annotations."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

Tensor: TypeAlias = Any  # of the active backend; a `KerasTensor` when symbolic
Nested: TypeAlias = Any  # a tensor, or lists, tuples and dicts of tensors
Array: TypeAlias = NDArray[Any]  # of NumPy: data are no tensors
Shape: TypeAlias = Sequence[int | None]
