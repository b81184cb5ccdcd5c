"""Write a trained model as a file that runs without Keras."""

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

import keras_attend
from keras_attend import disk
from keras_attend.arguments import check_choice
from keras_attend.exporters import onnx, tensorflow
from keras_attend.exporters.trace import (
    check_model,
    eight_bits,
    takes_eight_bits,
    trace,
)
from keras_attend.layers.crop import parse_size
from keras_attend.models.ram import RAM, Feedforward

MAX_SIDE, MAX_PIXELS = 2**14, 2**26  # of frames; with larger ones TensorFlow crashes
# How a path ends, by format.
ENDINGS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}


def export(
    model: keras.Model,
    path: str | Path,
    format: str = "saved_model",
    *,
    size: Sequence[int] | None = None,
    uint8: bool = False,
    int8: bool = False,
    first_location: Sequence[float] | None = None,
    many: bool = False,
) -> Path:
    r"""Write a model as a file or folder that runs without Keras and this package.

        export(model, "hart.onnx", "onnx", uint8=True)
        tracker = Tracker("hart.onnx")

    A tracker becomes two functions, for one object:

    $$s = \mathrm{init}(\mathrm{frame}, \mathrm{box}), \qquad
      (\mathrm{box}, \dots), s' = \mathrm{step}(\mathrm{frame}, s)$$

    with `frame` `[1, H, W, C]`, `box` `[1, 4]`, and a state of named tensors
    `state_...`. In SavedModel and LiteRT they are the signatures `init` and `step`. In
    ONNX they are one graph: it begins with `first_box` where its input `first` is true,
    and otherwise with the given `state_...`; it returns `next_state_...`.

    With `many` a step follows N objects at once: `box` is `[N, 4]`, and N may be
    another one at each beginning. `frame` stays one.

    `RAM` and `Feedforward` become one function, which takes `images` `[B, H, W, C]`
    (and for a RAM `first_location` `[B, 2]`) and returns what `call` returns.

    The file holds a description of the model as JSON (family, channels, size, states):
    in the metadata of ONNX, in `assets.extra` of a SavedModel, and in a zip archive
    appended to a LiteRT file.

    Args:
        model: a built tracker, `RAM` or `Feedforward`.
        path: the file, `.onnx` or `.tflite`, or a SavedModel's folder.
        format: "saved_model", "onnx" or "litert"; the latter two need the extra
            `export`.
        size: the height and width of frames or images; None for any. (`Feedforward`
            has one size.)
        uint8: whether frames are uint8, as from a camera, or floats in 0..1.
        int8: whether large weights are stored in eight bits, for a file of a quarter of
            the size. Those that would lose more than 1.2 % stay as they are; LiteRT,
            which takes all or none, refuses a model that has such ones.
        first_location: the place of a RAM's first glimpse, `(x, y)` in -1..1; None
            makes it an input of the function.
        many: whether a tracker's step follows any number of objects in one call;
            LiteRT's cannot. For one object such a file is slower.

    Returns:
        The path.
    """
    path = Path(path)
    check_choice("format", format, tuple(ENDINGS))
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "`export` needs TensorFlow: set KERAS_BACKEND=tensorflow, and load the "
            "same weights, which work on every backend. "
            f"Received: the backend {keras.backend.backend()!r}"
        )
    if path.suffix != ENDINGS[format] and format != "saved_model":
        raise ValueError(
            f"`path` must end with {ENDINGS[format]!r} for format={format!r}. "
            f"Received: path={str(path)!r}"
        )
    check_model(model)
    shape = _size(model, size)
    if first_location is not None:
        if not isinstance(model, RAM):
            raise ValueError(
                "`first_location` is where a RAM looks first; no other model takes it. "
                f"Received: first_location={first_location} and {model!r}"
            )
        if len(first_location) != 2 or not all(-1 <= x <= 1 for x in first_location):
            raise ValueError(
                "`first_location` must be (x, y) in -1..1. "
                f"Received: first_location={first_location}"
            )
    if many and (format == "litert" or not hasattr(model, "cell")):
        raise ValueError(
            "`many` is for trackers, in ONNX or a SavedModel. Received: many=True, "
            f"format={format!r} and {model!r}"
        )
    if int8 and format == "litert":
        _check_eight_bits(model)
    traced = trace(
        model,
        shape,
        "uint8" if uint8 else "float32",
        # LiteRT and ONNX quantise weights by operations of their own.
        int8=int8 and format == "saved_model",
        first_location=first_location,
        many=many,
    )
    traced.metadata |= {"int8": int8, "keras_attend": keras_attend.__version__}
    if format == "saved_model":
        _check_folder(path)
    with _explained(model, format):
        if format == "onnx":
            with disk.replacing(path) as new:
                onnx.save(traced, new, int8)
        elif format == "litert":
            with disk.replacing(path) as new:
                tensorflow.save_litert(traced, new, int8)
        else:
            with disk.beside(path) as new:
                tensorflow.save_saved_model(traced, new)
                if path.exists():
                    _check_folder(path)  # while it was written others may have used it
                    path.rename(new.with_name("old"))
                new.rename(path)
    return path


def _check_folder(path: Path) -> None:
    """Refuse to replace a folder that holds anything but what `export` has written."""
    if not path.exists():
        return
    if not path.is_dir():
        raise ValueError(
            f"`path` must be a folder. Received: path={str(path)!r}, a file"
        )
    files = (file for file in path.rglob("*") if file.is_symlink() or file.is_file())
    found = {file.relative_to(path).as_posix() for file in files}
    ours = tensorflow.FILES if tensorflow.MARK in found else set()
    others = sorted(found - ours)
    if others or path.is_symlink():
        raise ValueError(
            "`path` must be a new folder, or one that `export` has written and that "
            f"holds nothing else. Received: path={str(path)!r}, with {others[:3]}"
        )


def _size(model: keras.Model, size: Sequence[int] | None) -> tuple[int, int] | None:
    shape = None if size is None else parse_size(list(size), "size")
    if shape is not None and (max(shape) > MAX_SIDE or math.prod(shape) > MAX_PIXELS):
        raise ValueError(
            f"`size` must be of at most {MAX_SIDE} rows and columns and {MAX_PIXELS} "
            f"pixels. Received: size={size}"
        )
    if not isinstance(model, Feedforward):
        return shape
    _, height, width, _ = model.serving_shape
    if shape not in (None, (height, width)):
        raise ValueError(
            f"A Feedforward takes images of one size: `size` must be {(height, width)} "
            f"or None. Received: size={size}"
        )
    return height, width


def _check_eight_bits(model: keras.Model) -> None:
    weights = (v for v in model.variables if takes_eight_bits(v))
    lossy = [v.path for v in weights if eight_bits(v.numpy()) is None]
    if lossy:
        raise ValueError(
            "LiteRT stores all large weights in eight bits or none, and some would "
            'lose too much. Use format="onnx" or "saved_model", which leave those as '
            f"they are, or int8=False. Received: {lossy}"
        )


@contextmanager
def _explained(model: keras.Model, format: str) -> Iterator[None]:
    """Replace an error of a converter by one that says what to do; hide its logs."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # converters call deprecated functions
            yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"format={format!r} needs {error.name}: "
            "pip install onnx onnxruntime tf2onnx ai-edge-litert"
        ) from error
    except OSError:  # of the disk, not of the format
        raise
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be written as {format!r}; another format, "
            "or a fixed `size`, may do. Received from the converter: "
            f"{' '.join(str(error).split())[:400]}"
        ) from error
    finally:
        logger.setLevel(level)
