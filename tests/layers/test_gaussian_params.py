import numpy as np
from keras import ops

from keras_attend.layers import hart_params


def test_golden_sigma_of_strides(golden):
    """The published fit, at strides as its code computes it."""
    data = golden("hart_ops")
    strides = data["stride_to_std/stride_yx"]  # [N, 2]
    # With as many Gaussians as pixels a window of size h has the stride h.
    attention = np.concatenate([np.zeros_like(strides), strides], axis=-1)
    found = hart_params(attention, (101, 101), (101, 101), sigma="hart_code")
    found = ops.convert_to_numpy(found)
    np.testing.assert_allclose(found[:, 2:4], strides, rtol=1e-6)
    np.testing.assert_allclose(
        found[:, 4:], data["stride_to_std/sigma_yx"], rtol=1e-5, atol=1e-5
    )
