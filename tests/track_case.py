"""A small preset, a film and the command `track`, for tests of it."""

import os
import re
import subprocess
import sys
import threading

import keras
import numpy as np

from keras_attend import zoo
from keras_attend.models import RATM, RATMCell
from keras_attend.video import VideoWriter


def save_small_tracker(folder):
    """A very small RATM, not trained, whose boxes stay where they were drawn."""
    keras.utils.set_random_seed(0)
    model = RATM(RATMCell(6, 8))
    model.build()
    attend = model.cell.attend.kernel
    attend.assign(attend * 0)  # at random, it leaves the picture within 60 frames
    about = {"description": "-", "paper": "-", "task": "tracking", "input": "-"}
    zoo.save_preset(model, folder, **about)
    return str(folder)


def two_squares(path, count, height=120, width=160):
    """A white square that goes to the right, and a grey one that goes down."""
    grain = np.random.default_rng(0).integers(0, 50, (20, height, width, 3), "uint8")
    with VideoWriter(path, 20) as writer:
        for t in range(count):
            frame = grain[t % 20].copy()
            frame[30:50, 20 + t % 80 : 40 + t % 80] = 255
            frame[10 + t % 60 : 34 + t % 60, 120:140] = 150
            writer.write(frame)
    return str(path)


class Run:
    """`keras-attend track` in a process of its own; `errors` is its stderr so far."""

    # What was started in a shell's background would ignore Ctrl-C.
    CODE = (
        "import signal, sys; from keras_attend.commands.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )

    def __init__(self, *arguments):
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        environment = {k: v for k, v in os.environ.items() if k not in hidden}
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, "track", *map(str, arguments)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.errors = ""
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.errors += line
                self.changed.notify_all()

    def address(self, seconds=600):
        """The page's address, once it has been printed."""

        def found():
            return re.search(r"http://127\.0\.0\.1:\d+/\S+/", self.errors)

        with self.changed:
            assert self.changed.wait_for(found, seconds), self.errors
        return found()[0]

    def wait(self, seconds=600):
        """The exit status."""
        status = self.process.wait(seconds)
        self.reader.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
