"""What the datasets share: where files of data are, and seeds that training leaves out.

Training may draw by any seed but these two, so that no clip or canvas of a held-out
set is ever trained on.
"""

import os
from pathlib import Path

VALIDATION_SEED = 1_000_001
TEST_SEED = 1_000_002
# Videos of the folder `tracking/` that no training has but `drlt_otb`'s, which has the
# first third of each.
VALIDATION_VIDEOS = (
    "otb_Bolt",
    "otb_Man",
    "davis_parkour",
    "uav123_person12_1",
    "davis_dog",
    "otb_Tiger1",
)
DATA = "KERAS_ATTEND_DATA"  # the environment variable that names the folder


def data_folder() -> Path | None:
    """The folder that the environment variable `KERAS_ATTEND_DATA` names, if set."""
    folder = os.environ.get(DATA)
    return Path(folder) if folder else None
