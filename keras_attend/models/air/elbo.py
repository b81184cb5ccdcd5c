r"""AIR's objective: how well a picture is explained, less what the explanation costs.

A pass over a picture finds N objects; that the first $n$ of them are there has the
probability $q(n) = (1 - \pi_{n+1}) \prod_{t \le n} \pi_t$, with $\pi_t$ the presence of
step t and $\pi_{N+1} = 0$. Drawing them has the log-likelihood $L_n$ and costs $K_n$
nats, the divergences of their places and appearances. Then

$$\mathrm{ELBO} = \sum_{n=0}^{N} q(n) \left( L_n - K_n + \log p(n) - \log q(n) \right)$$

is a lower bound of $\log p(x)$, in expectation over the draws of places and
appearances (Eslami et al. 2016, eq. 2 and 3). In all functions the outcomes are the
last axis, `[B, N + 1]`.
"""

from typing import Any

from keras import ops

from keras_attend.compat import tfp_distributions
from keras_attend.reinforce import reinforce_loss, rewards_to_go
from keras_attend.types import Tensor

LIKELIHOODS = ("normal", "laplace")


def log_likelihood(images: Tensor, canvas: Tensor, kind: str, sigma: float) -> Tensor:
    r"""$\log p(x \mid \hat x)$ in nats, `[...]`, of pictures `[..., H, W, C]`."""
    pixels = pixels_log_likelihood(images, canvas, kind, sigma)
    return ops.sum(pixels, axis=(-2, -1))


def pixels_log_likelihood(
    images: Tensor, canvas: Tensor, kind: str, sigma: Any
) -> Tensor:
    """`log_likelihood` of each pixel, `[..., H, W]`."""
    tfd = tfp_distributions()
    family = tfd.Normal if kind == "normal" else tfd.Laplace
    return ops.sum(family(canvas, sigma).log_prob(images), axis=-1)


def mixture_log_likelihood(
    images: Tensor,
    background: Tensor,
    spread: Any,
    masks: Tensor,
    colors: Tensor,
    kind: str,
    sigma: float,
) -> Tensor:
    r"""$L_n$ in nats, `[B, N + 1]`, if a pixel shows one thing, and no blend of things.

    The opacity $\alpha_t$ of an object is the probability that the pixel shows it, and
    not what is behind it:

    $$p_t(x) = \alpha_t \, p(x \mid \text{color}_t) + (1 - \alpha_t) \, p_{t-1}(x)$$

    Args:
        images: `[B, H, W, C]`.
        background: `[B, H, W, C]`, the mean of $p_0$.
        spread: the scale of $p_0$, a number or `[B, H, W, 1]`.
        masks: $\alpha_t$, `[B, N, H, W, 1]`.
        colors: `[B, N, 1, 1, C]`.
        kind, sigma: as of `log_likelihood`; $\sigma$ is the objects' scale.
    """
    pixels = pixels_log_likelihood(images, background, kind, spread)  # [B, H, W]
    L = [ops.sum(pixels, axis=(1, 2))]
    for t in range(masks.shape[1]):
        alpha = ops.clip(masks[:, t, :, :, 0], 1e-6, 1 - 1e-6)
        shown = pixels_log_likelihood(images, colors[:, t], kind, sigma)
        shown = ops.log(alpha) + shown
        pixels = ops.logaddexp(shown, ops.log(1 - alpha) + pixels)
        L.append(ops.sum(pixels, axis=(1, 2)))
    return ops.stack(L, axis=-1)


def log_count_probs(logits: Tensor) -> Tensor:
    r"""$\log q(n)$, `[B, N + 1]`, of presences' logits `[B, N]`."""
    absent, present = ops.log_sigmoid(-logits), ops.log_sigmoid(logits)
    none = ops.zeros_like(logits[:, :1])
    before = ops.concatenate([none, ops.cumsum(present, axis=-1)], axis=-1)
    return before + ops.concatenate([absent, none], axis=-1)


def outcomes_value(
    L: Tensor, K: Tensor, log_p: Tensor, log_q: Tensor
) -> tuple[Tensor, Tensor]:
    r"""$f(n) = L_n - K_n + \log p(n) - \log q(n)$, and $\sum_n q(n) f(n)$, `[B]`."""
    f = L - K + log_p - log_q  # [B, N + 1]
    return f, ops.sum(ops.exp(log_q) * f, axis=-1)


def exact_value(L: Tensor, K: Tensor, log_p: Tensor) -> tuple[Tensor, Tensor]:
    r"""The greatest value of the sum, and the $q(n)$ for which it has that.

    $$q^*(n) \propto p(n) \exp(L_n - K_n), \qquad
      \sum_n q^*(n) f(n) = \log \sum_n p(n) \exp(L_n - K_n)$$

    Returns:
        $q^*$, `[B, N + 1]`, and the sum, `[B]`.
    """
    joint = L - K + log_p
    return ops.softmax(joint, axis=-1), ops.logsumexp(joint, axis=-1)


def log_weight(L: Tensor, log_ratio: Tensor, log_p: Tensor) -> Tensor:
    r"""$\log \sum_n p(n)\, p(x \mid z_{\le n})\, p(z_{\le n}) / q(z_{\le n})$, `[B]`.

    The mean of its exponential over draws $z \sim q$ is $p(x)$ (Burda et al. 2016).

    Args:
        L: $L_n$.
        log_ratio: $\log p(z_{\le n}) - \log q(z_{\le n})$ of the draws.
        log_p: $\log p(n)$.
    """
    return ops.logsumexp(L + log_ratio + log_p, axis=-1)


def step_rewards(
    L: Tensor, K: Tensor, log_p: Tensor, log_q: Tensor, count: Tensor
) -> Tensor:
    r"""What the decision at each step leads to, when $n$ objects were drawn, `[B, N]`.

    Decision t says whether an object t is there; the steps $t \le n + 1$ decide. The
    sum of all rewards is $f(n)$ less what no decision changes, and a decision is
    credited with the rewards that follow it.

    Args:
        L, K, log_p, log_q: as of `outcomes_value`.
        count: $n$ of each picture, `[B]`, an integer.
    """
    N = L.shape[-1] - 1
    t = ops.arange(1, N + 1)
    n = count[:, None]
    costs = K[:, 1:] - K[:, :-1]  # [B, N], of each object
    surprise = decisions(log_p, count) - decisions(log_q, count)
    happened = ops.cast(t <= n, L.dtype)
    r_t = ops.where(t <= n + 1, surprise, 0.0) - happened * costs
    explained = ops.take_along_axis(L, n, axis=-1)  # [B, 1], at the end
    return r_t + explained * ops.cast(t == N, L.dtype)


def decisions(log_prob: Tensor, count: Tensor) -> Tensor:
    r"""Log-probabilities of the decisions that led to $n$ objects, `[B, N]`.

    Decision t has $\log p(n \ge t \mid n \ge t - 1)$ if it said yes and the complement
    if it said no; 0 where it was not taken.

    Args:
        log_prob: of the counts, `[B, N + 1]` or `[1, N + 1]`.
        count: $n$, `[B]`.
    """
    N = log_prob.shape[-1] - 1
    tail = [ops.logsumexp(log_prob[:, i:], axis=-1) for i in range(N + 1)]
    at_least = ops.stack(tail, axis=-1)  # log p(n >= i), [B, N + 1]
    yes = at_least[:, 1:] - at_least[:, :-1]
    no = log_prob[:, :-1] - at_least[:, :-1]
    t, n = ops.arange(1, N + 1), count[:, None]
    return ops.where(t <= n, yes, ops.where(t == n + 1, no, 0.0))


def reinforce_losses(
    L: Tensor, K: Tensor, log_p: Tensor, log_q: Tensor, count: Tensor, b_t: Tensor
) -> tuple[Tensor, Tensor]:
    r"""A loss `[B]` whose gradient is minus the ELBO's, in the mean over counts.

    $$-(L_n - K_n) - \sum_t \log q(d_t)\, (R_t - b_t)$$

    The first term trains what was drawn, the second the decisions $d_t$, by REINFORCE
    with the rewards that follow each, $R_t$, and a baseline (NVIL, Mnih and Gregor
    2014).

    Args:
        L, K, log_p, log_q, count: as of `step_rewards`.
        b_t: the baseline, `[B, N]`.

    Returns:
        The loss, and the rewards that follow each decision, `[B, N]`.
    """
    R_t = rewards_to_go(step_rewards(L, K, log_p, log_q, count))
    drawn = ops.take_along_axis(L - K, count[:, None], axis=-1)[:, 0]
    return reinforce_loss(decisions(log_q, count), R_t, b_t) - drawn, R_t
