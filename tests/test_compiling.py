"""The notice that compilation lasts, and the folder of JAX's programs."""

import os
import subprocess
import sys
import time

import pytest

from keras_attend import compiling

pytestmark = pytest.mark.packaging


def test_what_takes_long_is_announced_once(capsys, monkeypatch):
    monkeypatch.setattr(compiling, "AFTER", 0.02)
    call = compiling.first_call_announced(time.sleep, "a step")
    call(0.2)
    assert (
        capsys.readouterr().err == "keras_attend: compiling a step (about 10 s, once)\n"
    )
    call(0.2)
    assert capsys.readouterr().err == ""


def test_what_is_only_prepared_says_so(capsys, monkeypatch):
    monkeypatch.setattr(compiling, "AFTER", 0.01)
    with compiling.announced("a step", compiles=False):
        time.sleep(0.2)
    assert capsys.readouterr().err == "keras_attend: preparing a step\n"


def test_what_is_quick_is_not_announced(capsys, monkeypatch):
    monkeypatch.setattr(compiling, "AFTER", 0.05)
    with compiling.announced("a step"):
        pass
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


JAX = """
import keras_attend.unroll, jax, jax.numpy as jnp
jax.jit(lambda x: jnp.linalg.svd(jnp.sin(x) @ x.T))(jnp.ones((30, 30)))
print(jax.config.jax_compilation_cache_dir)
"""


# A recipe parses its flags before it computes anything.
RECIPE = """
from pathlib import Path
from keras_attend import training
training.parse(training.parser("", Path()))
"""


def jax_folder(tmp_path, code=JAX, **environment):
    """The folder that JAX is told, and whether it holds anything."""
    unset = (compiling.KEEP, "JAX_COMPILATION_CACHE_DIR")
    plain = {k: v for k, v in os.environ.items() if k not in unset}
    plain |= {"KERAS_BACKEND": "jax", "KERAS_ATTEND_CACHE": str(tmp_path / "cache")}
    plain["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=plain | environment,
        check=True,
    )
    kept = [path for path in (tmp_path / "cache").rglob("*-cache") if path.is_file()]
    return found.stdout.strip(), bool(kept)


def test_jax_keeps_its_programs(tmp_path):
    folder, kept = jax_folder(tmp_path)
    assert folder.startswith(str(tmp_path / "cache" / "jax-")) and kept


def test_a_recipe_compiles_anew(tmp_path):
    """Else `--resume` would end with other digits: kept programs round differently."""
    _, kept = jax_folder(tmp_path, RECIPE + JAX)
    assert not kept
    named = tmp_path / "cache" / "named"  # the user has chosen to keep them
    _, kept = jax_folder(tmp_path, RECIPE + JAX, JAX_COMPILATION_CACHE_DIR=str(named))
    assert kept


@pytest.mark.parametrize(
    ("name", "value"),
    [("JAX_COMPILATION_CACHE_DIR", "/other"), (compiling.KEEP, "0")],
)
def test_jax_does_what_the_user_told_it(name, value, tmp_path):
    value = value.replace("/other", str(tmp_path / "other"))
    folder, kept = jax_folder(tmp_path, **{name: value})
    assert folder in (value, "None") and not kept
