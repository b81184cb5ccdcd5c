"""Checks of constructor arguments, with errors that teach."""

from collections.abc import Sequence
from typing import Any


def check_positive_integers(**values: Any) -> None:
    """Refuse what is not a whole number of at least one."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: {name}={value!r}"
            )


def check_choice(name: str, value: Any, accepted: Sequence[str]) -> None:
    """Refuse what is not one of `accepted`."""
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
