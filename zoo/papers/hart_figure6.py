"""HART's figure 6: where its models look for the object, and which person they follow.

Paper     Kosiorek et al. 2017, "Hierarchical Attentive Recurrent Tracking", figure 6:
          location maps with and without the loss on appearance; when another of the
          same class hides the object, only the model with the loss goes on following it
Command   pip install ".[recipes]"
          KERAS_BACKEND=tensorflow python zoo/papers/hart_figure6.py --data FOLDER
          (after hart.py, whose checkpoints of "appearance" and "hart" it reads)
Makes     zoo/papers/hart_identity.json and hart_figure6.png; then
          `make papers`
Expected  see docs/papers/hart.md

In each of 64 clips a person stands or walks slowly, and another passes in front, from
one side to the other. All is drawn as the clips that the models were trained on, with
the streets and looks of the test set; so the true boxes of both are known. The last
frames, in which the two are apart again, say whom a model follows: the one whose IoU
with the model's box is greater, if it is above 0.3 in the mean over these frames.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend import disk, plots, training
from keras_attend.boxes import iou
from keras_attend.datasets import RenderedKITTI, Style, View, cut_sprites, otb
from keras_attend.datasets.kitti_labels import ABOVE_STREET, KITTILabels, project
from keras_attend.training.rendered_sets import TEST_LOOKS

HERE = Path(__file__).parent
SEED = 1_000_006  # no other data set draws by it
CLIPS, FRAMES, LAST = 64, 40, 8
TALL, WIDE = 1.75, 0.6  # metres of a person
ROWS = {"appearance": "App Att", "hart": "HART"}
FOLLOWED = 0.3  # the least IoU


def person(name: int, right: Any, ahead: float, heading: float) -> dict[str, Any]:
    """Label a person in each frame, of its place in metres `[T]`."""
    x, bottom = project(right, np.full(FRAMES, ABOVE_STREET), np.full(FRAMES, ahead))
    edge, top = project(right - WIDE / 2, np.full(FRAMES, ABOVE_STREET - TALL), ahead)
    boxes = np.stack([edge, top, 2 * (x - edge), bottom - top], axis=1)
    place = np.stack(
        [right, np.full(FRAMES, ABOVE_STREET), np.full(FRAMES, ahead)], axis=1
    )
    return {
        "frame": np.arange(FRAMES),
        "track": np.full(FRAMES, name),
        "kind": np.full(FRAMES, "Pedestrian"),
        "truncated": np.zeros(FRAMES),
        "occluded": np.zeros(FRAMES),
        "boxes": boxes.astype("float32"),
        "size": np.tile([TALL, WIDE, WIDE], (FRAMES, 1)),
        "location": place,
        "heading": np.full(FRAMES, heading),
        "view": heading - np.arctan2(right, ahead),
    }


def crossing(number: int) -> KITTILabels:
    """Label two people, of whom 1 passes in front of 0 in the middle of the clip."""
    random = np.random.default_rng([SEED, number])
    side = random.choice([-1.0, 1.0])
    t = np.arange(FRAMES) - FRAMES / 2
    start, ahead = random.uniform(-2, 2), random.uniform(10, 14)
    slow, fast = random.uniform(-0.01, 0.01), random.uniform(0.1, 0.15)
    both = [
        person(0, start + slow * t, ahead, float(np.pi * (slow < 0))),
        person(1, start - side * fast * t, ahead - 2, float(np.pi * (side > 0))),
    ]
    rows = {name: np.concatenate([p[name] for p in both]) for name in both[0]}
    order = np.argsort(rows["frame"], kind="stable")
    return KITTILabels(
        f"crossing_{number:02d}", **{name: v[order] for name, v in rows.items()}
    )


def crossings(data: Path, count: int) -> list[dict[str, Any]]:
    """Draw the clips: `frames`, and the boxes of both people.

    "own" are those of the one that is to be followed, "other" those of the other; both
    are `[T, 4]`, in pixels of the frames.
    """
    streets = data / "kitti" / "training" / "image_02" / "0005"
    sprites = cut_sprites(otb(data / "tracking_test"), TEST_LOOKS)
    found = []
    for number in range(count):
        labels = crossing(number)
        drawn = RenderedKITTI(
            [labels],
            streets,
            sprites,
            1,
            view=View(flip=False, reverse=False),
            style=Style(photometric=0),
            seed=SEED + number,
            split="test",
            held_out=[labels.video],
            frames=FRAMES,
            batches=1,
        )
        drawn.tracks = [(0, 0)]
        x, y = drawn[0]
        mine = y["boxes"][0]
        scene = drawn.scenes[0]
        between = scene.boxes[scene.rows[1]] - scene.boxes[scene.rows[0]]
        height, width = x["frames"].shape[2:4]
        scale = np.array([width, height] * 2) / np.array([621.0, 187.5] * 2)
        found.append(
            {"frames": x["frames"][0], "own": mine, "other": mine + between * scale}
        )
    return found


def follow(model: Any, clip: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a model for a clip."""
    x = {"frames": clip["frames"][None], "box": clip["own"][None, 0]}
    found = model.predict(x, verbose=0)
    return {name: value[0] for name, value in found.items()}


def whom(boxes: Any, clip: dict[str, Any]) -> str:
    """Say whom boxes `[T, 4]` follow at last: "own", "other" or "neither"."""
    overlaps = {
        name: float(ops.convert_to_numpy(iou(boxes[-LAST:], clip[name][-LAST:])).mean())
        for name in ("own", "other")
    }
    best = max(overlaps, key=lambda name: overlaps[name])
    return best if overlaps[best] > FOLLOWED else "neither"


def draw(clip: dict[str, Any], outputs: dict[str, Any], path: Path) -> None:
    """Draw frames around the crossing, each model's box, and its location map."""
    plt = plots.common.pyplot()
    shown = np.linspace(0, FRAMES - 1, 6).round().astype(int)
    figure, axes = plt.subplots(
        1 + len(outputs), len(shown), figsize=(10, 5.4), layout="constrained"
    )
    x, y, w, h = clip["own"][0]
    around = (x + w / 2 - 2 * h, x + w / 2 + 2 * h, y + 1.6 * h, y - 0.6 * h)
    colours = dict(zip(outputs, ("tab:orange", "tab:green"), strict=True))
    for column, t in enumerate(shown):
        plots.common.show(axes[0, column], clip["frames"][t])
        axes[0, column].set(title=f"frame {t + 1}", xlim=around[:2], ylim=around[2:])
        for name, found in outputs.items():
            left, top, width, height = found["boxes"][t]
            box = plt.Rectangle(
                (left, top), width, height, fill=False, color=colours[name], label=name
            )
            axes[0, column].add_patch(box)
        for axis, found in zip(axes[1:, column], outputs.values(), strict=True):
            map_ = 1 / (1 + np.exp(-found["location"][t]))
            axis.imshow(map_, vmin=0, vmax=1, cmap="gray")
            axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[1:, 0], outputs, strict=True):
        axis.set_ylabel(f"{name}:\nlocation map", color=colours[name])
    plots.common.finish(figure, path)


def main() -> None:
    """Read the models, measure whom they follow, draw."""
    parser = training.parser(__doc__, HERE)
    parser.set_defaults(runs=Path("runs") / "papers_hart")
    parser.add_argument("--seeds", type=int, default=3)
    args = training.parse(parser)
    if args.data is None:
        parser.error("--data must name the folder that holds kitti/ and tracking_test/")
    clips = crossings(args.data, args.steps or CLIPS)
    shares: dict[str, dict[str, list[float]]] = {}
    followed: dict[str, list[str]] = {}
    models = {}
    for row, name in ROWS.items():
        shares[row] = {"own": [], "other": []}
        for seed in range(args.seed, args.seed + args.seeds):
            path = args.runs / f"{row}_{seed}_30.keras"
            model = keras.saving.load_model(path)
            models.setdefault(name, model)
            said = [whom(follow(model, clip)["boxes"], clip) for clip in clips]
            followed.setdefault(name, said)
            for kind, found in shares[row].items():
                found.append(round(said.count(kind) / len(said), 4))
        print(name, shares[row], flush=True)
    # The first clip in which one goes on following and the other changes over, if any.
    told = [
        number
        for number in range(len(clips))
        if followed["HART"][number] == "own" and followed["App Att"][number] == "other"
    ]
    number = told[0] if told else 0
    outputs = {name: follow(model, clips[number]) for name, model in models.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    draw(clips[number], outputs, args.out / "hart_figure6.png")
    if args.steps is None:
        found = {"clips": len(clips), "told_apart": len(told), **shares}
        disk.write(args.out / "hart_identity.json", json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
