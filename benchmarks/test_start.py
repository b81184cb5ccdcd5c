"""Compare how soon things begin with the imports of TensorFlow and of Keras.

Each is measured in processes of its own, in turns, by the seconds that the processor
works for it: other processes that wait for the same core do not count.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from common import BACKEND, print_table

ROOT = Path(__file__).parents[1]
ROUNDS = 3
FRAMES = "np.random.default_rng(0).integers(0, 255, (2, 180, 320, 3), dtype='uint8')"
TRACKERS = ("hart_kitti", "hart_person", "ratm_person")
FIRST_BOX = f"""
import keras_attend as ka
import numpy as np
ka.models
frames = {FRAMES}
---
tracker = ka.Tracker("{{}}")
tracker.init(frames[0], (100, 50, 40, 60))
tracker.update(frames[1])
"""
# Code whose seconds are printed; what stands before the line "---" is not counted.
CODE = {
    "import tensorflow": "---\nimport tensorflow",
    "import keras": "---\nimport keras",
    "import keras_attend": "---\nimport keras_attend",
    "its models": "---\nimport keras_attend\nkeras_attend.models",
    "--help": "---\nfrom keras_attend.commands.main import main\nmain(['--help'])",
    "list": "---\nfrom keras_attend.commands.main import main\nmain(['list'])",
    **{f"first box, {name}": FIRST_BOX.format(name) for name in TRACKERS},
    "digits": """
import keras_attend as ka
images, labels = ka.datasets.sample_digits()
---
model = ka.zoo.load("ram_mnist")
model.fit(images, labels, epochs=1, verbose=0)
""",
}
MEASURE = """
import contextlib, io, json, os, time
{before}
begin = time.process_time()
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
{counted}
print(json.dumps(time.process_time() - begin))
"""
# At most so many times `import keras`.
MODELS = 1.15 if BACKEND == "tensorflow" else 1.2  # Keras on JAX is there sooner
LIMITS = {"--help": 0.1, "list": 0.1, "its models": MODELS}


def seconds(name):
    """Seconds of the processor, in a process of its own."""
    before, counted = CODE[name].split("---\n")
    counted = "\n".join(f"    {line}" for line in counted.splitlines())
    run = subprocess.run(
        [sys.executable, "-c", MEASURE.format(before=before, counted=counted)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def best():
    names = [n for n in CODE if BACKEND == "tensorflow" or n != "import tensorflow"]
    rounds = [[seconds(name) for name in names] for _ in range(ROUNDS)]
    return dict(zip(names, np.min(rounds, axis=0), strict=True))


def test_start(best):
    unit = best["import keras"]
    columns = ["", "seconds", "times import keras"]
    rows = [[name, found, found / unit] for name, found in best.items()]
    if first := best.get("import tensorflow"):
        columns.append("times import tensorflow")
        rows = [[*row, row[1] / first] for row in rows]
    print_table("start, a process each, one core", columns, rows)
    for name, limit in LIMITS.items():
        assert best[name] / unit <= limit, name
