"""Convert weights that the papers' authors have published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_attend.layers.glimpse_cnn import GlimpseCNN
from keras_attend.models.hart import PublishedHART
from keras_attend.optimizers import TF1RMSprop


def ratm_person_cnn(path: str | Path) -> GlimpseCNN:
    """Return RATM's network that tells people from background, trained by its authors.

    Args:
        path: an `.npz` file with the eight arrays of the published checkpoint, under
            their names there (`conv0_W`, `bias0_b`, ..., `fc3_b`).

    Returns:
        A `GlimpseCNN` for grey 28x28 glimpses in 0..1.
    """
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    wanted = ["conv0_W", "bias0_b", "conv1_W", "bias1_b"]
    wanted += ["fc2_W", "fc2_b", "fc3_W", "fc3_b"]
    missing = sorted(set(wanted) - arrays.keys())
    if missing:
        raise ValueError(
            f"{path} must hold the arrays {wanted}. Received: none of {missing}"
        )
    for name in ("conv0_W", "conv1_W"):
        arrays[name] = convolution(arrays[name])
    # Two poolings leave maps of 28 / 4 rows and columns.
    arrays["fc2_W"] = flattened(arrays["fc2_W"], 7, 7, arrays["conv1_W"].shape[-1])
    network = GlimpseCNN(gain=255.0)
    network.build((None, 28, 28, 1))
    network.set_weights([arrays[name] for name in wanted])
    return network


def hart(path: str | Path) -> PublishedHART:
    """Return HART as its authors trained it, from a checkpoint of TensorFlow 1.

    Args:
        path: the checkpoint, `.../model.ckpt-1` without the endings, or its folder.

    Returns:
        A compiled `PublishedHART`, for colour frames of any size (the authors' have
        187x621 pixels).
    """
    import tensorflow as tf

    prefix = tf.train.latest_checkpoint(str(path)) if Path(path).is_dir() else path
    if prefix is None or not Path(f"{prefix}.index").is_file():
        raise ValueError(
            "`path` must be a TensorFlow checkpoint, such as folder/model.ckpt-1 where "
            f"there is folder/model.ckpt-1.index, or its folder. Received: {path}"
        )
    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    model = PublishedHART()
    model.build()
    set_hart_weights(model, {name: reader.get_tensor(name) for name in names})
    model.compile(TF1RMSprop())
    return model


def set_hart_weights(model: PublishedHART, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give a built `PublishedHART` a checkpoint's arrays, by the authors' names."""
    variables = hart_variables(model)
    missing = sorted(variables.keys() - arrays.keys())
    if missing:
        raise ValueError(
            f"The checkpoint must hold {len(variables)} arrays under HART's names. "
            f"Received: {len(arrays)} arrays, and none of {missing[:3]}"
        )
    for name, variable in variables.items():
        array = np.asarray(arrays[name])
        if array.size != np.prod(variable.shape):
            raise ValueError(
                f"{name} must have {variable.shape} numbers. "
                f"Received: shape={array.shape}"
            )
        variable.assign(array.reshape(variable.shape))


def hart_variables(model: PublishedHART) -> dict[str, Any]:
    """Return the weights of a built `PublishedHART` by the authors' names.

    It leaves out the moving averages of the batch norm, which the authors' code never
    reads, and the weights of the losses, which their checkpoint does not hold.
    """
    cell, top = model.cell, "HierarchicalAttentiveRecurrentTracker"
    inner = f"{top}/AttentionCell"
    alexnet, lstm = f"{inner}/AlexNetModel", f"{inner}/IdentityLSTMCell"
    dense = {
        f"{alexnet}/readout": cell.readout,
        f"{inner}/fc_after_conv": cell.summary,
        f"{inner}/obj_mask": cell.location,
        f"{inner}/mask_features": cell.mask_summary,
        f"{inner}/init_feature_transform": cell.first_input,
        f"{inner}/init_state_transform_0": cell.first_cell,
        f"{inner}/init_state_transform_1": cell.first_hidden,
        f"{inner}/att_readout_1": cell.attend.hidden,
        f"{inner}/att_readout": cell.attend.last,
        f"{top}/fc_h2bbox/layer_0": cell.locate.hidden,
        f"{top}/fc_h2bbox/layer_1": cell.locate.last,
    }
    found = {
        f"{alexnet}/bn_batch_norm/BatchNorm/gamma": cell.norm.gamma,
        f"{alexnet}/bn_batch_norm/BatchNorm/beta": cell.norm.beta,
        f"{lstm}/W_xh": cell.core.input_map.kernel,
        f"{lstm}/bias": cell.core.input_map.bias,
        f"{lstm}/W_hh": cell.core.recurrent_map.kernel,
        f"{top}/{top}/while/AttentionCell/att_delta_scale": cell.gain,
        f"{top}/att_bias": cell.bias,
    }
    for i, layer in enumerate(cell.v1.convolutions, start=1):
        found[f"{alexnet}/conv{i}_W"] = layer.kernel
        found[f"{alexnet}/conv{i}_b"] = layer.bias
    for scope, layer in (
        ("pre_DFN", cell.filter_1),
        ("DynamicFilterModel", cell.filter_2),
    ):
        found[f"{inner}/{scope}/dfn_bias"] = layer.bias
        dense[f"{inner}/{scope}/param_layer_1"] = layer.hidden_map
        dense[f"{inner}/{scope}/dynamic_weights"] = layer.kernel_map
        dense[f"{inner}/{scope}/dynamic_bias"] = layer.bias_map
    for scope, layer in dense.items():
        name = scope.split("/")[-1]
        found[f"{scope}/W_{name}"] = layer.kernel
        found[f"{scope}/b_{name}"] = layer.bias
    return found


def convolution(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a kernel of Theano, `[out, in, rows, cols]` and flipped, as Keras's."""
    return np.transpose(kernel[:, :, ::-1, ::-1], (2, 3, 1, 0))


def flattened(
    matrix: NDArray[np.float32], rows: int, cols: int, channels: int
) -> NDArray[np.float32]:
    """Reorder a matrix that reads flattened maps from channels first to last."""
    maps = matrix.reshape(channels, rows, cols, -1)
    return np.moveaxis(maps, 0, 2).reshape(matrix.shape)
