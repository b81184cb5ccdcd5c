r"""What a choice is credited with when a policy is learned (section 3.2).

The loss of a policy $\pi$ is the paper's eq. 2, weighted:

$$-w \sum_t \log \pi(u_t)\, (G_t - b_t)$$

for choices $u_t$, with what they are credited with, $G_t$, and a learned baseline
$b_t$. The records of this file say what these are.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import keras

from keras_attend.arguments import check_choice


@dataclass(frozen=True)
class _Record:
    """A dataclass that Keras saves inside a model's configuration."""

    @classmethod
    def of(cls, given: Any) -> Self:
        """The record that a constructor was given, which may be its configuration."""
        if isinstance(given, dict):
            given = keras.saving.deserialize_keras_object(given)
        given = cls() if given is None else given
        if not isinstance(given, cls):
            raise ValueError(
                f"`credit` must be a {cls.__name__}. Received: credit={given!r}"
            )
        return given

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The record of `get_config`."""
        return cls(**config)

    def _check(self, trace: float, **weights: float) -> None:
        if not 0 <= trace <= 1:
            raise ValueError(f"`trace` must be in 0..1. Received: trace={trace}")
        for name, weight in weights.items():
            if not weight >= 0:
                raise ValueError(
                    f"`{name}` must not be negative. Received: {name}={weight}"
                )


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
            the core and the glimpse network too. The paper does not say; the published
            code trains these by the classification loss alone.
    """

    reward: str = "correct"
    baseline: str = "state"
    trace: float = 1.0
    policy_weight: float = 0.01
    policy_trains_core: bool = False

    def __post_init__(self) -> None:
        check_choice("reward", self.reward, ("correct", "log_prob"))
        check_choice("baseline", self.baseline, ("state", "answer"))
        self._check(self.trace, policy_weight=self.policy_weight)


@keras.saving.register_keras_serializable("keras_attend")
@dataclass(frozen=True)
class AgentCredit(_Record):
    r"""What `RAMAgent` credits its locations and its actions with.

    Args:
        baseline: what the expected reward $b_t$ is computed from. "state" is $h_t$, as
            in the paper; "game" is $h_t$ and the state of the game, which the policies
            never see. It does not depend on the choices that follow, so that the
            gradient keeps its mean and has less noise.
        trace: $\lambda$ in $G_t$, 0..1 (see `reinforce.lambda_returns`). 1 is the
            paper's $G_t = R$, which all later choices blur; less mixes in the reward
            that $b_{t+1}$ expects a frame later.
        policy_weight: $w$ of the locations; that of the actions is 1.
        entropy: weight of the entropy of the actions' policy, which is added to what
            is maximised, so that the agent goes on trying all actions.
    """

    baseline: str = "state"
    trace: float = 1.0
    policy_weight: float = 1.0
    entropy: float = 0.01

    def __post_init__(self) -> None:
        check_choice("baseline", self.baseline, ("state", "game"))
        self._check(self.trace, policy_weight=self.policy_weight, entropy=self.entropy)
