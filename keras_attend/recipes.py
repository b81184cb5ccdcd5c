"""What the recipes in `zoo/` share: flags, and a training that outlives a kill."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_attend import distributed, evaluation, plots, workers
from keras_attend.callbacks import Checkpoint, LengthCurriculum
from keras_attend.datasets.sequences import Sequence as Video
from keras_attend.datasets.sequences import otb, read_frames
from keras_attend.layers import GlimpseMatch
from keras_attend.models import RATM
from keras_attend.tracking import Tracker
from keras_attend.zoo.results import Result, write_results
from keras_attend.zoo.saving import save_preset

# Videos in `FOLDER/tracking` that trackers are judged by, the first four of people.
HELD_OUT = (
    "otb_Bolt",
    "otb_Man",
    "davis_parkour",
    "uav123_person12_1",
    "davis_dog",
    "otb_Tiger1",
)
PEOPLE = HELD_OUT[:4]
# For choosing settings; in the end they are trained on.
VALIDATION = ("otb_Skiing", "otb_Human3", "davis_dance-twirl", "uav123_wakeboard7")


def parser(
    doc: str | None, preset: Path, epochs: int | None = None
) -> argparse.ArgumentParser:
    """The flags of a recipe.

    Args:
        doc: the recipe's docstring; its first line becomes the description.
        preset: the preset's folder.
        epochs: how many there are by default.
    """
    found = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    add = found.add_argument
    add("--epochs", type=int, default=epochs)
    add("--seed", type=int, default=0)
    add("--steps", type=int, help="batches of an epoch; all when absent")
    add("--out", type=Path, default=preset, help="the preset's folder")
    add("--runs", type=Path, default=Path("runs") / preset.name, help="checkpoints")
    add("--data", type=Path, help="a folder: with mnist.npz, or as the header says")
    add("--device", default="CPU, one core", help="for results.json")
    add("--checkpoint-every", type=float, default=30.0, help="seconds")
    add("--validate", action="store_true", help="hold digits out, write no preset")
    add("--resume", action="store_true", help="go on from the last checkpoint")
    add("--devices", type=int, default=1, help="of each worker: GPUs, or CPU parts")
    add("--workers", type=int, default=1, help="processes: here, or as TF_CONFIG says")
    return found


def parse(found: argparse.ArgumentParser) -> argparse.Namespace:
    """The flags as given; `--data` and the environment's folder agree.

    With `--workers` this process becomes one of them, or starts them all; see
    docs/scaling.md.
    """
    args = found.parse_args()
    if args.workers > 1 and distributed.CONFIG not in os.environ:
        raise SystemExit(workers.launch(args.workers))
    cluster = distributed.start(args.devices, args.workers)
    if not cluster.first:  # all measure, one writes
        args.out = args.runs / f"worker_{cluster.index}"
    if args.data:
        os.environ["KERAS_ATTEND_DATA"] = str(args.data)
    elif "KERAS_ATTEND_DATA" in os.environ:
        args.data = Path(os.environ["KERAS_ATTEND_DATA"])
    return args


def start_from(model: keras.Model, other: keras.Model, width: float = 1.0) -> None:
    """Give a `models.RAM` the weights of another one.

    Layers that differ in size keep what they have, but for the first of the glimpse
    network: scales that the other one lacks start with no effect.

    Args:
        model: built here where it is not.
        other: of the same task's size, with as many scales or fewer.
        width: of `model`'s canvas in widths of `other`'s. Locations are fractions of
            the canvas: they are rescaled so that both look as many pixels away.
    """
    if not model.built:
        model.build(model.serving_shape)
    pairs = zip(model.trainable_variables, other.trainable_variables, strict=True)
    for variable, learned in pairs:
        value = ops.convert_to_numpy(learned)
        if "what_hidden/kernel" in variable.path:  # rows: pixel, scale
            units = value.shape[-1]
            old = value.reshape(model.size**2, -1, units)
            new = np.zeros((model.size**2, model.scales * model.channels, units))
            new[:, : old.shape[1]] = old
            value = new.reshape(-1, units)
        elif "where_hidden/kernel" in variable.path:
            value = value * width
        elif "location/" in variable.path:
            value = value / width
        if value.shape == tuple(variable.shape):
            variable.assign(value)


def fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    epochs: int | None = None,
) -> keras.Model:
    """Train a model, or go on with one, and keep it in a checkpoint.

    Args:
        make: makes the compiled model for a training of so many batches in all.
        data: a `PyDataset` whose `epoch` says which batches come next.
        path: of the checkpoint.
        args: `parse`'s.
        callbacks: of `fit`, beside the checkpoint.
        epochs: how many; `args.epochs` when absent.
    """
    return _alone(_fit(make, data, path, args, callbacks, epochs), path)


def _fit(
    make: Callable[[int], keras.Model],
    data: Any,
    path: Path,
    args: argparse.Namespace,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
    epochs: int | None = None,
) -> keras.Model:
    """As `fit`; the model stays with all devices that have trained it."""
    epochs = epochs or args.epochs
    steps = min(args.steps or len(data), len(data))
    with distributed.scope():
        model = Checkpoint.resume(path) if args.resume else None
        if model is None:
            model = make(steps * epochs)
        data.epoch = int(ops.convert_to_numpy(model.optimizer.iterations)) // steps
        if data.epoch < epochs:
            model.fit(
                distributed.prepare(model, data),
                epochs=epochs,
                initial_epoch=data.epoch,
                steps_per_epoch=steps if args.steps else None,
                shuffle=False,  # `data` does
                verbose=2 if distributed.cluster().first else 0,
                callbacks=[Checkpoint(path, every=args.checkpoint_every), *callbacks],
            )
    return model


def _alone(model: keras.Model, path: Path) -> Any:
    """The model on one device: read again, where several have trained it."""
    if distributed.cluster().strategy is None:
        return model
    distributed.wait(path.name)  # the first worker may still be writing
    return Checkpoint.resume(path)


class Stage(NamedTuple):
    """A stage of a tracker's training, on clips of one length.

    `first` frames of a clip count at the start, one more every `every` epochs (all,
    when `every` is 0). The rate falls from `rate` to its share `end`. `change` holds
    arguments of the model that are others from here on, `views` those of the clips.
    """

    name: str
    frames: int
    batch_size: int
    epochs: int
    first: int
    every: int = 0
    rate: float = 1e-3
    end: float = 0.0
    change: Mapping[str, Any] = {}
    views: Mapping[str, Any] = {}


def fit_stages(
    make: Callable[[], keras.Model],
    stages: Sequence[Stage],
    clips: Callable[[Stage], Any],
    args: argparse.Namespace,
    name: str,
) -> tuple[Any, list[Path]]:
    """Train a tracker in stages, each from where the last one ended.

    Args:
        make: makes the model.
        stages: in their order; `args.epochs`, if given, is the most of each.
        clips: the data of a stage.
        args: `parse`'s.
        name: of the checkpoints, which also have their stages' names.

    Returns:
        The model, and the checkpoints.
    """
    model: Any = None
    paths = []
    for stage in stages:

        def compiled(
            steps: int, stage: Stage = stage, last: Any = model
        ) -> keras.Model:
            found = make() if last is None else last
            if stage.change:
                found = evaluation.with_arguments(found, **stage.change)
            found.compile(falling_rate(steps, stage.end, stage.rate))
            return found

        data = clips(stage)
        longer = LengthCurriculum(data, stage.first, max(stage.every, 1))
        epochs = min(stage.epochs, args.epochs or stage.epochs)
        paths.append(args.runs / f"{name}_{stage.name}.keras")
        curriculum = (longer,) if stage.every else ()
        model = _fit(compiled, data, paths[-1], args, curriculum, epochs)
    return _alone(model, paths[-1]), paths


def falling_rate(steps: int, end: float = 0.0, rate: float = 1e-3) -> Any:
    """Adam for a training of so many batches: a warm rate that falls to a share.

    Args:
        steps: batches in all; the rate rises over the first 50.
        end: the last rate, as a share of the greatest.
        rate: the greatest.
    """
    warm = min(50, steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 50, steps - warm, alpha=end, warmup_target=rate, warmup_steps=warm
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=1.0)


def video_ratm() -> keras.Model:
    """RATM for real videos, not compiled."""
    return RATM(
        size=32,
        units=128,
        channels=3,
        scale=2.0,
        relative=True,
        memory=0.5,
        objectives={"localisation": 1.0, "overlap": 0.3},
        features=GlimpseMatch(),
        input_initializer=keras.initializers.RandomNormal(stddev=0.01),
    )


def print_errors(model: keras.Model, images: Any, labels: Any) -> None:
    """A digit model's errors in one pass and in ten, for choosing settings."""
    for episodes, location in ((1, "mean"), (10, "sample")):
        errors = evaluation.error_percent(
            model, images, labels, episodes=episodes, location=location
        )
        print(f"{episodes} passes: {errors.mean():.3f} %", flush=True)


def write_preset(
    model: keras.Model,
    results: Sequence[Result],
    args: argparse.Namespace,
    *checkpoints: Path,
    picture: Callable[[Path], Any],
    description: str,
    paper: str,
    task: str,
    input: str,
) -> None:
    """Write the preset that a recipe has trained, with what it scored.

    Args:
        model: compiled anew here, at a rate to fine-tune with.
        results: of the evaluation.
        args: `parse`'s.
        *checkpoints: of the training's stages, which know how long each took.
        picture: draws what the model does into the preset's folder.
        description: one sentence.
        paper: whose model it is, and which row of its tables.
        task: what it does.
        input: what it takes.
    """
    for result in results:
        print(f"{result.protocol}: {result.value} ({result.min} to {result.max})")
        print(f"  beside {result.baselines}")
    model.compile(keras.optimizers.Adam(1e-4))
    save_preset(
        model,
        args.out,
        description=description,
        paper=paper,
        task=task,
        input=input,
    )
    picture(args.out)
    write_results(
        args.out,
        results,
        device=args.device,
        training_seconds=round(sum(map(Checkpoint.seconds_spent, checkpoints)), 1),
        commit=evaluation.commit(),
    )


def write_tracker(
    model: Any,
    args: argparse.Namespace,
    *checkpoints: Path,
    test: Any,
    long: Any,
    data: str,
    paper_scores: Mapping[str, float],
    baselines: Mapping[str, Any] | None = None,
    description: str,
    paper: str,
) -> None:
    """`write_preset` of a tracker, judged by clips as in the paper and by long ones.

    Args:
        model, args, *checkpoints, description, paper: as of `write_preset`.
        test, long: the clips; a picture shows the first one of `test`.
        data: their name in the protocols' names.
        paper_scores: the paper's numbers, as `evaluation.clip_results` takes them.
        baselines: more trackers, by name, beside the static box.
    """

    def judge(clips: Any, paper: Mapping[str, float] | None = None) -> list[Result]:
        return evaluation.clip_results(
            [model], clips, data=data, baselines=baselines, paper=paper
        )

    x, y = test[0]
    write_preset(
        model,
        [*judge(test, paper_scores), *judge(long)],
        args,
        *checkpoints,
        picture=picture_track(model, x["frames"][0], y["boxes"][0]),
        description=description,
        paper=paper,
        task="tracking",
        input=f"frames [B, T, H, W, {model.channels}], uint8 or float in 0..1, "
        "and a box [B, 4]",
    )


def write_video_tracker(
    model: Any,
    results: Sequence[Result],
    args: argparse.Namespace,
    judge: Sequence[Video],
    *checkpoints: Path,
    description: str,
    paper: str,
) -> None:
    """`write_preset` of a tracker of real videos.

    Args:
        model, results, args, *checkpoints, description, paper: as of `write_preset`.
        judge: `split_videos`'s; a picture shows DAVIS's parkour, and says so.
    """
    (shown,) = (v for v in judge if v.name == "davis_parkour")
    write_preset(
        model,
        results,
        args,
        *checkpoints,
        picture=picture_track(model, read_frames(shown), shown.boxes),
        description=description,
        paper=paper,
        task="tracking",
        input="frames [B, T, H, W, 3], uint8 or float in 0..1, and a box [B, 4]",
    )


def print_overlaps(model: Any, judge: Sequence[Video]) -> None:
    """A tracker's IoU in each video, for choosing settings."""
    scores = evaluation.video_clips(Tracker(model).track, judge)
    print(dict(zip(scores.names, scores.mean_iou.round(3), strict=True)))
    print("mean IoU over 60-frame clips", scores.mean_iou.mean())


def split_videos(args: argparse.Namespace) -> tuple[list[Video], list[Video]]:
    """Of `FOLDER/tracking`: what to train on, and what to judge by."""
    judge = VALIDATION if args.validate else HELD_OUT
    found = otb(args.data / "tracking")
    train = [v for v in found if v.name not in {*HELD_OUT, *judge}]
    return train, [v for v in found if v.name in judge]


def opencv_peers(*names: str) -> dict[str, Any]:
    """OpenCV's trackers, where OpenCV is."""
    try:
        return {name: evaluation.opencv_tracker(name) for name in names}
    except ImportError:
        return {}


def picture_digits(
    model: keras.Model, images: Any, labels: Any
) -> Callable[[Path], Any]:
    """For `write_preset`: where a RAM looks in the first four images."""

    def draw(folder: Path) -> None:
        path = folder / "picture.png"
        plots.plot_glimpses(model, images[:4], labels[:4], path=path)

    return draw


def picture_track(model: keras.Model, frames: Any, boxes: Any) -> Callable[[Path], Any]:
    """For `write_preset`: what a tracker makes of a clip."""

    def draw(folder: Path) -> None:
        plots.plot_track(model, frames, boxes, path=folder / "picture.png")

    return draw
