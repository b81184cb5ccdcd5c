import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_attend.datasets import Digits, mnist, sample_digits
from keras_attend.datasets.digits import warp
from keras_attend.datasets.mnist_digits import write_sample

needs_mnist = pytest.mark.usefixtures("mnist_file")


# The sample.


def test_sample_has_five_of_each_class():
    images, labels = sample_digits()
    assert images.shape == (50, 28, 28, 1) and images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert (np.bincount(labels) == 5).all()


@needs_mnist
def test_sample_is_the_first_five_of_each_class(tmp_path):
    write_sample(tmp_path / "sample.npz")
    made = np.load(tmp_path / "sample.npz")
    images, labels = sample_digits()
    np.testing.assert_array_equal(made["images"], images)
    np.testing.assert_array_equal(made["labels"], labels)


# MNIST.


@needs_mnist
def test_splits_partition_mnist():
    train, train_labels = mnist("train", validation=10000)
    held_out, held_out_labels = mnist("validation", validation=10000)
    everything, labels = mnist("train", validation=0)
    assert train.shape == (50000, 28, 28, 1) and train.dtype == np.uint8
    assert train_labels.dtype == np.int32
    np.testing.assert_array_equal(np.concatenate([train, held_out]), everything)
    np.testing.assert_array_equal(np.append(train_labels, held_out_labels), labels)
    assert len(mnist("train")[0]) == 54000
    assert mnist("test")[0].shape == (10000, 28, 28, 1)


@needs_mnist
def test_mnist_is_in_its_original_order():
    assert mnist("train")[1][:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist("test")[1][:5].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "Received: split='dev'"),
        ({"validation": -1}, "Received: validation=-1"),
        ({"validation": 60000}, "Received: validation=60000"),
        ({"split": "validation", "validation": 0}, "validation split is empty"),
    ],
)
def test_mnist_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        mnist(**arguments)


def test_folder_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_ATTEND_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="must name a folder that exists"):
        mnist()


def test_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_ATTEND_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"must hold mnist\.npz"):
        mnist()


def write_wrong_names(path):
    np.savez(path, images=np.zeros(3))


def write_wrong_shapes(path):
    np.savez(path, x_train=[0], y_train=[0], x_test=[0], y_test=[0])


def write_pickle(path):
    np.savez(path, x_train=np.array([{}], dtype=object))


def write_truncated(path):
    np.savez_compressed(path, x_train=np.arange(1000))
    path.write_bytes(path.read_bytes()[:700])


def write_empty(path):
    path.touch()


@pytest.mark.parametrize(
    "write",
    [
        write_wrong_names,
        write_wrong_shapes,
        write_pickle,
        write_truncated,
        write_empty,
    ],
)
def test_file_is_damaged(write, tmp_path, monkeypatch):
    write(tmp_path / "mnist.npz")
    monkeypatch.setenv("KERAS_ATTEND_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"mnist\.npz is .*not MNIST"):
        mnist()


def test_no_network(monkeypatch):
    def fails():
        raise Exception("URL fetch failure")

    monkeypatch.delenv("KERAS_ATTEND_DATA", raising=False)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", fails)
    with pytest.raises(OSError, match=r"KERAS_ATTEND_DATA.*URL fetch failure"):
        mnist()


# Batches.


def numbered(count):
    """Images that carry their own number, so that an order can be read off."""
    images = np.zeros((count, 4, 4, 1), "uint8")
    images[:] = np.arange(count)[:, None, None, None]
    return images, np.arange(count)


def test_batches_hold_every_image_once():
    data = Digits(*numbered(10), batch_size=4)
    assert len(data) == 3
    assert [len(labels) for _, labels in data] == [4, 4, 2]
    images = np.concatenate([x for x, _ in data])
    labels = np.concatenate([y for _, y in data])
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
    assert sorted(labels) == list(range(10)) != labels.tolist()


def test_without_shuffling_the_order_stays():
    data = Digits(*numbered(10), batch_size=4, shuffle=False)
    data.on_epoch_end()
    assert np.concatenate([y for _, y in data]).tolist() == list(range(10))


def test_a_batch_depends_on_seed_epoch_and_index_alone():
    images, labels = sample_digits()
    arguments = {"batch_size": 8, "shift": 2, "rotation": 10}
    one = Digits(images, labels, seed=3, **arguments)
    two = Digits(images, labels, seed=3, **arguments)
    two[0], two[5]
    np.testing.assert_array_equal(one[2][0], two[2][0])
    first = one[2][0]
    one.on_epoch_end()
    assert (one[2][0] != first).any()
    one.epoch = 0
    np.testing.assert_array_equal(one[2][0], first)
    assert (Digits(images, labels, seed=4, **arguments)[2][0] != first).any()


def test_one_image():
    (batch,) = Digits(*numbered(1), batch_size=4, shift=1)
    assert batch[0].shape == (1, 4, 4, 1)


def one_layer():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.build((None, 28, 28, 1))
    return model


def test_fit_is_reproducible():
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        data = Digits(*sample_digits(), 16, rotation=15)
        history = one_layer().fit(data, epochs=2, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
        assert data.epoch > 1
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_fit_with_threads():
    data = Digits(*sample_digits(), 16, rotation=15, workers=3)
    losses = one_layer().fit(data, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 4, 4))}, r"Received: images.shape=\(2, 4, 4\)"),
        ({"images": np.zeros((2, 4, 4, 3))}, r"\[N, height, width, 1\]"),
        ({"labels": np.zeros(3)}, r"labels.shape=\(3,\)"),
        (
            {"images": np.zeros((0, 4, 4, 1)), "labels": np.zeros(0)},
            "must not be empty",
        ),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"shift": -1}, "Received: shift=-1"),
        ({"rotation": float("nan")}, "Received: rotation=nan"),
        ({"scale": 1}, "Received: scale=1"),
    ],
)
def test_digits_rejects(arguments, message):
    arguments = {
        "images": np.zeros((2, 4, 4, 1)),
        "labels": np.zeros(2),
    } | arguments
    with pytest.raises(ValueError, match=message):
        Digits(**arguments)


def test_index_out_of_range():
    with pytest.raises(IndexError, match=r"3 batches\. Received: index=3"):
        Digits(*numbered(10), batch_size=4)[3]


# Warps.


def reference_warp(image, map_):
    """One image, one pixel at a time."""
    height, width = image.shape
    center_y, center_x = (height - 1) / 2, (width - 1) / 2
    result = np.zeros((height, width))
    for row, column in np.ndindex(height, width):
        y, x = map_ @ [row - center_y, column - center_x, 1] + [center_y, center_x]
        for i in (int(np.floor(y)), int(np.floor(y)) + 1):
            for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                if 0 <= i < height and 0 <= j < width:
                    weight = (1 - abs(y - i)) * (1 - abs(x - j))
                    result[row, column] += weight * image[i, j]
    return result


def test_warp_equals_the_reference():
    rng = np.random.default_rng(0)
    images = rng.random((6, 7, 5, 1)).astype("float32")
    maps = rng.normal(0, 0.3, (6, 2, 3))
    maps[:, [0, 1], [0, 1]] += 1
    maps[:, :, 2] *= [[0], [1], [3], [5], [30], [1e4]]  # to far outside
    expected = [reference_warp(x[..., 0], m) for x, m in zip(images, maps, strict=True)]
    warped = warp(images, maps.astype("float32"))[..., 0]
    np.testing.assert_allclose(warped, expected, atol=1e-5)


def test_warp_scales_uint8():
    images, _ = sample_digits()
    identity = np.tile(np.eye(2, 3, dtype="float32"), (50, 1, 1))
    np.testing.assert_allclose(warp(images, identity), images / 255, atol=1e-6)


def test_warps_stay_within_their_ranges():
    """A dot off the centre lands where the drawn map says it may."""
    images = np.zeros((500, 29, 29, 1), "float32")
    images[:, 14, 22] = 1  # eight pixels right of the centre
    grid = np.arange(29) - 14

    def moments(**arguments):
        (x, _), *_ = Digits(images, np.zeros(500), 500, **arguments)
        x = x[..., 0]
        mass = x.sum((1, 2))
        y_mean = (x.sum(2) @ grid) / mass
        x_mean = (x.sum(1) @ grid) / mass
        return y_mean, x_mean

    y, x = moments(shift=3)
    for moved in (y, x - 8):
        assert np.abs(moved).max() <= 3.01 and moved.min() < -2.8 < 2.8 < moved.max()
    y, x = moments(rotation=20)
    angle = np.degrees(np.arctan2(y, x))
    assert 18 < np.abs(angle).max() < 22 and angle.min() < -18
    y, x = moments(scale=0.2)
    np.testing.assert_allclose(y, 0, atol=1e-5)
    assert 6.3 < x.min() < 6.6 and 9.4 < x.max() < 9.7


def test_jax_imports_no_tensorflow():
    code = (
        "import sys; from keras_attend.datasets import Digits, sample_digits\n"
        "Digits(*sample_digits(), shift=1)[0]\n"
        "assert 'tensorflow' not in sys.modules"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
