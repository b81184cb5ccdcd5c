r"""REINFORCE with a baseline (Williams 1992), for any model.

The gradient of the expected return $J = E[\sum_t r_t]$ in the parameters of a policy
$\pi$ (Mnih et al. 2014, eq. 2, one episode):

$$\nabla J \approx \sum_t \nabla \log \pi(a_t)\, (R_t - b_t)$$

The functions take log-probabilities, rewards and baselines, time on the last axis,
and return losses whose gradient is $-\nabla J$.
"""

from keras import ops

from keras_attend.arguments import check_choice
from keras_attend.types import Tensor

RETURNS = ("immediate", "to_go", "total")


def rewards_to_go(r_t: Tensor, discount: float = 1.0) -> Tensor:
    r"""$R_t = \sum_{t' \ge t} \gamma^{t'-t} r_{t'}$, `[..., T]`: what $a_t$ can change.

    RAM's eq. 2 writes $R_t$ from $t' = 1$ yet describes it as the rewards that
    follow $a_t$; with a reward at the end alone the two are the same.
    """
    T = r_t.shape[-1]
    t = ops.arange(T, dtype="float32")
    lag = t[:, None] - t[None, :]  # [t', t]
    weight = ops.where(lag >= 0, ops.power(float(discount), ops.maximum(lag, 0)), 0.0)
    return ops.matmul(r_t, ops.cast(weight, r_t.dtype))


def lambda_returns(R: Tensor, b_t: Tensor, trace: float = 1.0) -> Tensor:
    r"""$G_t = (1 - \lambda) b_{t+1} + \lambda G_{t+1}$, $G_T = R$, `[..., T]`.

    What an action is credited with when the only reward comes at the end: $R$ if
    $\lambda = 1$. With less, the baseline of the next state says how well $a_t$ turned
    out, with less noise and its own errors (Sutton and Barto 2018, section 12.1).

    Args:
        R: the reward, `[..., 1]`.
        b_t: baselines, `[..., T]`; no gradient flows into them.
        trace: $\lambda$.
    """
    if trace == 1.0:
        return R
    b_t = ops.stop_gradient(b_t)
    following = ops.concatenate([b_t[..., 1:], R], axis=-1)  # [..., T]
    return b_t + rewards_to_go(following - b_t, discount=trace)


def reinforce_loss(log_pi_t: Tensor, R_t: Tensor, b_t: Tensor) -> Tensor:
    r"""$-\sum_t \log \pi(a_t)\, (R_t - b_t)$, `[...]`.

    Args:
        log_pi_t: $\log \pi(a_t)$ of the actions taken, `[..., T]`.
        R_t: returns, `[..., T]` or `[..., 1]`.
        b_t: baselines, `[..., T]`. No gradient flows into them or the returns.
    """
    advantage_t = ops.stop_gradient(R_t - b_t)
    return -ops.sum(log_pi_t * advantage_t, axis=-1)


def episode_returns(r_t: Tensor, form: str = "immediate") -> Tensor:
    r"""What the action at $t$ is credited with, `[..., T]`, of rewards `[..., T]`.

    * "immediate": $r_t$. Unbiased where an action changes no later reward, as in
      DRLT, whose draws are not fed back, and of the least variance there.
    * "to_go": $\sum_{t' \ge t} r_{t'}$.
    * "total": $\sum_{t'} r_{t'}$, for all of them.
    """
    check_choice("form", form, RETURNS)
    if form == "immediate":
        return r_t
    if form == "to_go":
        return rewards_to_go(r_t)
    return ops.zeros_like(r_t) + ops.sum(r_t, axis=-1, keepdims=True)


def others_mean(R: Tensor) -> Tensor:
    r"""A baseline for each of N episodes: the mean of the others, `[..., N, T]`.

    $$b_t^i = \frac{1}{N - 1} \sum_{j \ne i} R_t^j$$

    DRLT's baseline is the mean over all N, the episode itself among them, which
    shrinks the gradient by $(N - 1) / N$; this one leaves it as it is.
    """
    N = R.shape[-2]
    if N is None or N < 2:
        raise ValueError(
            "A mean over the other episodes needs 2 or more of them. "
            f"Received: R.shape={tuple(R.shape)}"
        )
    return (ops.sum(R, axis=-2, keepdims=True) - R) / (N - 1)


def baseline_loss(b_t: Tensor, R_t: Tensor) -> Tensor:
    r"""$\mathrm{mean}_t (b_t - R_t)^2$, `[...]`: the loss of a learned baseline."""
    return ops.mean(ops.square(b_t - ops.stop_gradient(R_t)), axis=-1)
