"""What happens when this package, Keras and TensorFlow are imported.

Nothing here imports a backend. Importing the package adds an `Observer` to
`sys.meta_path`, which acts when one of the others is imported:

* Once Keras and any part of this package are there, the classes are registered, so that
  `keras.saving.load_model` finds them.
* What TensorFlow prints while it is imported is left out (see `quiet`).
* Backends other than TensorFlow and JAX are refused.
"""

import contextlib
import importlib
import importlib.abc
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_attend.compiling import keep_jax_programs

PACKAGE = "keras_attend"
VERBOSE = "KERAS_ATTEND_VERBOSE"
BACKENDS = ("tensorflow", "jax")
# TensorFlow logs with abseil, whose lines begin "I0000 00:00:1795.68 2939 port.cc:9]".
NOISE = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} [\d:. ]+ \S+:\d+\]"
    rb"|To enable the following instructions: )"
)


def is_verbose() -> bool:
    """Whether the environment variable `KERAS_ATTEND_VERBOSE` asks for all messages."""
    return os.environ.get(VERBOSE, "").lower() not in ("", "0", "false", "off", "no")


def check_backend(name: str) -> None:
    """Raise an `ImportError` that names the backends to use, if this is none of them.

    An `ImportError`, because it is raised while the package is imported.
    """
    if name not in BACKENDS:
        raise ImportError(
            "keras_attend needs one of Keras's backends TensorFlow and JAX: set the "
            "environment variable KERAS_BACKEND to tensorflow or jax before Keras is "
            f"imported. Received: {name!r}"
        )


def check_environment() -> None:
    """Refuse the backend that `KERAS_BACKEND` names, or that Keras already uses."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "backend"):
        check_backend(keras.backend.backend())  # type: ignore[union-attr]
    elif chosen := os.environ.get("KERAS_BACKEND"):
        check_backend(chosen)


def is_command() -> bool:
    """Whether Python was started to run `keras-attend`.

    The command prints the error of a backend itself, in a line and without a traceback.
    """
    started_by_name = sys.orig_argv[1:3] == ["-m", PACKAGE]
    return started_by_name or Path(sys.argv[0] if sys.argv else "").stem == (
        PACKAGE.replace("_", "-")
    )


def begin() -> None:
    """Observe imports; called when the package is imported, once."""
    if not is_command():
        check_environment()
    if not is_verbose():
        # TensorFlow reads it when it is imported: 3 leaves out all but fatal errors.
        # What fails in a call raises an exception as well.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" in sys.modules:
        register()
    sys.meta_path.insert(0, Observer())


def register() -> None:
    """Import the modules whose classes Keras must find by their names."""
    check_environment()
    if sys.modules["keras"].backend.backend() == "jax":
        keep_jax_programs()
    importlib.import_module(f"{PACKAGE}.models")
    # The module has the function's name, and its import has replaced the function.
    package, module = sys.modules[PACKAGE], sys.modules[f"{PACKAGE}.unroll"]
    vars(package)["unroll"] = vars(module)["unroll"]


class Observer(importlib.abc.MetaPathFinder):
    """Calls `register` after the first import of Keras, and hides TensorFlow's noise.

    The modules of this package import Keras before they define what others import from
    them. The classes are therefore not registered within such an import, but when the
    outermost one has ended.
    """

    def __init__(self) -> None:
        self._registered = "keras" in sys.modules
        self._here = threading.local()  # `depth`: imports within each other

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Let the other finders find a module, and observe its execution."""
        if name == "tensorflow":
            around = quiet if not is_verbose() else contextlib.nullcontext
        elif not self._registered and (
            name == "keras" or name.startswith(f"{PACKAGE}.")
        ):
            around = self._counted
        else:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    _surround(spec.loader, around)
                return spec
        return None

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        depth = getattr(self._here, "depth", 0)
        self._here.depth = depth + 1
        try:
            yield
        finally:
            self._here.depth = depth
        if depth == 0 and not self._registered and "keras" in sys.modules:
            self._registered = True
            register()


def _surround(
    loader: Any, around: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    """Have a loader execute one module within a context."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # the class's own method is back
        with around():
            execute(module)

    loader.exec_module = exec_module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leave out the lines that TensorFlow's libraries print when they are loaded.

    They say which processor there is, and that there is no GPU. No variable turns them
    off. What is written to stderr meanwhile goes to a file, and all but these lines to
    stderr when the import ends; everything, if it fails.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
        file = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
    except (OSError, AttributeError):  # no stderr, or no room: let them be printed
        yield
        return
    clean = False
    try:
        os.dup2(file.fileno(), 2)
        yield
        clean = True
    finally:
        with contextlib.suppress(OSError, AttributeError):
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        with file:
            file.seek(0)
            for line in file:
                if not (clean and NOISE.match(line)):
                    with contextlib.suppress(OSError):
                        os.write(2, line)
