"""Tests that take too long on one of the backends for `make test-models`."""

from collections.abc import Callable
from typing import Any

import keras
import pytest


def slow_on(backend: str) -> Callable[[Any], Any]:
    """A mark: the test is `slow` on a backend, and as before on the others."""
    if keras.backend.backend() == backend:
        return pytest.mark.slow
    return lambda test: test
