"""`keras-attend evaluate`: measure a preset's results again."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from keras_attend import zoo
from keras_attend.commands.parsers import (
    Commands,
    add_command,
    add_json,
    add_name,
    print_json,
)
from keras_attend.datasets.settings import DATA
from keras_attend.training.remeasure import ERRORS, SHARE, Measured, remeasure
from keras_attend.zoo.tables import aligned, metric, number

EXAMPLES = f"""
keras-attend evaluate ratm_balls --quick      a sample of clips, made on the fly
keras-attend evaluate ram_mnist               all test digits; fetches MNIST
keras-attend evaluate ram_mnist --data DIR    the same with DIR/mnist.npz
keras-attend evaluate hart_person --data DIR  videos: DIR/tracking, DIR/tracking_test
{DATA}=DIR keras-attend evaluate ram_mnist --json
"""
MORE = """
It reads the protocols' names in the preset's results.json and measures again what
can be measured: digits, generated clips and games from their fixed seeds, real videos
where FOLDER has them. It says what cannot be, and why. The protocols are described in
keras_attend.evaluation.

The exit status is 1 if a result is not what results.json says, or none could be
measured."""


def add_evaluate(commands: Commands) -> None:
    """The subcommand `evaluate`."""
    summary = "measure a preset's results again on test data"
    parser = add_command(commands, "evaluate", evaluate, summary, EXAMPLES, MORE)
    add_name(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help=f"with mnist.npz, tracking/, tracking_test/, kitti/ (default: ${DATA})",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a sample, with its standard error"
    )
    add_json(parser)


def evaluate(options: argparse.Namespace) -> int:
    """Measure, print, and say whether it is as published."""
    if options.data and not options.data.is_dir():
        raise FileNotFoundError(f"--data must be a folder. Received: {options.data}")
    info = zoo.info(options.name)
    if not info.metrics:
        raise ValueError(
            f"{info.folder} has no results.json, which names the protocols to measure "
            "by. Its recipe writes one."
        )
    measured = list(
        remeasure(
            zoo.load(options.name), info.metrics, data=options.data, quick=options.quick
        )
    )
    if options.json:
        rows = [asdict(m) | {"differs": m.differs} for m in measured]
        print_json({"preset": info.name, "sample": options.quick, "results": rows})
    else:
        _print(info.name, measured, options.quick)
    known = [m for m in measured if m.value is not None]
    if not known:
        raise ValueError(f"None of {info.name}'s results can be measured here.")
    wrong = sum(m.differs for m in known)
    if wrong:
        raise ValueError(
            f"{wrong} of {len(known)} results are not what results.json says."
        )
    return 0


def _print(name: str, measured: Sequence[Measured], quick: bool) -> None:
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
            "value, whichever is most."
        )
    for m in measured:
        if m.value is None:
            print(f"Not measured: {metric(m.result)}, {m.result.protocol}: {m.reason}")
