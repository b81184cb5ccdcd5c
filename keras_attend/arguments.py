"""Check constructor arguments; errors say what is accepted and what was received."""

from collections.abc import Sequence
from typing import Any


def check_positive_integers(**values: Any) -> None:
    """Raise a ValueError unless every value is an integer of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: {name}={value!r}"
            )


def check_choice(name: str, value: Any, accepted: Sequence[str]) -> None:
    """Raise a ValueError unless the value is one of `accepted`."""
    if value not in accepted:
        raise ValueError(
            f"`{name}` must be one of {tuple(accepted)}. Received: {name}={value!r}"
        )


def check_not_negative(**values: float) -> None:
    """Refuse what is less than 0."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"`{name}` must not be negative. Received: {name}={value}")


def check_shares(**values: float) -> None:
    """Refuse what is not between 0 and 1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be in 0..1. Received: {name}={value}")
