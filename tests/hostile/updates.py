"""Update a tracker very often with random frames, and watch what it keeps.

    python tests/hostile/updates.py                      every preset that tracks
    python tests/hostile/updates.py hart_street --updates 2000

For each preset: the memory that it took between the warm-up and the end. A new object
with a random box is begun every 100 frames, and two frame sizes take turns. The exit
status is 1 if memory grew by more than a limit; a box that is no box ends the script.
"""

import argparse
import contextlib
import ctypes
import gc
import subprocess
import sys
import time
from pathlib import Path

WARM_UP = 1000
EACH = 100  # updates of an object
SIZES = ((48, 64), (40, 40))
LIMIT = 2**20  # bytes
PRESETS = sorted(p.parent for p in Path(__file__).parents[2].glob("zoo/*/preset.json"))


def trackers():
    """Return the folders of the presets that track."""
    return [p for p in PRESETS if not p.name.startswith("ram_")]


def memory():
    """Return the bytes that are resident now, once nothing else can be freed."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # where the C library is another
        ctypes.CDLL(None).malloc_trim(0)  # else a leak fills holes at first
    status = Path("/proc/self/status").read_text()
    line = next(row for row in status.splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def random_box(random, size):
    """Return a box that lies within the frame and is at least 4 pixels wide."""
    height, width = size
    w, h = random.uniform(4, width / 2), random.uniform(4, height / 2)
    return random.uniform(0, width - w), random.uniform(0, height - h), w, h


def update(folder, updates):
    """Update a preset's tracker so often; return the bytes that it took since."""
    import numpy as np

    from keras_attend import Tracker

    tracker = Tracker(str(folder))
    random = np.random.default_rng(0)
    # Drawn once, so that only the tracker allocates afterwards.
    frames = {s: random.integers(0, 256, (32, *s, 3)).astype("uint8") for s in SIZES}
    begin, sizes = time.monotonic(), []
    for done in range(updates):
        size = SIZES[done // EACH % len(SIZES)]
        if done % EACH == 0:
            tracker.init(frames[size][0], random_box(random, size))
        present, box = tracker.update(frames[size][random.integers(32)])
        assert isinstance(present, bool), present
        assert np.isfinite(box).all(), (done, box)
        assert not any(np.isnan(v).any() for v in tracker.outputs.values()), done
        if done + 1 in (WARM_UP, updates // 2, updates):
            sizes.append(memory())
    half, grown = sizes[-2] - sizes[0], sizes[-1] - sizes[0]
    seconds = time.monotonic() - begin
    print(
        f"{folder.name}: {updates} updates in {seconds:.0f} s, {half / 1024:+.0f} kB "
        f"after half and {grown / 1024:+.0f} kB after all since the first {WARM_UP}",
        flush=True,
    )
    return grown


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("presets", nargs="*", help="names; all that track when absent")
    parser.add_argument("--updates", type=int, default=10_000)
    args = parser.parse_args()
    if len(args.presets) == 1:
        (folder,) = (p for p in trackers() if p.name == args.presets[0])
        return int(update(folder, args.updates) > LIMIT)
    names = args.presets or [folder.name for folder in trackers()]
    again = [sys.executable, __file__, "--updates", str(args.updates)]
    # One process a preset: one's memory is not another's.
    return max(subprocess.run([*again, name]).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
