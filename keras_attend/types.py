"""Names for annotations."""

from collections.abc import Sequence
from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of the active backend; a `KerasTensor` when symbolic
Nested: TypeAlias = Any  # a tensor, or lists, tuples and dicts of tensors
Shape: TypeAlias = Sequence[int | None]
