"""What the models of the house share, whatever they look at."""

import inspect
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attend import compat, distributed
from keras_attend.arguments import KeepsArguments, check_shape
from keras_attend.compiling import first_call_announced
from keras_attend.layers.tracing import filter_along_x, filter_along_y
from keras_attend.models import job_size
from keras_attend.models.first_batch import check_images
from keras_attend.models.job_size import compiles_slowly, count_batches
from keras_attend.types import Tensor

# In a saved model's compile configuration, beside the arguments of `compile`.
OPTIMIZER_BUILT = "optimizer_built"
# What Keras's functions are, in words.
STEPS = {
    "train": "the training step",
    "test": "the evaluation step",
    "predict": "the prediction step",
}


class AttentionModel(KeepsArguments, keras.Model):
    """A model with a loss of its own, compiled under XLA unless told otherwise.

    A subclass writes `sample_losses`, `compute_metrics` and, if `fit`, `evaluate` and
    `predict` are to refuse some data, `check_data`; Keras's own training step then
    serves on every backend. `serving_shape` is the input's shape, or a dict
    of shapes, for `export`.

    A subclass whose `compile` takes arguments that Keras's does not know keeps each
    as an attribute of the same name and lists the names in `compile_arguments`, as
    `HART` does. They are saved and loaded with the model.
    """

    serving_shape: Any = ()
    compile_arguments: tuple[str, ...] = ()
    _xla_by_size = False  # whether each job's size decides, see `compile`
    jit_compile: Any  # Keras sets it
    _suited: bool | None = None  # the `jit_compile` that was chosen last

    def sample_losses(self, x: Any, y: Any, y_pred: Any) -> Tensor:
        """The loss `[B]` of inputs and targets as `fit` got them, and of outputs."""
        raise NotImplementedError

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The mean of `sample_losses`, weighted, and of regularisers if any."""
        loss = self.sample_losses(x, y, y_pred)
        if sample_weight is not None:
            loss = loss * ops.cast(ops.reshape(sample_weight, (-1,)), loss.dtype)
        # `losses` are of layers that were given a regulariser.
        return distributed.mean(sum(self.losses, loss))

    def compile(
        self, optimizer: Any = "adam", *, jit_compile: bool | None = None, **kwargs: Any
    ) -> None:
        """Keras's `compile`, by default under XLA and without a loss.

        TensorFlow goes without XLA where that is faster (see `prefers_xla`), and on a
        CPU in calls of `fit`, `evaluate` and `predict` of fewer than 200 batches, which
        would end before XLA has compiled them. JAX has nothing else.
        """
        if chosen := jit_compile is None:
            jit_compile = self.prefers_xla or keras.backend.backend() == "jax"
        if kwargs.get("loss") is not None:
            name = type(self).__name__
            raise ValueError(
                f"{name} has its own loss (see {name}.sample_losses): leave `loss` "
                f"out. Received: loss={kwargs['loss']!r}"
            )
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self._xla_by_size, self._suited = chosen and self.jit_compile, self.jit_compile
        for kind in STEPS:  # whether the function that was made is compiled by XLA
            setattr(self, f"_{kind}_xla", None)

    @property
    def prefers_xla(self) -> bool:
        """Whether TensorFlow runs the model faster under XLA, on a CPU."""
        return True

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `fit`, after a check of the first batch; with XLA if it is long."""
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        self.check_data(x, y, training=True)
        if isinstance(held_out := given.get("validation_data"), tuple | list):
            self.check_data(*held_out[:2])
        elif held_out is not None:
            self.check_data(held_out, None)
        steps, epochs = given.get("steps_per_epoch"), given.get("epochs", 1)
        self._suit_xla(
            "train", count_batches(x, given.get("batch_size"), steps, epochs)
        )
        compat.infer_directions(given.get("callbacks"), self.metrics)
        drawn = given.get("shuffle", True), given.get("class_weight")
        return super().fit(compat.untuned(x, *drawn), y, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras's `evaluate`, after a check of the first batch; with XLA if long."""
        # `fit` calls it after each epoch, of data that were checked before.
        if not kwargs.get("_use_cached_eval_dataset"):
            self.check_data(x, y)
        batch_size = args[0] if args else kwargs.get("batch_size")
        self._suit_xla("test", count_batches(x, batch_size, kwargs.get("steps")))
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Keras's `predict`, after a check of the first batch; with XLA if long."""
        self.check_data(x, None)
        batch_size = args[0] if args else kwargs.get("batch_size")
        self._suit_xla("predict", count_batches(x, batch_size, kwargs.get("steps")))
        return super().predict(x, *args, **kwargs)

    def check_data(self, x: Any, y: Any, training: bool = False) -> None:
        """Raise a `ValueError` if data of `fit`, or of others, would give nonsense."""

    def _suit_xla(self, kind: str, size: float) -> None:
        """Choose for a call of so many batches, unless the user has."""
        changed = self.jit_compile != self._suited  # by hand, after `compile`
        if changed or not (self._xla_by_size and compiles_slowly()):
            return
        xla = size >= job_size.XLA_PAYS_FROM
        if getattr(self, f"_{kind}_xla") not in (None, xla):
            setattr(self, f"{kind}_function", None)  # Keras makes it again
        setattr(self, f"_{kind}_xla", xla)
        self.jit_compile = self._suited = xla

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        return self._announce("train", super().make_train_function, force)

    def make_test_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        return self._announce("test", super().make_test_function, force)

    def make_predict_function(self, force: bool = False) -> Any:
        """Keras's, which says so if its first call, the compilation, takes long."""
        return self._announce("predict", super().make_predict_function, force)

    def _announce(self, kind: str, make: Any, force: bool) -> Any:
        name, what = f"{kind}_function", STEPS[kind]
        if force or getattr(self, name) is None:
            make(force)
            if (made := getattr(self, name)) is not None:
                setattr(self, name, first_call_announced(made, what))
        return getattr(self, name)

    def get_compile_config(self) -> dict[str, Any]:
        """Arguments of `compile`, those of the subclass among them."""
        config: dict[str, Any] = super().get_compile_config()
        if not config:  # it was not compiled
            return config
        own = {name: getattr(self, name) for name in self.compile_arguments}
        if getattr(self.optimizer, "built", False):
            own[OPTIMIZER_BUILT] = True
        return config | own

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as a saved model was.

        Its optimizer is built if the saved one was: Keras loads no other's state, and
        warns of it, but not of a preset's folder, which holds no optimizer. Whether
        under XLA stays a question of the job's size.
        """
        built = config.get(OPTIMIZER_BUILT, False)
        config = {k: v for k, v in config.items() if k != OPTIMIZER_BUILT}
        if config.get("jit_compile") is True:
            del config["jit_compile"]
        self.compile(**keras.saving.deserialize_keras_object(config))
        for optimizer in (
            self.optimizer,
            getattr(self.optimizer, "inner_optimizer", 0),
        ):
            if optimizer:
                _load_what_was_saved(optimizer)
        if built and self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Keras's `summary`; `expand_nested=True` shows the layers of layers too."""
        with compat.expandable(self):
            super().summary(*args, **kwargs)

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Keras's `export`; by default for any batch and any size of image."""
        if len(args) < 3 and kwargs.get("input_signature") is None:
            shapes = self.serving_shape
            several = isinstance(shapes, dict)
            specs = {
                name: keras.InputSpec(shape=shape, dtype="float32")
                for name, shape in (shapes if several else {"": shapes}).items()
            }
            kwargs["input_signature"] = [specs if several else specs[""]]
        super().export(filepath, *args, **kwargs)


class Classifier(AttentionModel):
    """A model whose `logits` are scores of classes; `y` are integers, `[B]`.

    A subclass sets `classes` in its constructor.
    """

    classes: int

    @property
    def heads(self) -> list[keras.layers.Layer]:
        """The layers whose weights depend on `classes`."""
        raise NotImplementedError

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def check_data(self, x: Any, y: Any, training: bool = False) -> None:
        """Refuse images that are not in 0..1, and labels that are no class."""
        check_images(x, y)
        if y is None or not hasattr(y, "__len__") or len(y) == 0:
            return
        low, high = int(np.min(y)), int(np.max(y))
        if low < 0 or high >= self.classes:
            raise ValueError(
                f"The labels `y` must be in 0..{self.classes - 1}. "
                f"Received: labels in {low}..{high}"
            )

    def one_hot(self, y: Tensor) -> Tensor:
        """Labels `[B]` or `[B, 1]` as `[B, classes]`, NaN where they are no class."""
        y = ops.reshape(ops.cast(y, "int32"), (-1,))
        valid = ops.logical_and(y >= 0, y < self.classes)
        target = ops.one_hot(y, self.classes, dtype="float32")
        return ops.where(valid[:, None], target, float("nan"))

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss and accuracy."""
        self.accuracy.update_state(y, y_pred["logits"], sample_weight)
        return self.get_metrics_result()


def scaled_images(images: Tensor, channels: int, dtype: str) -> Tensor:
    """Images `[B, H, W, C]` in 0..1, of floats there or of uint8."""
    shape = tuple(images.shape)
    check_shape("images", shape, f"batch, height, width, {channels}")
    if 0 in shape[1:3]:
        raise ValueError(f"`images` must not be empty. Received: images.shape={shape}")
    if keras.backend.is_int_dtype(images.dtype):
        images = ops.cast(images, dtype) / 255.0
    return ops.cast(images, dtype)


def resized_images(images: Tensor, cell: Any) -> Tensor:
    """Images `[B, H, W, C]` in 0..1, at the `size` that a cell observes."""
    images = scaled_images(images, cell.channels, cell.compute_dtype)
    return fitted_images(images, cell.size)


def fitted_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images `[B, H, W, C]` scaled to `size`: bilinear, and wider where they shrink.

    `keras.ops.image.resize(antialias=True)` by two matrix products: TensorFlow has no
    XLA kernel for that, and file formats do not know it.
    """
    if tuple(images.shape[1:3]) == size:
        return images
    one = ops.ones((ops.shape(images)[0], 1, 1))
    rows, columns = (
        ops.cast(one * _scaling(old, new), images.dtype)
        for old, new in zip(ops.shape(images)[1:3], size, strict=True)
    )  # [B, rows, H], [B, columns, W]
    return filter_along_x(columns, filter_along_y(rows, images))


def _scaling(old: Any, new: int) -> Tensor:
    """What share each of `old` pixels has in each of `new` ones, `[new, old]`."""
    step = ops.cast(old, "float32") / new
    center = (ops.arange(new, dtype="float32") + 0.5) * step - 0.5  # pixel i is at i
    pixels = ops.cast(ops.arange(old), "float32")
    away = ops.abs(center[:, None] - pixels)
    near = ops.relu(1 - away / ops.maximum(step, 1.0))
    return near / ops.sum(near, axis=1, keepdims=True)


def _load_what_was_saved(optimizer: keras.Optimizer) -> None:
    """Let an optimizer keep its first state, without a warning, if none was saved."""
    load = optimizer.load_own_variables
    optimizer.load_own_variables = lambda store: load(store) if store.keys() else None
