r"""REINFORCE with a baseline (Williams 1992), for any model.

The gradient of the expected return $J = E[\sum_t r_t]$ (Mnih et al. 2014, eq. 2):

$$\nabla J \approx \sum_t \nabla \log \pi(a_t)\, (R_t - b_t)$$

The functions take log-probabilities, rewards and baselines, time on the last axis,
and return losses whose gradient is $-\nabla J$.
"""

from keras import ops

from keras_attend.types import Tensor


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

    What an action is credited with when a reward comes at the end alone. With
    $\lambda = 1$ it is $R$, which all later actions blur. With less, the baseline of
    the next state says how well $a_t$ turned out: less noise, at the price of the
    baseline's own errors (Sutton and Barto 2018, section 12.1).

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


def baseline_loss(b_t: Tensor, R_t: Tensor) -> Tensor:
    r"""$\mathrm{mean}_t (b_t - R_t)^2$, `[...]`: what trains a learned baseline."""
    return ops.mean(ops.square(b_t - ops.stop_gradient(R_t)), axis=-1)
