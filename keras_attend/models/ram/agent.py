"""RAM as an agent in a game (Mnih et al. 2014, sections 3 and 4.2)."""

from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from keras.layers import Dense

from keras_attend.arguments import check_choice, check_positive_integers, check_shape
from keras_attend.compat import set_direction
from keras_attend.datasets.catch import Catch
from keras_attend.layers.glimpse_network import GlimpseNetwork
from keras_attend.layers.retina import Retina
from keras_attend.models.base import AttentionModel
from keras_attend.models.ram.credit import AgentCredit
from keras_attend.policies import CategoricalPolicy, GaussianPolicy, draw_seeds
from keras_attend.reinforce import baseline_loss, lambda_returns, reinforce_loss
from keras_attend.types import Shape, Tensor
from keras_attend.unroll import unroll


@keras.saving.register_keras_serializable("keras_attend")
class RAMAgent(AttentionModel):
    r"""Play a game of which one sees a glimpse a frame (Mnih et al. 2014, section 4.2).

    ```python
    agent = ka.models.RAMAgent(ka.datasets.Catch(size=24))
    agent.compile("adam")
    agent.fit(ka.datasets.Games(batch_size=256), epochs=10)
    ```

    RAM's network with a core of LSTM units and two policies, of the location and of the
    action; both learn by REINFORCE from the game's reward alone.

    $$g_t = f_g(\mathrm{Retina}(x_t, l_{t-1}), l_{t-1}), \qquad
      h_t = \mathrm{LSTM}(h_{t-1}, g_t)$$

    $$l_t \sim N(f_l(h_t), \sigma^2 I), \qquad
      a_t \sim \mathrm{Cat}(\mathrm{softmax}(f_a(h_t)))$$

    $x_t$ is the screen after $a_{t-1}$. The loss is $-\sum_t (\log \pi(l_t) +
    \log \pi(a_t)) (R - b_t)$ with the game's reward $R$ (or see `AgentCredit`) and a
    learned baseline $b_t$; its gradient trains all weights, through all frames. A
    patch's pixel is the sum of its block here, not the mean: the ball is one pixel,
    and in a mean of sixteen it could hardly be seen.

    Args:
        game: the rules; `datasets.Catch()` when absent.
        size, scales, glimpse_units, units, std, locator: as of `RAM`; the core has
            `units`.
        play: what is done in prediction: "mean" takes the location $f_l(h_t)$ and the
            likeliest action; "sample" draws both, as training does; "random" draws
            both without regard to what was seen.
        gaze: what moves the gaze. "policy" is the learned policy. "around" is a draw
            around the screen's centre, from which a wide retina has all in view: a game
            that was learned so is what a policy can begin with. "centre" never moves:
            with a `size` of the whole screen it sees all of it.
        credit: what the choices are credited with in training; see `AgentCredit`.

    Call arguments:
        numbers: `[B, game.start_numbers]` in 0..1, from which each game begins.

    Returns a dict, of games of `T` frames:
        reward: `[B]`, $R$, the reward of the whole game; of Catch, 1 or 0.
        states: `[B, T, S]`, the game's state at each frame, in the game's own units;
            `game.screen(states)` draws them.
        locations: `[B, T, 2]`, the location of each glimpse, $(x, y)$ in half screens,
            (-1, -1) the top left corner.
        actions: `[B, T - 1]`, int32, $a_t$, the action after each frame but the last.
        baselines: `[B, T - 1]`, $b_t$, the reward expected after each of these frames.
        entropies: `[B, T - 1]`, the entropy of the actions' policy, in nats.
        log_probs: `[B, T - 1]`, $\log \pi(a_t)$, and where the gaze is the policy's
            also `policy_weight` times $\log \pi(l_t)$; in training only.
    """

    kept_as: ClassVar[dict[str, str]] = {"locator": "locator_activation"}

    def __init__(
        self,
        game: Any = None,
        size: int = 6,
        scales: int = 3,
        *,
        glimpse_units: int = 128,
        units: int = 256,
        std: float = 0.15,
        play: str = "mean",
        gaze: str = "policy",
        locator: str = "tanh",
        credit: AgentCredit | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive_integers(size=size, scales=scales)
        check_positive_integers(glimpse_units=glimpse_units, units=units)
        check_choice("play", play, ("mean", "sample", "random"))
        check_choice("gaze", gaze, ("policy", "around", "centre"))
        check_choice("locator", locator, ("tanh", "linear"))
        self.credit = AgentCredit.of(credit)
        self.game = Catch() if game is None else game
        self.size, self.scales = size, scales
        self.glimpse_units, self.units = glimpse_units, units
        self.std, self.play, self.gaze = std, play, gaze
        self.locator_activation = locator
        self.serving_shape = (None, self.game.start_numbers)

        dtype = self.dtype_policy
        self.retina = Retina(size, scales, dtype=dtype, name="retina")
        self.glimpse_network = GlimpseNetwork(
            glimpse_units, units, dtype=dtype, name="glimpse"
        )
        self.core = keras.layers.LSTMCell(units, dtype=dtype, name="core")
        dense = partial(Dense, dtype=dtype)
        self.player = dense(self.game.actions, name="action")
        # Before it has learned, it looks at the centre: a corner teaches nothing.
        self.locator = dense(2, locator, kernel_initializer="zeros", name="location")
        self.baseline = dense(1, name="baseline")
        self.baseline_hidden = None
        self.critic_glimpse: Any = None
        self.critic_core: Any = None
        if self.credit.baseline == "game":
            self.baseline_hidden = dense(units, "relu", name="baseline_hidden")
        elif self.credit.baseline == "glimpses":
            self.critic_glimpse = GlimpseNetwork(
                glimpse_units, units, dtype=dtype, name="critic_glimpse"
            )
            self.critic_core = keras.layers.LSTMCell(
                units, dtype=dtype, name="critic_core"
            )
        self.location_policy = GaussianPolicy(std)
        self.game_policy = CategoricalPolicy()
        self.seed_generator = keras.random.SeedGenerator()
        self.reward = keras.metrics.Mean(name="reward")
        set_direction(self.reward, "up")

    def build(self, input_shape: Shape) -> None:
        """Make the weights."""
        size, units = self.size, self.units
        self.retina.build((None, None, None, 1), (None, 2))
        for network in (self.glimpse_network, self.critic_glimpse):
            if network is not None:
                network.build((None, size, size, self.scales), (None, 2))
        for core in (self.core, self.critic_core):
            if core is not None:
                core.build((None, units))
        for dense in (self.player, self.locator, self.baseline):
            dense.build((None, units))
        if self.baseline_hidden is not None:
            self.baseline_hidden.build((None, units + self.game.state_numbers))

    def call(self, numbers: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Whole games; see the class."""
        check_shape("numbers", numbers.shape, f"batch, {self.game.start_numbers}")
        play = "sample" if training else self.play
        batch, T = ops.shape(numbers)[0], self.game.frames
        states_0 = self.game.start(numbers)
        zeros = ops.zeros((batch, self.core.units), self.compute_dtype)
        l_0 = ops.zeros((batch, 2), "float32")
        if self.gaze != "centre":
            l_0 = keras.random.uniform((batch, 2), -1.0, 1.0, seed=self.seed_generator)
        # Random numbers are drawn before the loop: seeds [1, T, 2].
        names, seed = ("location", "action"), self.seed_generator
        draws = {name: draw_seeds(T, seed) for name in names}

        def step(draw: dict[str, Tensor], state: Any) -> tuple[Any, Any]:
            game_state, core_state, l, critic_state = state
            rho = self.see(game_state, l)
            g = self.glimpse_network(rho, l)
            h, core_state = self.core(g, core_state)
            mu, z = self._policies(h)
            if self.gaze != "policy" or play == "random":
                mu = ops.zeros_like(mu)
            if play == "random":
                z = ops.zeros_like(z)
            # Draws are constants to the rest of the graph.
            mu, z = ops.stop_gradient(mu), ops.stop_gradient(z)
            choice, action = mu, ops.cast(ops.argmax(z, axis=-1), "int32")
            if play != "mean":
                choice = self.location_policy.sample(mu, draw["location"][0])
                action = self.game_policy.sample(z, draw["action"][0])
            outputs = {"states": game_state, "locations": l, "hidden": h}
            outputs |= {"choices": choice, "actions": action}
            if self.critic_core is not None:
                g = self.critic_glimpse(rho, l)
                outputs["critic"], critic_state = self.critic_core(g, critic_state)
            if self.gaze != "centre":
                l = ops.clip(choice, -1.0, 1.0)
            game_state = self.game.step(game_state, action)
            return outputs, (game_state, core_state, l, critic_state)

        begin = (states_0, [zeros, zeros], l_0, [zeros, zeros])
        steps, _ = unroll(step, begin, draws)
        states, h_t = steps["states"], steps["hidden"]  # [B, T, S], [B, T, units]
        # What is chosen after the last frame changes nothing.
        h_t, choices = h_t[:, :-1], steps["choices"][:, :-1]
        actions = steps["actions"][:, :-1]
        mu_t, z_t = self._policies(h_t)
        log_pi_a = ops.log_softmax(z_t)  # [B, T - 1, actions]
        outputs = {
            "reward": ops.sum(self.game.reward(states), axis=-1),
            "states": states,
            "locations": steps["locations"],
            "actions": actions,
            "baselines": self._expected(steps, h_t, states[:, :-1]),
            "entropies": -ops.sum(ops.exp(log_pi_a) * log_pi_a, axis=-1),
        }
        if training:
            taken = ops.one_hot(actions, self.game.actions, dtype="float32")
            log_probs = ops.sum(taken * log_pi_a, axis=-1)
            if self.gaze == "policy":
                log_pi_l = self.location_policy.log_prob(mu_t, choices)
                log_probs = log_probs + self.credit.policy_weight * log_pi_l
            outputs["log_probs"] = log_probs
        return outputs

    def see(self, states: Tensor, l: Tensor) -> Tensor:
        """The glimpses `[B, size, size, scales]` at `l` `[B, 2]`: sums of blocks."""
        rho = self.retina(self.game.screen(states), l)
        blocks = self.retina.factor ** (2 * np.arange(self.retina.scales))
        return rho * ops.cast(blocks, rho.dtype)

    def _expected(self, steps: Any, h_t: Tensor, states: Tensor) -> Tensor:
        """$b_t$ `[B, T - 1]`; no gradient leaves it to what the policies use."""
        if self.critic_core is not None:
            return ops.cast(self.baseline(steps["critic"][:, :-1])[..., 0], "float32")
        x = ops.stop_gradient(h_t)
        if self.baseline_hidden is not None:
            known = ops.cast(self.game.scaled(states), x.dtype)
            x = self.baseline_hidden(ops.concatenate([x, known], axis=-1))
        return ops.cast(self.baseline(x)[..., 0], "float32")

    def _policies(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of the next location and the scores of the actions."""
        mu, z = self.locator(h), self.player(h)
        return ops.cast(mu, "float32"), ops.cast(z, "float32")

    def sample_losses(self, x: Any, y: Tensor, y_pred: dict[str, Tensor]) -> Tensor:
        r"""The policies' losses (eq. 2), the baseline's, and the actions' entropy.

        $$-\sum_t \log\pi_t (G_t - b_t) + \mathrm{mean}_t (b_t - R)^2
          - w_e \sum_t H(\pi(a_t))$$
        """
        R = y_pred["reward"][:, None]  # [B, 1]
        b_t = y_pred["baselines"]  # [B, T - 1]
        loss = baseline_loss(b_t, R)
        if "log_probs" in y_pred:
            G_t = lambda_returns(R, b_t, self.credit.trace)
            loss = loss + reinforce_loss(y_pred["log_probs"], G_t, b_t)
            loss = loss - self.credit.entropy * ops.sum(y_pred["entropies"], axis=-1)
        return loss

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Loss, and the mean reward: of Catch, the share of balls caught."""
        self.reward.update_state(y_pred["reward"])
        return self.get_metrics_result()
