"""Draw where a model looked, what it saw, how well it did and how it learned.

Each `plot_...` returns a matplotlib figure. matplotlib (extra `plots`) is imported when
the first picture is drawn.
"""

from keras_attend.plots.followed import plot_followed
from keras_attend.plots.games import animate_games
from keras_attend.plots.glimpses import plot_glimpses
from keras_attend.plots.history import plot_history
from keras_attend.plots.objects import plot_objects
from keras_attend.plots.steps import plot_steps
from keras_attend.plots.tracks import (
    plot_iou,
    plot_one_pass,
    plot_success,
    plot_track,
)

__all__ = [
    "animate_games",
    "plot_followed",
    "plot_glimpses",
    "plot_history",
    "plot_iou",
    "plot_objects",
    "plot_one_pass",
    "plot_steps",
    "plot_success",
    "plot_track",
]
