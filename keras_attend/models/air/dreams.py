r"""Dreams: pictures of which AIR knows where objects are, because it put them there.

Before a photograph the bound does not tell an object from a piece of the photograph: no
model of backgrounds here is that good. But what an object looks like can be learned by
the sleep phase of the wake-sleep algorithm (Hinton et al. 1995): a network learns to
find what the model itself has put into a picture. Here these are objects that the
model has found on black pictures. They are laid over other pictures, whose own objects
nobody knows.

Those objects look like the ones that were laid over them, and the map must not learn to
overlook them. There are fewer of them: at first a place that looks like an object is
more often one that was laid there, and the map comes to rate it above 0. From there on
it learns nothing more of a place that it rates so, if nothing was laid there; later, of
a place that it rates above `SURE`, which pieces of photographs seldom are.
"""

from keras import ops

from keras_attend.models.air.background import positive
from keras_attend.models.air.boxes import ink_boxes
from keras_attend.models.air.prior import ObjectPrior
from keras_attend.models.air.search_map import CELL
from keras_attend.types import Tensor

SPECK = 20.0  # pixels of a box that is too small to be an object's
ABOUT = 2.0  # pixels about a box that are cut out with the object
HIT = 6.0  # pixels from an object's middle at which a step has found it
SURE = 2.0  # a rating: present with a probability of 0.88
NEAR = 1.3  # cells about an object in which nothing is learned while it is to be found
EXACT = 0.1  # the least scale of places: without it, all turns on the last tenth
PLACES = 0.1  # how much places count beside ratings


def overlaid(
    images: Tensor, plain: Tensor, found: dict[str, Tensor], count: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Lay the objects of black pictures over others, those of two over each.

    Args:
        images: `[B, H, W, C]`.
        plain: black pictures with objects, `[B, H, W, C]`.
        found: what was found there: "mask" `[B, N, H, W, 1]`, "color"
            `[B, N, 1, 1, C]`, "where" `[B, N, 3]`.
        count: how many objects were found there, `[B]`.

    Returns:
        The pictures, and what is known of them: $z^{where}$ of the objects that were
        laid over each, "where" `[B, 2 N, 3]`, and which of those there are, "there"
        `[B, 2 N]`.
    """
    N, H, W = found["mask"].shape[1:4]
    boxes = ink_boxes(found["mask"][..., 0])  # [B, N, 4]
    there = ops.arange(N, dtype=count.dtype) < count[:, None]
    there = there & (boxes[..., 2] * boxes[..., 3] > SPECK)
    x = _within(boxes[..., 0], boxes[..., 2], W)[:, :, None, :]
    y = _within(boxes[..., 1], boxes[..., 3], H)[:, :, :, None]
    inside = ops.cast(x & y & there[..., None, None], "float32")  # [B, N, H, W]
    # What is black is the background, and an object's color is the brightest there is.
    bright = ops.max(plain, axis=-1)[:, None] / ops.max(found["color"], axis=-1)
    alpha = ops.max(inside * ops.clip(bright, 0.0, 1.0), axis=1)[..., None]
    ink = plain * ops.max(inside, axis=1)[..., None]
    for turn in (0, 1):  # its own objects, and those of the picture beside it
        behind = images * (1 - ops.roll(alpha, turn, axis=0))
        images = behind + ops.roll(ink, turn, axis=0)
    known = {"where": found["where"], "there": ops.cast(there, "float32")}
    both = {k: [v, ops.roll(v, 1, axis=0)] for k, v in known.items()}
    known = {k: ops.concatenate(v, axis=1) for k, v in both.items()}
    return ops.clip(images, 0.0, 1.0), known


def _within(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Which pixels `[B, N, size]` lie in intervals `[B, N]`, or a little beside."""
    middle = start + length / 2
    far = ops.abs(ops.arange(size, dtype="float32") + 0.5 - middle[..., None])
    return far < length[..., None] / 2 + ABOUT


def sure_from(share: Tensor) -> Tensor:
    """Above which rating the map is sure, when `share` of the annealing has passed."""
    later = ops.where(share < 2.0, 0.0, SURE)
    return ops.where(share < 0.5, 1e9, later)


def search_losses(
    ratings: Tensor,
    where: Tensor,
    known: dict[str, Tensor],
    prior: ObjectPrior,
    size: tuple[int, int],
    sure: Tensor,
    weight: Tensor,
) -> Tensor:
    """How badly maps find what was laid over pictures, `[B]`.

    Each step's map is to rate highly the cells of the objects that no step before has
    found, and to know their places.

    Args:
        ratings: what `SearchMap` says of each place, `[B, N, G, G', 7]`.
        where: where the steps have looked, `[B, N, 3]`.
        known: as of `overlaid`, "where" `[B, M, 3]` and "there" `[B, M]`.
        prior: what is expected of places.
        size: of the pictures.
        sure: a place of which nothing is known is left alone if its rating is higher.
        weight: of the places where objects are, beside those where none is.
    """
    rows, columns = ratings.shape[2:4]
    truth, left = known["where"], known["there"]
    middles = prior.middle(truth, size)  # [B, M, 2]
    looked = ops.stop_gradient(prior.middle(where, size))  # [B, N, 2]
    x, y = (CELL * (ops.arange(n, dtype="float32") + 0.5) for n in (columns, rows))
    dx = ops.abs(x - middles[..., :1])[:, :, None, :]
    dy = ops.abs(y - middles[..., 1:])[:, :, :, None]
    far = ops.maximum(dx, dy) / CELL  # [B, M, G, G']
    own, near = (ops.cast(far <= n, "float32") for n in (0.5, NEAR))
    losses = 0.0
    for t in range(ratings.shape[1]):
        logit, loc = ratings[:, t, :, :, 0], ratings[:, t, :, :, 1:4]
        scale = ops.maximum(positive(ratings[:, t, :, :, 4:]), EXACT)
        todo, done = left[..., None, None], (known["there"] - left)[..., None, None]
        yes = ops.max(todo * own, axis=1)  # [B, G, G']
        no = 1 - ops.max(todo * near, axis=1)
        doubt = ops.cast(logit <= sure, "float32")
        no = no * ops.maximum(doubt, ops.max(done * near, axis=1))
        rated = weight * yes * ops.log_sigmoid(logit) + no * ops.log_sigmoid(-logit)
        off = (truth[:, :, None, None] - loc[:, None]) / scale[:, None]
        place = ops.sum(off**2 / 2 + ops.log(scale)[:, None], axis=-1)
        place = ops.sum(todo * own * place, axis=1)
        losses = losses + ops.sum(PLACES * place - rated, axis=(1, 2))
        missed = ops.max(ops.abs(middles - looked[:, t : t + 1]), axis=-1) > HIT
        left = left * ops.cast(missed, "float32")
    return losses
