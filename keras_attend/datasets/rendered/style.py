"""How `RenderedKITTI` draws its clips, and which part of the scene a clip is of."""

from dataclasses import dataclass

from keras_attend.arguments import (
    check_not_negative,
    check_positive_integers,
    check_shares,
)
from keras_attend.datasets.views import check_crop


@dataclass(frozen=True)
class Style:
    """How clips are drawn: the objects' sprites, the camera and the light.

    Attributes:
        painted: the share of objects drawn by painted sprites, where the dataset has
            others too. Without other sprites all are painted.
        paintings: how many painted sprites there are of each look. Painting a vehicle
            takes 0.2 s, once, and 1 MB.
        alike: the share of the other objects of the tracked object's look that are
            drawn by its sprite in another colour.
        shake: the camera's shaking: its standard deviation in pixels of a 621x188
            frame.
        exposure: the longest exposure of a frame, which blurs what moves, as a share
            of the time between two frames.
        photometric: as of `VideoBatches`.
    """

    painted: float = 0.7
    paintings: int = 32
    alike: float = 0.25
    shake: float = 0.7
    exposure: float = 0.5
    photometric: float = 0.1

    def __post_init__(self) -> None:
        check_positive_integers(paintings=self.paintings)
        check_shares(painted=self.painted, alike=self.alike, exposure=self.exposure)
        check_not_negative(shake=self.shake)


@dataclass(frozen=True)
class View:
    """Which part of a labelled video a clip is of: in the frame, and in time.

    Attributes:
        size: (height, width) of a clip's frames in pixels.
        crop: (least, greatest) size of the part of the frame that is seen, as of
            `Clips`. It is drawn to lie around the object's path. None: the whole frame
            is seen.
        smallest: the least size (root of the area) of the object in frame 0, in pixels
            of a 621x188 frame.
        visible: the object is present while at least this share of its labelled box
            is seen and not hidden.
        cut, grey: as of `VideoBatches`.
        flip, reverse, steps: as of `Clips`.
    """

    size: tuple[int, int] = (188, 621)
    crop: tuple[float, float] | None = None
    smallest: float = 10.0
    visible: float = 0.4
    cut: bool = False
    grey: bool = False
    flip: bool = True
    reverse: bool = True
    steps: int = 1

    def __post_init__(self) -> None:
        check_positive_integers(steps=self.steps)
        check_shares(visible=self.visible)
        check_not_negative(smallest=self.smallest)
        if self.crop is not None:
            check_crop(self.crop)
