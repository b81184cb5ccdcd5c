"""AIR: attend, infer, repeat (Eslami et al. 2016)."""

from typing import Any

import keras
from keras import ops

from keras_attend.arguments import check_not_negative
from keras_attend.models.air import elbo
from keras_attend.models.air.counts import check_counts_alone, metrics_with_counts
from keras_attend.models.air.dreams import sure_from
from keras_attend.models.air.inference import AIRInference
from keras_attend.models.air.sampling import generated, importance_weighted
from keras_attend.models.first_batch import check_images, first_batch
from keras_attend.policies import CategoricalPolicy, draw_seeds
from keras_attend.types import Array, Tensor

SEARCH, COUNT = 100.0, 20.0  # what the map learns in dreams counts so many nats


@keras.saving.register_keras_serializable("keras_attend")
class AIR(AIRInference):
    r"""Find, count and draw the objects of a picture, without a label.

    ```python
    model = ka.models.AIR(size=50, steps=3)
    model.compile("adam")
    model.fit(images)  # [N, 50, 50, 1] in 0..1, or uint8
    found = model.predict(images)
    found["count"], found["boxes"]
    ```

    Attend, infer, repeat (Eslami et al. 2016): an auto-encoder that takes a picture
    apart one object after the other. Each step looks for an object that is not drawn
    yet, reads it through a window at $z^{where}_t$, encodes it as $z^{what}_t$ and
    draws it (`AIRCell`). Whether to go on, and what and where each object is, are
    learned by maximising a bound of the pictures' likelihood (`elbo.py`).

    `inference="reinforce"` is the paper's: the number of objects $n$ is drawn, and
    learned by REINFORCE with a learned baseline (NVIL). The LSTM sees the picture, here
    at half its size.

    `inference="enumerate"` is not in the paper, and its runs differ least: with N steps
    there are N + 1 outcomes, and the bound is a sum over all, with no noise of a draw.
    The LSTM also sees the residual, the picture less what is drawn so far. On 0 to 2
    digits all of five runs worked so, and one of five as the paper has it
    (`zoo/air_mnist/reinforce.md`).

    A picture with more objects than `steps` is counted as having `steps`.

    Args:
        size: of the pictures in pixels, an integer or `(height, width)`.
        channels: of the pictures.
        steps: N, the greatest number of objects.
        window: points along each side of a window, at most the picture's.
        what: how many numbers $z^{what}$ has.
        units: of the LSTM and of what it sees.
        inference: "enumerate" or "reinforce".
        residual: whether the LSTM sees the residual; None as `inference` has it.
        background: what is behind the objects. "none" is black, as in the paper, and
            objects' brightness is added up. On "mean", one learned picture, and "vae",
            a picture from a small auto-encoder, objects hide what is behind them; so
            they do on "grid", a blurred copy of the picture. Or a layer like
            `VAEBackground`.
        paint: what an object's colour is: "ink" is one for all objects (white where
            the background is "none"), "flat" one for each object, "vivid" one for each
            object that cannot be dull (`vivid.py`; pictures must have three channels),
            "pixels" one for each of its pixels.
        search: how places are found. "lstm" is the paper's; "map" rates each cell of
            8x8 pixels and looks where that is highest (`SearchMap`), which is not. It
            learns before backgrounds where an LSTM does not.
        blend: whether a pixel may show a blend of things, whose colours are mixed by
            objects' opacity; otherwise it shows one of them, and opacity is the
            probability of which (`elbo.mixture_log_likelihood`). An object then must
            match a pixel's colour to explain it.
        counting: what tells the number of objects. "logits" is the paper's: at each
            step the network says whether there is one more. "bound" is how well each
            number explains the picture, of which the bound has a term:
            $q(n) \propto p(n) \exp(L_n - K_n)$, the q that makes it greatest. There may
            be more objects then than pictures had in training.
        likelihood: of a pixel about what is drawn: "normal" or "laplace".
        sigma: the likelihood's scale. Without `blend` it is the objects', and "grid"
            has its own.
        prior: what is expected of objects; `ObjectPrior()` when absent.

    Call arguments:
        images: `[B, H, W, C]`, `float32` in 0..1 or `uint8`.

    Returns a dict, in training of draws from the posteriors and else of their means:
        count: `[B]`, the most probable number of objects.
        count_probs: `[B, steps + 1]`, the probability of each number.
        presence: `[B, steps]`, the probability of at least 1, 2, ... objects.
        boxes: `[B, steps, 4]`, boxes about what was drawn: x, y, width and height in
            pixels, (0, 0) the corner of the picture; 0 of steps beyond `count`.
        where: `[B, steps, 3]`, $z^{where}$; see `ObjectPrior`.
        what: `[B, steps, what]`, $z^{what}$.
        canvas: `[B, H, W, C]`, the picture as it is explained.
        background: `[B, H, W, C]`, what is behind the objects.
        masks: `[B, steps, H, W, 1]`, how opaque each object is at each pixel; 0 of
            steps beyond `count`.
        canvases: `[B, steps + 1, H, W, C]`, what is drawn after each step.
        logits: `[B, steps]`, whether a further object is present.
        L: `[B, steps + 1]`, the log-likelihood of the picture for each count.
        K: `[B, steps + 1]`, the divergence that each count costs.
        log_ratio: `[B, steps + 1]`, the logarithm of prior over posterior of the draws.
        hidden: `[B, steps, units]`, $h_t$.

    `fit` needs pictures alone. It, `evaluate` and `validation_data` may have targets
    `{"count": [B]}`, which are used for the metric `count_accuracy` and nothing else.
    The metric `elbo` is the bound in nats. While the model is trained, its loss is the
    bound with an annealed prior, and by REINFORCE a number whose gradient alone means
    something.

    A model with `search="map"` and without `blend` that finds objects on black pictures
    can learn to find them elsewhere: `fit({"images": images, "plain": plain})`, of
    which the latter are black pictures. It lays what it finds there over the others,
    and learns to find it again (`dreams.py`).
    """

    compile_arguments = ("anneal", "explore", "crisp", "keep_drawing")
    anneal, explore, crisp, keep_drawing = 0, 0.0, 0, False

    # Section 2: inference.

    def call(self, images: Any, training: bool | None = None) -> dict[str, Any]:
        """Take pictures apart; see the class."""
        if isinstance(images, dict):
            return self.dream(**images)
        return self.explain(images, bool(training), bool(training) and self.crisp > 0)

    # Section 2.1: learning.

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        anneal: int = 1500,
        explore: float = 0.0,
        crisp: int = 0,
        keep_drawing: bool = False,
        **kwargs: Any,
    ) -> None:
        """Keras's `compile`, without a loss.

        Args:
            optimizer: as of Keras.
            anneal: over how many batches of the training the prior of a further object
                falls from 0.5 to `prior.presence`. At first objects must be cheap: the
                model has to learn to draw them before it can learn to count.
            explore: how much of the bound of a model that finds each count equally
                probable is added to the objective; it falls to 0 in `anneal` batches.
                Objects go on learning where the model has come to draw none.
            crisp: in so many first batches of the training a pixel shows one thing, and
                no blend of things: an object's opacity is the probability that it is
                the object (`elbo.mixture_log_likelihood`). Faint objects explain
                nothing then, so that one object is not drawn as several faint ones.
            keep_drawing: whether the layers that make pixels of $z^{what}$ stay as they
                are, while the others learn.
            **kwargs: as of `AttentionModel.compile`.
        """
        check_not_negative(anneal=anneal, explore=explore, crisp=crisp)
        if crisp:
            self.check_crisp("crisp")
        self.anneal, self.explore, self.crisp = anneal, float(explore), crisp
        if keep_drawing or self.keep_drawing:  # else it is the user's to freeze layers
            for layer in self.cell.drawing():
                layer.trainable = not keep_drawing
        self.keep_drawing = bool(keep_drawing)
        super().compile(optimizer, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The mean of `sample_losses`; outside training of draws of their own.

        `call` returns posteriors' means there, for which the bound does not hold.
        """
        free: Any = 0.0
        if training:
            batches = ops.convert_to_tensor(self.batches)
            if self.anneal:
                free = ops.relu(1.0 - batches / self.anneal)
            if self.crisp:
                L = ops.where(batches < self.crisp, y_pred["L_crisp"], y_pred["L"])
                y_pred = y_pred | {"maximised": L}
            if "known" in y_pred:
                sure = sure_from(batches / max(self.anneal, 1))
                missed = self.missed(y_pred, sure, 1.0 + free)
                y_pred = y_pred | {"missed": missed}
            if self.explore:
                y_pred = y_pred | {"explore": self.explore * free}
            self.batches.assign(batches + 1.0)  # after it was read
        else:
            y_pred = self.explain(x, drawn=True)
        y_pred = y_pred | {"log_prior": self.prior.log_count_probs(self.steps, free)}
        if training and self.inference == "reinforce":
            log_q = elbo.log_count_probs(ops.stop_gradient(y_pred["logits"]))
            seed = draw_seeds(1, self.seed_generator)[0, 0]
            y_pred["drawn_count"] = CategoricalPolicy().sample(log_q, seed)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def sample_losses(self, x: Any, y: Any, y_pred: dict[str, Tensor]) -> Tensor:
        """Minus the bound `[B]`, or what REINFORCE makes of it; updates `elbo`.

        Args:
            x: pictures, which are not used.
            y: targets, which are not used.
            y_pred: what `explain` returns, of draws; `log_prior`, `[N + 1]`; if
                `compile` says so, `explore`, and `maximised` in the place of L; and for
                REINFORCE `drawn_count`, `[B]`.
        """
        K, log_p = y_pred["K"], y_pred["log_prior"]
        log_q = elbo.log_count_probs(y_pred["logits"])
        true_p = self.prior.log_count_probs(self.steps)
        true_bound = elbo.outcomes_value(y_pred["L"], K, true_p, log_q)[1]
        self.elbo_mean.update_state(true_bound)
        L = y_pred.get("maximised", y_pred["L"])
        dreams = "missed" in y_pred
        exact, best = elbo.exact_value(L, K, log_p)
        bound = best if dreams else elbo.outcomes_value(L, K, log_p, log_q)[1]
        if "explore" in y_pred:
            bound = bound + y_pred["explore"] * ops.mean(L - K, axis=-1)
        if dreams:  # of dreams the map is told where to look, of others what it found
            told = ops.sum(ops.stop_gradient(exact) * log_q, axis=-1)
            search = SEARCH * y_pred["missed"]
            told = -COUNT * told[ops.shape(search)[0] :]
            return ops.concatenate([search, told], axis=0) - bound
        if "drawn_count" not in y_pred:
            return -bound
        count = y_pred["drawn_count"]
        b_t = self.baseline(y_pred["hidden"])
        losses, R_t = elbo.reinforce_losses(L, K, log_p[None], log_q, count, b_t)
        return losses + self.baseline.losses_of(b_t, R_t, count)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss and bound; and the share of right counts, of targets with counts."""
        right = None
        if y is not None:
            true = ops.reshape(ops.cast(y["count"], "int32"), (-1,))
            right = ops.cast(y_pred["count"] == true, "float32")
        return metrics_with_counts(self, right, sample_weight)

    def check_data(self, x: Any, y: Any, training: bool = False) -> None:
        """Refuse pictures that are not in 0..1, and labels."""
        first, _ = first_batch(x, y)
        if isinstance(first, dict) and not training:
            raise ValueError(
                "`evaluate` and `predict` take pictures as one array: two kinds of "
                f"them are for `fit` alone. Received: a dict of {sorted(first)}"
            )
        for images in self.check_dreams(first) if isinstance(first, dict) else [x]:
            check_images(images, y)
        check_counts_alone(x, y, "AIR", "fit(images)", "[B]")

    # Section 2: the model that the bound is of.

    def log_likelihood(
        self, images: Any, samples: int = 50, batch_size: int = 100
    ) -> Array:
        r"""Estimate $\log p(x)$ in nats, `[N]`, by importance sampling.

        $$\log \frac{1}{k} \sum_{i=1}^{k} \sum_n p(n) \,
          \frac{p(x, z^i_{\le n} \mid n)}{q(z^i_{\le n} \mid x)}, \qquad
          z^i \sim q(z \mid x)$$

        It is a lower bound in expectation, and a closer one the greater k is (Burda et
        al. 2016).

        Args:
            images: `[N, H, W, C]`, as of `call`.
            samples: k.
            batch_size: the number of pictures in a batch.
        """
        return importance_weighted(self, images, samples, batch_size)

    def generate(self, n: int, seed: int = 0, count: int | None = None) -> Array:
        """Draw pictures `[n, H, W, C]` from the prior.

        Args:
            n: the number of pictures.
            seed: the seed of all draws.
            count: the number of objects in each picture; drawn from the prior when
                absent. (The default prior has 99 of 100 pictures empty.)
        """
        return generated(self, n, seed, count)
