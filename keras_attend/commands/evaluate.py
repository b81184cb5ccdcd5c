"""`keras-attend evaluate`: measure a preset's results again."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from keras_attend import zoo
from keras_attend.commands.parsers import JSON_HELP, NAME_HELP, Commands, add_command
from keras_attend.zoo.results import read_results
from keras_attend.zoo.tables import aligned, metric, number

if TYPE_CHECKING:
    from keras_attend.training.remeasure import Measured

EXAMPLES = """
keras-attend evaluate ratm_balls --quick      a sample of generated clips
keras-attend evaluate ram_mnist               all test digits; MNIST is fetched
keras-attend evaluate ram_mnist --data DIR    the same with DIR/mnist.npz
keras-attend evaluate hart_person --data DIR  videos: DIR/tracking, DIR/tracking_test
KERAS_ATTEND_DATA=DIR keras-attend evaluate ram_mnist --json
"""
MORE = """
The command reads the names of the protocols in the preset's results.json and measures
again what it can: digits, generated clips and games from their fixed seeds, and real
videos that FOLDER holds. It says what it cannot measure, and why. The protocols are
described in keras_attend.evaluation.

The exit status is 1 if a result is not what results.json says, or if none could be
measured."""


def add_evaluate(commands: Commands) -> None:
    """Add the subcommand `evaluate`."""
    summary = "measure a preset's results again on test data"
    parser = add_command(commands, "evaluate", evaluate, summary, EXAMPLES, MORE)
    add = parser.add_argument
    add("name", metavar="NAME", help=NAME_HELP)
    text = "with mnist.npz, tracking/, tracking_test/, kitti/"
    text += " (default: $KERAS_ATTEND_DATA)"
    add("--data", type=Path, metavar="FOLDER", help=text)
    add("--quick", action="store_true", help="measure a sample and its standard error")
    add("--json", action="store_true", help=JSON_HELP)


def evaluate(options: argparse.Namespace) -> int:
    """Measure the results, print them, and raise if one is not as published."""
    if options.data and not options.data.is_dir():
        raise FileNotFoundError(f"--data must be a folder. Received: {options.data}")
    info = zoo.info(options.name)
    results = read_results(info.folder)
    if results is None or not results.results:
        raise ValueError(
            f"{info.folder} has no results.json, which names the protocols to measure "
            "by. Its recipe writes one."
        )
    from keras_attend.training.remeasure import remeasure

    model, data, quick = zoo.load(options.name), options.data, options.quick
    measured = list(remeasure(model, results, data=data, quick=quick))
    if options.json:
        rows = [asdict(m) | {"differs": m.differs} for m in measured]
        content = {"preset": info.name, "sample": quick, "results": rows}
        print(json.dumps(content, indent=2))
    else:
        _print(measured, quick)
    known = [m for m in measured if m.value is not None]
    if not known:
        raise ValueError(f"None of {info.name}'s results can be measured here.")
    wrong = sum(m.differs for m in known)
    if wrong:
        raise ValueError(
            f"{wrong} of {len(known)} results are not what results.json says."
        )
    return 0


def _print(measured: Sequence["Measured"], quick: bool) -> None:
    from keras_attend.training.remeasure import ERRORS, SHARE

    columns = ["metric", "protocol", "paper", "published", "measured", "within", ""]
    rows = [
        [
            metric(m.result),
            m.result.protocol,
            number(m.result.paper),
            number(m.result.value),
            number(m.value),
            number(m.tolerance),
            "DIFFERS" if m.differs else "as published",
        ]
        for m in measured
        if m.value is not None
    ]
    if rows:
        print(aligned(columns, rows))
        sample = f"{ERRORS} standard errors of the sample, " if quick else ""
        print(
            f"Within: {sample}the spread of the published runs, or {SHARE:.0%} of the "
            "value, whichever is greatest."
        )
    for m in measured:
        if m.value is None:
            print(f"Not measured: {metric(m.result)}, {m.result.protocol}: {m.reason}")
