r"""What a choice is credited with when a policy is learned (section 3.2).

The loss of a policy $\pi$ is the paper's eq. 2, weighted:

$$-w \sum_t \log \pi(u_t)\, (G_t - b_t)$$

The records of this file say with what, $G_t$, a choice $u_t$ is credited, and what the
learned baseline $b_t$ is.
"""

from dataclasses import dataclass
from typing import Any, Self

import keras

from keras_attend.arguments import (
    KeepsArguments,
    check_choice,
    check_not_negative,
    check_shares,
)


@dataclass(frozen=True)
class _Record(KeepsArguments):
    """A dataclass that Keras saves inside a model's configuration."""

    @classmethod
    def of(cls, given: Any) -> Self:
        """The record that a constructor was given; of defaults if it was given None."""
        given = cls() if given is None else given
        if not isinstance(given, cls):
            raise ValueError(
                f"`credit` must be a {cls.__name__}. Received: credit={given!r}"
            )
        return given


@keras.saving.register_keras_serializable("keras_attend")
@dataclass(frozen=True)
class Credit(_Record):
    r"""What `RAM` credits its choice of a location with.

    The defaults are the paper's, but for the weight, which the paper does not have.

    Args:
        reward: the reward $R$ of an episode. "correct" is the paper's: 1 for a right
            answer and 0 for a wrong one. "log_prob" is $\log p(y)$ of the label $y$,
            which still tells good glimpses from bad ones when nearly all answers are
            right.
        baseline: what the expected reward $b_t$ is computed from. "state" is $h_t$, as
            in the paper; "answer" is $h_t$ and the label. The label does not depend on
            the locations, so that the gradient keeps its mean and has less noise.
        trace: $\lambda$ in $G_t$, 0..1 (see `reinforce.lambda_returns`). 1 is the
            paper's $G_t = R$; less mixes in the reward that $b_{t+1}$ expects after the
            next glimpse, again with less noise.
        policy_weight: $w$, the weight of the policy's loss.
        policy_trains_core: whether the losses of the policy and of the baseline train
            the core and the glimpse network too, which the paper does not say.
    """

    reward: str = "correct"
    baseline: str = "state"
    trace: float = 1.0
    policy_weight: float = 0.01
    policy_trains_core: bool = False

    def __post_init__(self) -> None:
        check_choice("reward", self.reward, ("correct", "log_prob"))
        check_choice("baseline", self.baseline, ("state", "answer"))
        check_shares(trace=self.trace)
        check_not_negative(policy_weight=self.policy_weight)


@keras.saving.register_keras_serializable("keras_attend")
@dataclass(frozen=True)
class AgentCredit(_Record):
    r"""What `RAMAgent` credits its locations and its actions with.

    Args:
        baseline: "state" as of `Credit`; "game" computes $b_t$ from $h_t$ and the state
            of the game, which the policies never see; "glimpses" from the glimpses
            that the agent has had, by a glimpse network and a core of its own.
        trace: $\lambda$ in $G_t$, as of `Credit`.
        policy_weight: $w$ of the locations; that of the actions is 1.
        entropy: weight of the entropy of the actions' policy, which is added to what
            is maximised, so that the agent goes on trying all actions.
    """

    baseline: str = "state"
    trace: float = 1.0
    policy_weight: float = 1.0
    entropy: float = 0.01

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, ("state", "game", "glimpses"))
        check_shares(trace=self.trace)
        check_not_negative(policy_weight=self.policy_weight, entropy=self.entropy)
