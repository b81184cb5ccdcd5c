"""Read how fast presets are, `speeds.json` beside them.

`benchmarks/speeds.py` measures them, all on one machine.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_attend import disk
from keras_attend.zoo.checks import files

SPEEDS = "speeds.json"


@dataclass(frozen=True)
class Speed:
    """How many frames, or images, a second a preset takes on one core.

    Attributes:
        per_second: the fastest of several runs, in time of the core.
        what: "frames" that a `Tracker` follows, or "images" that `predict` classifies.
        size: of a frame or image, "180x320" for 180 rows.
        device: what core that was.
        peers: of a tracker, the frames a second of other trackers, by their names among
            the baselines of its results; on the same frames and the same core.
    """

    per_second: float
    what: str
    size: str
    device: str
    peers: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rates = [self.per_second, *self.peers.values()]
        if not all(isinstance(rate, int | float) and rate > 0 for rate in rates):
            raise ValueError(
                "`per_second` and `peers` must be positive numbers. "
                f"Received: {self.per_second!r:.40} and {self.peers!r:.200}"
            )


def read_speeds(folder: Path) -> dict[str, Speed]:
    """Return the speeds of the presets in a folder, by name; none if nothing says."""
    path = folder / SPEEDS
    if not path.is_file():
        return {}
    try:
        content = files.read_json(path, files.read_limited(path))
        return {name: Speed(**fields) for name, fields in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} must be what `benchmarks/speeds.py` writes. "
            f"Received: {type(error).__name__}: {error}"
        ) from error


def write_speeds(folder: Path, speeds: Mapping[str, Speed]) -> None:
    """Write `speeds.json` into a folder of presets."""
    content = {name: asdict(speeds[name]) for name in sorted(speeds)}
    disk.write(folder / SPEEDS, json.dumps(content, indent=2) + "\n")
