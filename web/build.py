"""Build the folder that is served as the web page: `make web`.

    python web/build.py models build/web-models
    python web/build.py page build/web --models build/web-models

The first command exports the presets, which takes a while, and lists the files' sizes
and hashes. The second one puts the page, onnxruntime-web, the models and MNIST's digits
for clutter into one folder.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import keras_attend as ka

WEB = Path(__file__).parent
PAGE = ("index.html", "style.css", "icon.svg", "sample.mp4", "keras-attend-web.js")
FOLDERS = ("model", "ort", "page")
RUNTIME = WEB / "node_modules" / "onnxruntime-web" / "dist"
RUNTIME_FILES = {
    "ort.wasm.bundle.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
}
PRESETS: dict[str, dict[str, Any]] = {
    "hart_kitti": {},
    "ram_cluttered_mnist": {"size": (60, 60)},
}
MAX_BYTES = 8_000_000  # of all models together
LEAST = 1024  # a weight of fewer numbers stays in 32 bits
LARGEST = float(np.finfo("float16").max)


def halve(path: Path) -> None:
    """Store an ONNX file's large weights in 16 bits; a runtime widens them on loading.

    The network computes in 32 bits as before, with weights that were rounded to 11
    significant bits.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    casts = []
    for weight in list(graph.initializer):
        x = numpy_helper.to_array(weight)
        if x.dtype != np.float32 or x.size < LEAST or np.abs(x).max() > LARGEST:
            continue
        graph.initializer.remove(weight)
        half = f"{weight.name}/half"
        graph.initializer.append(numpy_helper.from_array(x.astype("float16"), half))
        cast = helper.make_node("Cast", [half], [weight.name], to=TensorProto.FLOAT)
        casts.append(cast)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def build_models(new: Path) -> None:
    """Export the presets, and list what the page must find in their files."""
    listed = {}
    for name, options in PRESETS.items():
        path = new / f"{name}.onnx"
        ka.export(ka.zoo.load(name), path, "onnx", uint8=True, **options)
        halve(path)
        content = path.read_bytes()
        listed[name] = {
            "file": path.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    total = sum(each["bytes"] for each in listed.values())
    if total > MAX_BYTES:
        raise ValueError(
            f"The page's models must have at most {MAX_BYTES} bytes together. "
            f"Received: {total}"
        )
    (new / "models.json").write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


def write_digits(path: Path) -> None:
    """Write the sample digits as a picture, one below the other."""
    images, _ = ka.datasets.sample_digits()
    rows = np.asarray(images)[..., 0]  # [N, 28, 28]
    Image.fromarray(rows.reshape(-1, rows.shape[2])).save(path, optimize=True)


def build_page(new: Path, models: Path) -> None:
    """Bring together all that is served."""
    missing = [name for name in RUNTIME_FILES if not (RUNTIME / name).exists()]
    if missing:
        raise FileNotFoundError(f"`npm ci` in {WEB} brings {missing} to {RUNTIME}.")
    for name in PAGE:
        shutil.copy(WEB / name, new)
    for name in FOLDERS:
        shutil.copytree(WEB / name, new / name)
    for name, served in RUNTIME_FILES.items():
        shutil.copy(RUNTIME / name, new / "ort" / served)
    shutil.copytree(models, new / "models")
    write_digits(new / "digits.png")


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of `out` once it is filled."""
    new = out.with_name(f"{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)


def main() -> int:
    """Build what the command line names, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("models", "page"))
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--models", type=Path, help="the models' folder, for the page")
    options = parser.parse_args()
    if options.part == "page" and options.models is None:
        parser.error("the page needs --models")
    with replaced(options.out) as new:
        if options.part == "models":
            build_models(new)
        else:
            build_page(new, options.models)
    files = [file for file in options.out.rglob("*") if file.is_file()]
    print(f"{options.out}: {sum(file.stat().st_size for file in files) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
