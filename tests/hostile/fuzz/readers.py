"""What is fuzzed: the readers of files from strangers, each given a file's bytes.

A reader of this table returns, or raises an error that names the file. Anything else is
a fault. Importing this module computes nothing and starts nothing.
"""

from pathlib import Path

from keras_attend.datasets import kth
from keras_attend.datasets.kitti_labels import read_labels
from keras_attend.datasets.sequences import got10k, otb
from keras_attend.zoo.checks import files
from keras_attend.zoo.checks.budget import check_budget
from keras_attend.zoo.checks.classes import check_config
from keras_attend.zoo.results import read_results
from keras_attend_runtime.onnx_model import OnnxModel

FRAMES = 4
PARAMETERS = 23  # of the weights in the corpus
HERE = Path(__file__).parent
TRACKER = HERE / "tracker.onnx"  # one without a description
KEY = b"keras_attend"


def config(data, folder):
    """Check a model's configuration."""
    path = folder / "config.json"
    found = files.read_json(path, data)
    check_config(found, path)
    check_budget(found, path)


def manifest(data, folder):
    """Check what a preset says of itself."""
    files.check_manifest(folder / "preset.json", data)


def results(data, folder):
    """Read what a preset scored."""
    home = folder / "small"  # as the corpus calls its preset
    home.mkdir(exist_ok=True)
    (home / "results.json").write_bytes(data)
    read_results(home)


def versions(data, folder):
    """Read which Keras has saved a preset."""
    (folder / "metadata.json").write_bytes(data)
    files.check_keras_version(folder / "metadata.json")


def weights(data, folder):
    """Check the arrays of an HDF5 file."""
    path = folder / "model.weights.h5"
    path.write_bytes(data)
    files.check_weights(path, PARAMETERS, path)


def onnx_file(data, folder):
    """Load an ONNX file."""
    path = folder / "file.onnx"
    path.write_bytes(data)
    OnnxModel(path)


def onnx_description(data, folder):
    """Load a sound ONNX file with such a description."""
    entry = _part(1, KEY) + _part(2, data)
    onnx_file(TRACKER.read_bytes() + _part(14, entry), folder)


def _part(field, content):
    """Write a part of a message in protobuf's format."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + content


def otb_boxes(data, folder):
    """Read the boxes of a video in OTB's layout."""
    _frames(folder / "clip" / "img")
    (folder / "clip" / "groundtruth_rect.txt").write_bytes(data)
    otb(folder)


def got10k_boxes(data, folder):
    """Read the boxes of a video in GOT-10k's layout, and where they are absent.

    What comes after the first zero byte is the label of absence.
    """
    boxes, zero, absent = data.partition(b"\0")
    _frames(folder / "clip")
    (folder / "clip" / "groundtruth.txt").write_bytes(boxes)
    label = folder / "clip" / "absence.label"
    label.write_bytes(absent)
    if not zero:
        label.unlink()
    got10k(folder)


def _frames(folder):
    if not folder.exists():
        folder.mkdir(parents=True)
        for number in range(1, FRAMES + 1):
            (folder / f"{number:04d}.png").touch()


def kitti_labels(data, folder):
    """Read the labels of a video of KITTI."""
    (folder / "0000.txt").write_bytes(data)
    read_labels(folder / "0000.txt")


def kth_boxes(data, folder):
    """Read KTH's boxes."""
    (folder / "boxes.txt").write_bytes(data)
    kth.read_boxes(folder / "boxes.txt")


READERS = {
    reader.__name__: reader
    for reader in (
        *(config, manifest, results, versions, weights, onnx_file, onnx_description),
        *(otb_boxes, got10k_boxes, kitti_labels, kth_boxes),
    )
}


def read(name, data, folder):
    """Read bytes; raise an `AssertionError` at an error that is not clear."""
    try:
        READERS[name](data, folder)
    except (ValueError, OSError) as error:
        text = str(error)
        if str(folder) not in text and "`" not in text:
            raise AssertionError(f"unclear: {type(error).__name__}: {text}") from error
