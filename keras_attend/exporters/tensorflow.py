"""Write traced models in TensorFlow's own formats, SavedModel and LiteRT."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from keras_attend.exporters.trace import TracedModel

METADATA = "keras_attend.json"
MARK = f"assets.extra/{METADATA}"  # of the folders that are written here
FILES = {
    *(MARK, "saved_model.pb", "fingerprint.pb"),
    *("variables/variables.index", "variables/variables.data-00000-of-00001"),
}


def save_saved_model(traced: TracedModel, path: Path) -> None:
    """Write a SavedModel, the folder `path`, with a signature for each function."""
    import tensorflow as tf

    # Gradients are left out: the model is only run.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(traced.module, str(path), traced.functions, options)
    extra = path / "assets.extra"  # TensorFlow keeps this folder for others' files
    extra.mkdir(exist_ok=True)
    (extra / METADATA).write_text(json.dumps(traced.metadata, indent=2))


def save_litert(traced: TracedModel, path: Path, int8: bool) -> None:
    """Write a LiteRT file with a signature for each function."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        save_saved_model(traced, Path(folder))
        converter: Any = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(traced.functions)
        )
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        path.write_bytes(converter.convert())
    # Metadata of the format are a zip archive that is appended to the file.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(traced.metadata, indent=2))
