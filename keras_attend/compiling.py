"""Compilation takes long: say so while it lasts, and keep what JAX has compiled."""

import hashlib
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_attend import disk

KEEP = "KERAS_ATTEND_KEEP"
AFTER = 2.0  # seconds after which the notice is printed
WORTH_KEEPING = 0.2  # seconds of compilation; JAX keeps what has taken a second
MAX_BYTES = 2**30  # of what is kept; the oldest goes first


@contextmanager
def announced(what: str, compiles: bool = True) -> Iterator[None]:
    """Print a line on stderr if the block takes longer than two seconds.

    Args:
        what: is compiled, or else only prepared, which takes long on a busy machine.
        compiles: which of both.
    """
    words = f"compiling {what} (about 10 s, once)" if compiles else f"preparing {what}"
    timer = threading.Timer(AFTER, _say, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(words: str) -> None:
    print(f"keras_attend: {words}", file=sys.stderr, flush=True)


def first_call_announced(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Return a function that announces its first call, which compiles it."""
    called = False

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal called
        if called:
            return function(*args, **kwargs)
        with announced(what):
            found = function(*args, **kwargs)
        called = True
        return found

    return call


def suits_xla(part: Any) -> bool:
    """Whether XLA suits a layer on a CPU: not if it says `jit_compile = False`."""
    return bool(getattr(part, "jit_compile", True))


def keeps_programs() -> bool:
    """Whether compiled programs are kept: not if `KERAS_ATTEND_KEEP` is 0."""
    return os.environ.get(KEEP, "1").lower() not in ("0", "false", "off", "no")


def keep_jax_programs() -> None:
    """Have JAX keep compiled programs in the user's cache folder.

    A user who has named a folder to JAX, or has set `JAX_ENABLE_COMPILATION_CACHE=0`,
    is left alone.
    """
    import jax

    config: Any = jax.config
    chosen = config.jax_compilation_cache_dir is not None
    if chosen or not (keeps_programs() and config.jax_enable_compilation_cache):
        return
    config.update("jax_compilation_cache_dir", str(_folder(jax.__version__)))
    for name, value in {
        "jax_persistent_cache_min_compile_time_secs": WORTH_KEEPING,
        "jax_compilation_cache_max_size": MAX_BYTES,
    }.items():
        if name.upper() not in os.environ:
            config.update(name, value)


def compile_anew() -> None:
    """Have JAX compile each program of this process itself: a training asks for it.

    A program that was kept rounds differently, in the last digits, from the same one
    just compiled. A training that was killed and goes on would therefore end with
    other weights than one that was not. A folder that the user has named to JAX is
    used all the same.
    """
    import jax

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_enable_compilation_cache", False)


def _folder(version: str) -> Path:
    """Return a folder for this version of JAX and this kind of processor.

    Home folders can be shared by machines, and a program compiled for one may use
    instructions that another lacks.
    """
    processor = f"{platform.machine()} {platform.processor()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:  # not on Linux
        lines = []
    kinds = ("flags", "Features", "model name")
    known = {line for line in lines if line.startswith(kinds)}
    text = "\n".join([processor, *sorted(known)])
    name = f"jax-{version}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return disk.cache_folder() / name
