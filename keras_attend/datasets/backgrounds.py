"""Backgrounds of drawn objects: noise, grids, and photographs.

Photographs come from a folder, or are on the machine already: `photographs` finds
scikit-image's sample pictures, where it is installed, and stills of real videos in
OTB's layout. Each picture belongs to one split for good.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from keras_attend.arguments import check_choice, check_positive_integers
from keras_attend.datasets.clips import LUMA
from keras_attend.datasets.sequences import image_files, read_image
from keras_attend.datasets.settings import DATA, VALIDATION_VIDEOS, data_folder
from keras_attend.types import Array

# Of the pictures inside the package scikit-image those that are photographs.
SAMPLES = {
    "train": (
        *("astronaut.png", "brick.png", "chelsea.png", "coins.png", "grass.png"),
        *("hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg"),
    ),
    "validation": ("camera.png", "gravel.png", "retina.jpg"),
    "test": ("coffee.png", "ihc.png", "moon.png"),
}
LINE, PERIOD = 0.4, 5  # a grid's brightness, and its lines' distance in pixels


def with_noise(random: np.random.RandomState, images: Array) -> Array:
    r"""Return $0.8 x + 0.1 + N(0, 0.2)$ of images $x$, float32, cut at 0 and 1."""
    noise = random.standard_normal(images.shape).astype("float32")
    noise *= np.float32(0.2)
    noise += np.float32(0.8) * images + np.float32(0.1)
    return np.clip(noise, 0, 1, out=noise)


def draw_grids(random: np.random.RandomState, count: int, size: int) -> Array:
    """Draw grids `[count, size, size, 1]` float32, each of a phase of its own."""
    phase = random.randint(PERIOD, size=(count, 2, 1))
    on = (np.arange(size) + phase) % PERIOD == 0  # [count, 2, size]
    lines = on[:, 0, :, None] | on[:, 1, None, :]
    return (np.float32(LINE) * lines)[..., None]


def read_pictures(folder: str | Path, longest: int = 320) -> tuple[Array, ...]:
    """Read the pictures in a folder, in the order of their names.

    Args:
        folder: holds JPEG, PNG or BMP files.
        longest: a picture whose longer side has more pixels is shrunk to so many.

    Returns:
        Pictures `[H, W, 3]` uint8, each of its own size.
    """
    check_positive_integers(longest=longest)
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`folder` must be a folder of pictures. Received: folder={folder}"
        )
    return tuple(_shrunk(path, longest) for path in image_files(folder))


def photographs(split: str, longest: int = 320) -> tuple[Array, ...]:
    """Read the photographs of a split that are on this machine.

    They are scikit-image's (`SAMPLES`), if it is installed, and the first and the
    middle frame of each video in the folder that the environment variable
    `KERAS_ATTEND_DATA` names: `tracking/` for "train", but for the videos of
    `settings.VALIDATION_VIDEOS`, which are for "validation"; `tracking_test/` for
    "test".

    Args:
        split: "train", "validation" or "test". No picture is in two of them.
        longest: as of `read_pictures`.

    Returns:
        Pictures `[H, W, 3]` uint8, each of its own size.
    """
    check_choice("split", split, tuple(SAMPLES))
    check_positive_integers(longest=longest)
    found = [*_sample_files(split), *_stills(split)]
    if not found:
        raise FileNotFoundError(
            "There are no photographs on this machine. Install them by `pip install "
            f"scikit-image`, set {DATA} to a folder that holds tracking/ and "
            "tracking_test/, or pass pictures of your own, of `read_pictures(folder)`."
        )
    return tuple(_shrunk(path, longest) for path in found)


def crops(
    random: np.random.RandomState, pictures: tuple[Array, ...], count: int, size: int
) -> Array:
    """Draw crops of pictures, half of them mirrored: `[count, size, size, 3]` uint8."""
    found = np.empty((count, size, size, 3), "uint8")
    for number in range(count):
        picture = pictures[random.randint(len(pictures))]
        height, width = picture.shape[:2]
        y, x = random.randint(height - size + 1), random.randint(width - size + 1)
        crop = picture[y : y + size, x : x + size]
        found[number] = crop[:, ::-1] if random.randint(2) else crop
    return found


def grey(pictures: Array) -> Array:
    """The luma of pictures `[..., 3]`: `[..., 1]` float32, in the same range."""
    return (pictures.astype("float32") @ LUMA)[..., None]


def check_pictures(pictures: Any, size: int) -> None:
    """Refuse what `crops` of `size` pixels cannot be drawn of."""
    if not len(pictures):
        raise ValueError("`background` must hold pictures. Received: none")
    for picture in pictures:
        shape, dtype = np.shape(picture), getattr(picture, "dtype", type(picture))
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
            raise ValueError(
                "`background` must hold pictures [H, W, 3] uint8, as of "
                f"`read_pictures`. Received: shape={shape}, dtype={dtype}"
            )
        if min(shape[:2]) < size:
            raise ValueError(
                "Pictures in `background` must be no smaller than what is drawn. "
                f"Received: size={size}, and a picture of {shape[0]}x{shape[1]}"
            )


def _sample_files(split: str) -> list[Path]:
    """Return the files of scikit-image's pictures, without importing it."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "data"
    return [folder / name for name in SAMPLES[split] if (folder / name).is_file()]


def _stills(split: str) -> list[Path]:
    """Return the first and the middle frame's file of each video of a split."""
    data = data_folder()
    if data is None:
        return []
    folder = data / ("tracking_test" if split == "test" else "tracking")
    videos = [path.parent for path in sorted(folder.glob("*/img"))]
    if split != "test":
        held_out = split == "validation"
        videos = [v for v in videos if (v.name in VALIDATION_VIDEOS) == held_out]
    files = [image_files(video / "img") for video in videos]
    return [f for frames in files for f in (frames[0], frames[len(frames) // 2])]


def _shrunk(path: Path, longest: int) -> Array:
    """Read a picture, by the mean of whole blocks of pixels if it is too large."""
    picture = read_image(path)
    step = -(-max(picture.shape[:2]) // longest)
    if step == 1:
        return picture
    height, width = (side // step * step for side in picture.shape[:2])
    blocks = picture[:height, :width].reshape(
        height // step, step, width // step, step, 3
    )
    return np.rint(blocks.mean((1, 3))).astype("uint8")
