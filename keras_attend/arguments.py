"""Constructor arguments: how they are checked, saved and loaded.

Errors say what is accepted and what was received.
"""

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Self


def check_positive_integers(**values: Any) -> None:
    """Raise a ValueError unless every value is an integer of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: {name}={value!r}"
            )


def check_choice(name: str, value: Any, accepted: Sequence[Any]) -> None:
    """Raise a ValueError unless the value is one of `accepted`."""
    if value not in accepted:
        raise ValueError(
            f"`{name}` must be one of {tuple(accepted)}. Received: {name}={value!r}"
        )


def check_positive(**values: float) -> None:
    """Raise a ValueError unless every value is above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"`{name}` must be positive. Received: {name}={value}")


def check_not_negative(**values: float) -> None:
    """Raise a ValueError if a value is below 0 or infinite."""
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise ValueError(
                f"`{name}` must not be negative or infinite. Received: {name}={value}"
            )


def check_shares(**values: float) -> None:
    """Raise a ValueError unless every value is in 0..1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"`{name}` must be in 0..1. Received: {name}={value}")


def check_shape(name: str, shape: Sequence[Any], axes: str) -> None:
    """Raise a ValueError unless a shape has these axes.

    Args:
        name: the tensor's.
        shape: of the tensor; axes of a length that is not known are None.
        axes: names, or lengths that are required, such as "batch, time, 4".
    """
    wanted = axes.split(", ")
    lengths = zip(wanted, shape, strict=False)
    right = all(not w.isdigit() or n in (None, int(w)) for w, n in lengths)
    if len(shape) != len(wanted) or not right:
        raise ValueError(
            f"`{name}` must have shape [{axes}]. Received: {name}.shape={tuple(shape)}"
        )


class KeepsArguments:
    """An object that is saved as the arguments of its constructor.

    It keeps each argument as an attribute of the same name, or of the name that
    `kept_as` gives. Layers, initializers and other objects of Keras among the arguments
    are saved with their own configurations. A constructor that takes `**kwargs` hands
    them on to its base class, whose arguments are then saved too.
    """

    kept_as: ClassVar[dict[str, str]] = {}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, those of Keras's own class first."""
        from keras import saving  # here, because commands check arguments without Keras

        base = getattr(super(), "get_config", dict)  # an object may extend no other
        config: dict[str, Any] = base()
        for name in argument_names(type(self)):
            if name not in config:
                value = getattr(self, self.kept_as.get(name, name))
                config[name] = saving.serialize_keras_object(value)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an object of what `get_config` returned."""
        from keras import saving

        nested = {k: v for k, v in config.items() if isinstance(v, dict | list)}
        return cls(**{**config, **saving.deserialize_keras_object(nested)})


def argument_names(cls: type) -> list[str]:
    """The constructor's arguments, down to the class that Keras or Python defines."""
    names: list[str] = []
    for base in cls.__mro__:
        if base is KeepsArguments:
            break
        if "__init__" not in vars(base):
            continue
        parameters = list(
            inspect.signature(vars(base)["__init__"]).parameters.values()
        )[1:]
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        own = [p.name for p in parameters if p.kind not in variable]
        names = own + [name for name in names if name not in own]
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return names
