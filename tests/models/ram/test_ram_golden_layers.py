"""Every layer of RAM's best-known public code, alone, on what its other layers gave.

The small golden files hold a few of its 256 units, so that an episode cannot be
compared as a whole; `test_golden_forward` compares it where all units are there.
"""

import numpy as np
import pytest
from keras import ops

from keras_attend.models import PublishedRAM

NEAR = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def model(golden):
    model = PublishedRAM(std=0.17)
    model.build((None, 28, 28, 1))
    arrays = golden("ram_kz_checkpoint_weights")
    for variable in model.trainable_variables:
        path = variable.path.split("/", 1)[1].replace("core_", "core/")
        variable.assign(arrays[path])
    return model


@pytest.fixture(scope="module")
def steps(golden):
    """The arrays of all steps, [T, B, ...], and the units that can be compared."""
    file = golden("ram_kz_forward")
    return file, file.get("units", np.arange(256))


def close(found, expected, units=slice(None)):
    found = ops.convert_to_numpy(found)[:, units]
    np.testing.assert_allclose(found, expected[:, units], **NEAR)


def test_glimpse(model, steps):
    file, units = steps
    images = model.scaled(ops.convert_to_tensor(file["images_uint8"][..., None]))
    for l, phi, g in zip(
        file["step_loc_in_xy"],
        file["step_phi"],
        file["step_glimpse_feature"],
        strict=True,
    ):
        rho = model.retina(images, l)
        close(ops.reshape(rho, phi.shape), phi)
        close(model.glimpse_network(rho, l), g, units)


def test_core(model, steps):
    file, units = steps
    hidden = file["step_hidden"]
    before = [np.zeros_like(hidden[0]), *hidden[:-1]]
    for g, old, new in zip(file["step_glimpse_feature"], before, hidden, strict=True):
        found = ops.relu(model.core_input(g) + model.core_recurrent(old))
        close(found, new, units)


def test_actions(model, steps):
    """Location, baseline and class from the whole state; the policy's density."""
    file, _ = steps
    for t, h in enumerate(file["step_hidden"]):
        mu = model.locator(h)
        close(mu, file["step_loc_mean_mu"][t])
        close(ops.tanh(mu), file["step_loc_next_xy"][t])
        close(model.baseline(h), file["step_baseline"][t, :, None])
        log_pi = model.policy.log_prob(mu, file["step_loc_next_xy"][t])
        np.testing.assert_allclose(log_pi, file["step_log_pi_std017"][t], atol=1e-4)
    close(ops.log_softmax(model.classifier(h)), file["log_probs"])
