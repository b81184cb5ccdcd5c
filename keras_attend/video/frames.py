"""Write a video's frames as pictures, which data sets read."""

from pathlib import Path

from keras_attend.disk import replacing
from keras_attend.video.files import read_video


def write_frames(video: str | Path, folder: str | Path, every: int = 1) -> list[Path]:
    """Write the frames of a video as `<folder>/0001.png`, `0002.png`, ...

    Args:
        video: what `read_video` takes.
        folder: must be empty, or not there yet.
        every: take one of so many frames.

    Returns:
        The files.
    """
    from PIL import Image

    if every < 1:
        raise ValueError(f"`every` must be positive. Received: every={every}")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"`folder` must be empty. Received: folder={folder}")
    files: list[Path] = []
    for number, frame in enumerate(read_video(video)):
        if number % every == 0:
            path = folder / f"{len(files) + 1:04d}.png"
            with replacing(path) as made:
                Image.fromarray(frame).save(made)
            files.append(path)
    return files
