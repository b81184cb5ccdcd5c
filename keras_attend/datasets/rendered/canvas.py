"""A canvas on which sprites are painted, and the colours of paint, glass and skin."""

from collections.abc import Iterable

import numpy as np

from keras_attend.datasets.rendered.sprites import canvas_size, faded, grid
from keras_attend.types import Array

# Red, green, blue of 0..255: white, greys, black, blue, red, green, yellow.
PAINTS = np.array(
    [
        *[(225, 225, 222), (165, 168, 170), (95, 98, 102), (42, 43, 48)],
        *[(40, 60, 115), (150, 32, 34), (45, 80, 62), (205, 165, 60)],
    ],
    "float32",
)
SKINS = np.array([(225, 180, 150), (190, 140, 110), (120, 80, 60)], "float32")
GLASS = np.array([46, 56, 64], "float32")
RUBBER = np.array([24, 24, 26], "float32")
METAL = np.array([120, 122, 124], "float32")


class Canvas:
    """A sprite's view that is being painted, in shapes with soft edges.

    Points are (x, y) shares of the object's box: (0, 0) is its top left corner, (1, 1)
    the bottom right one. Heights and widths are shares of the box's height, and so is
    `aspect`, the box's width.
    """

    def __init__(self, aspect: float) -> None:
        size = canvas_size(aspect)
        self.x, self.y = grid(size)  # [1, W], [H, 1]
        self.aspect = aspect
        self.pixels = 1 / float(self.y[1, 0] - self.y[0, 0])  # of the box's height
        self.colour = np.zeros((*size, 3), "float32")  # 0..255
        self.opacity = np.zeros(size, "float32")  # 0..1

    def polygon(self, points: Array, colour: Array) -> None:
        """Fill a convex polygon of points `[N, 2]`."""
        rows, columns = self._around(points.min(0), points.max(0))
        # Both in heights of the box.
        x, y = self.x[:, columns] * self.aspect, self.y[rows]
        corners = points * [self.aspect, 1.0]
        following = np.roll(corners, -1, axis=0)
        area = (corners * following[:, ::-1] @ [1, -1]).sum()
        inside = np.full((y.shape[0], x.shape[1]), np.inf, "float32")
        for (px, py), edge in zip(corners, following - corners, strict=True):
            length = np.hypot(*edge) * np.sign(area)
            if abs(length) < 1e-6:
                continue
            ex, ey = (float(e) for e in edge / length)
            np.minimum(inside, (y * ex - py * ex) - (x * ey - px * ey), out=inside)
        self._fill(rows, columns, inside, colour)

    def ellipse(
        self, center: Iterable[float], height: float, colour: Array, hole: float = 0
    ) -> None:
        """Fill a circle, except for a hole in its middle: a share of the diameter."""
        at, radius = np.array([*center]), height / 2
        reach = radius / np.array([self.aspect, 1.0])
        rows, columns = self._around(at - reach, at + reach)
        across = (self.x[:, columns] - at[0]) * self.aspect
        away = np.hypot(across, self.y[rows] - at[1])
        inside = radius - away
        if hole:
            inside = np.minimum(inside, away - hole * radius)
        self._fill(rows, columns, inside, colour)

    def limb(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        width: float,
        colour: Array,
        taper: float = 0.7,
    ) -> None:
        """Draw a thick line that narrows from `width` to the share `taper` of it."""
        ends = np.array([start, end])
        along = (ends[1] - ends[0]) * [self.aspect, 1.0]
        across = along[::-1] * [1, -1] / max(float(np.hypot(*along)), 1e-6)
        across = across / [self.aspect, 1.0] * width / 2
        near, far = ends
        corners = [near + across, near - across, far - taper * across]
        self.polygon(np.stack([*corners, far + taper * across]), colour)

    def _around(self, low: Array, high: Array) -> tuple[slice, slice]:
        """The rows and columns between two points, and one more on each side."""
        room = 1 / self.pixels
        across = room / self.aspect
        columns = np.searchsorted(self.x[0], [low[0] - across, high[0] + across])
        rows = np.searchsorted(self.y[:, 0], [low[1] - room, high[1] + room])
        return slice(*rows), slice(*columns)

    def _fill(self, rows: slice, columns: slice, inside: Array, colour: Array) -> None:
        """Paint the pixels that are `inside` > 0 heights of the box within a shape."""
        cover = np.clip(inside * self.pixels + 0.5, 0, 1)
        below = self.colour[rows, columns]
        below += cover[..., None] * (np.asarray(colour, "float32") - below)
        np.maximum(self.opacity[rows, columns], cover, out=self.opacity[rows, columns])

    def view(self, texture: Array, shadow: float) -> Array:
        """Make the view `[H, W, 4]` uint8: darker below, with a shadow underneath.

        `texture`: `[N, N]` factors of the colours, which are stretched over the view.
        """
        height, width = self.opacity.shape
        rows = np.arange(height) * len(texture) // height
        columns = np.arange(width) * len(texture) // width
        shade = (1.08 - 0.2 * self.y) * texture[rows][:, columns]
        colour = self.colour * shade[..., None]
        return faded(np.clip(colour, 0, 255), self.opacity, shadow)
