"""The papers' protocols, each under a short fixed name.

Classification (RAM), error in percent on a test set:

* `<data>/single`: one pass for each image, from a uniform first location, each
  further one at the policy's mean.
* `<data>/mc10`: ten passes, locations drawn from the policy, answers by the mean of
  the ten log probabilities: the protocol behind the number that the best-known
  public code reports.
* `<data>/single_seeds`: the mean of `single` over training seeds.

`<data>` is `mnist_test` (10,000 images), or `translated_mnist`, `cluttered_mnist`
(60x60) or `cluttered_mnist_100` (100x100): those images, each once, at places that
`datasets.cluttered_mnist("test", ...)` fixes. Each is measured several times; `value`
is the mean, `min` and `max` the spread. Beside each stand the baselines of a policy, by
the same network and as `single`: "random glimpses" (every location uniform) and
"unmoving glimpses" (every location the first one).

Catch (RAM), the share of games in which the ball is caught:

* `catch/10000_games`: where to look and what to do at the policies' best, from a
  uniform first location; five times 10,000 games. Beside it "random play", and an
  agent of the same size that sees the "whole screen".
"""

from keras_attend.evaluation.digits import (
    catch_rate,
    catch_results,
    commit,
    digit_results,
    error_percent,
    with_arguments,
)

__all__ = [
    "catch_rate",
    "catch_results",
    "commit",
    "digit_results",
    "error_percent",
    "with_arguments",
]
