"""What several of HART's test files share."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hart_case import clips, numpy, quick, small_cell
from keras import ops

from keras_attend.models import HART


@pytest.fixture(scope="package")
def trained():
    """One model, trained once for many checks, and what it makes of other clips."""
    keras.utils.set_random_seed(0)
    model = HART(small_cell(dropout=0.1))
    # XLA takes most of a minute to compile this on TensorFlow; see `test_xla`.
    xla = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(5e-3, global_clipnorm=1.0), jit_compile=xla)
    x, y = clips(np.random.default_rng(0), n=192, leaving=0.3)
    history = model.fit(x, y, batch_size=16, epochs=4, verbose=0).history
    x, y = clips(np.random.default_rng(1))
    tensors = {k: ops.convert_to_tensor(v) for k, v in x.items()}
    found = {name: numpy(v) for name, v in quick(model)(tensors).items()}
    return SimpleNamespace(model=model, x=x, y=y, history=history, found=found)
