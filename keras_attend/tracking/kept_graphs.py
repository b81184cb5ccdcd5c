"""Keep TensorFlow's graphs of a tracker's step in the user's cache folder.

To trace a step, which runs all its layers in Python, takes longer than everything else
before the first box. A graph that was kept is imported in a tenth of that time. It
holds no weights.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from keras_attend import compiling, disk
from keras_attend.types import Nested, Tensor

MAX_BYTES = 2**26  # of a file
MAX_FILES = 64  # the oldest go first
TRUSTED = ("keras", "keras_attend", "builtins")  # whose classes' code is fingerprinted

Flat = Callable[[Sequence[Tensor]], Sequence[Tensor]]


@dataclass(frozen=True)
class Kept:
    """A graph, the names of its inputs and outputs, and what its tracing has found.

    An input that it does not use has no name.
    """

    graph: bytes
    inputs: list[str | None]
    outputs: list[str]
    found: Nested


def key(cell: Any, *rest: Any) -> str | None:
    """Return what tells a cell's graphs from all others; None if they are not kept.

    Only those of this package's classes are: of others it is not known when their code
    has changed.
    """
    if not compiling.keeps_programs():
        return None
    config = keras.saving.serialize_keras_object(cell)
    modules = {str(m).partition(".")[0] for m in _modules(config)}
    if not modules <= {*TRUSTED, "None"}:
        return None
    known = [config, version("tensorflow"), keras.__version__, keras.config.floatx()]
    return hashlib.sha256(repr([*known, _code(), rest]).encode()).hexdigest()


def _modules(config: Any) -> Iterator[Any]:
    """Yield the modules of the classes in a configuration."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config.get("module")
            yield str(config.get("registered_name")).partition(">")[0]
        config = list(config.values())
    if isinstance(config, list | tuple):
        for each in config:
            yield from _modules(each)


def _code() -> list[tuple[str, int, int]]:
    """Return what changes when a module of this package does."""
    package = Path(__file__).parents[1]
    folders = (package, package.with_name("keras_attend_runtime"))
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    stats = [(str(path), path.stat()) for path in paths]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def read(name: str) -> Kept | None:
    """Return a graph that was kept; None if there is none, or a damaged one."""
    try:
        content = disk.read(_folder() / name, MAX_BYTES)
        head, graph = content.split(b"\n", 1)
        about = json.loads(head)
        if about.pop("sha256") != hashlib.sha256(graph).hexdigest():
            return None
        return Kept(graph, **about)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(name: str, kept: Kept) -> None:
    """Keep a graph, unless there is no room for it or what was found is no JSON."""
    about = asdict(kept) | {"sha256": hashlib.sha256(kept.graph).hexdigest()}
    del about["graph"]
    head = json.dumps(about)
    if json.loads(head) != about:  # tuples
        return
    with contextlib.suppress(OSError):
        disk.write(_folder() / name, head.encode() + b"\n" + kept.graph)
        files = sorted(_folder().iterdir(), key=lambda path: path.stat().st_mtime)
        for path in files[:-MAX_FILES]:
            path.unlink()


def _folder() -> Path:
    return disk.cache_folder() / "tensorflow-graphs"


def traced(
    function: Flat, inputs: Sequence[Tensor], found: Callable[[], Nested]
) -> Kept | None:
    """Trace a function; None if its graph needs more than its inputs.

    Args:
        function: to be traced.
        inputs: tensors like those that it will get.
        found: is called after the tracing, for what it has found out.
    """
    import tensorflow as tf

    concrete = tf.function(function, autograph=False).get_concrete_function(
        list(inputs)
    )
    if concrete.captured_inputs:
        return None
    names = [t.name if t.consumers() else None for t in concrete.inputs]
    outputs = [t.name for t in concrete.outputs]
    graph = concrete.graph.as_graph_def().SerializeToString()
    return Kept(graph, names, outputs, found())


def imported(kept: Kept, inputs: Sequence[Tensor], held: Sequence[Any]) -> Any:
    """Return a concrete function of `inputs` that reads `held` variables itself."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(kept.graph)

    def run(*inputs: Tensor) -> Sequence[Tensor]:
        pairs = zip(kept.inputs, [*inputs, *held], strict=True)
        used = {name: tf.convert_to_tensor(x) for name, x in pairs if name}
        return tf.graph_util.import_graph_def(graph, used, kept.outputs, name="")

    # Unlike `tf.function` it makes known the functions that are in the graph, which are
    # the bodies of its loops.
    specs = [tf.TensorSpec(x.shape, x.dtype) for x in inputs]
    return tf.compat.v1.wrap_function(run, specs)
