"""TensorFlow's own formats: SavedModel, and LiteRT, which is made of one."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from keras_attend.exporters.traced import Traced

METADATA = "keras_attend.json"


def save_saved_model(traced: Traced, path: Path) -> None:
    """Write the folder `path`, with a signature a function."""
    import tensorflow as tf

    # The slopes of what is only run are not kept.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(traced.module, str(path), traced.functions, options)
    extra = path / "assets.extra"  # where TensorFlow leaves files of others alone
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(json.dumps(traced.metadata, indent=2))


def save_litert(traced: Traced, path: Path, int8: bool) -> None:
    """Write `path`, one file with a signature a function."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        save_saved_model(traced, Path(folder))
        converter: Any = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(traced.functions)
        )
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        path.write_bytes(converter.convert())
    # What a file knows of itself is a zip archive behind it: the format's own custom.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(traced.metadata, indent=2))
