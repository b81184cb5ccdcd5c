"""Optimizers that published trainings used and that Keras lacks."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("keras_attend")
class TF1RMSprop(keras.optimizers.RMSprop):
    r"""RMSprop whose mean square is 1 before the first step, as in TensorFlow 1.

    $$s \leftarrow \rho s + (1 - \rho) g^2, \qquad
      m \leftarrow \mu m + \eta g / \sqrt{s + \epsilon}, \qquad w \leftarrow w - m$$

    Keras begins with $s = 0$, which makes the early steps much larger. The defaults are
    those of HART's training on KITTI (Kosiorek et al. 2017). That training also clips
    gradients by their root mean square, which is
    `global_clipnorm=0.3 * sqrt(number of weights)` and has an effect in few steps.
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
        """Create the optimizer's variables, with mean squares (`velocity`) of 1."""
        if name == "velocity":
            initializer = "ones"
        return super().add_optimizer_variables(trainable_variables, name, initializer)
