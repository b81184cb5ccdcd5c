"""Optimizers of published trainings, where Keras's are not the same."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("keras_attend")
class TF1RMSprop(keras.optimizers.RMSprop):
    r"""RMSprop as TensorFlow 1 starts it: with a mean square of one.

    $$s \leftarrow \rho s + (1 - \rho) g^2, \qquad
      m \leftarrow \mu m + \eta g / \sqrt{s + \epsilon}, \qquad w \leftarrow w - m$$

    Keras starts $s$ at 0, which makes the first steps much larger. The defaults are
    HART's (Kosiorek et al. 2017) for KITTI; its clipping, by the root mean square of
    all gradients, is `global_clipnorm=0.3 * sqrt(number of weights)`, and hardly ever
    acts.
    """

    def __init__(
        self,
        learning_rate: Any = 3.3e-6,
        rho: float = 0.9,
        momentum: float = 0.9,
        epsilon: float = 1e-10,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, rho, momentum, epsilon, **kwargs)

    def add_optimizer_variables(
        self, trainable_variables: Any, name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Keras's, but for where the mean squares start."""
        if name == "velocity":
            initializer = "ones"
        return super().add_optimizer_variables(trainable_variables, name, initializer)
