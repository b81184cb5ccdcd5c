"""KITTI's left colour camera: the size of its frames, and where it sees a point."""

from keras_attend.types import Array

WIDTH, HEIGHT = 1242, 375  # pixels of a frame; some videos have up to 1.5 % fewer
FOCAL = 721.5  # focal length in pixels
CENTER = (609.6, 172.9)  # (x, y) in pixels of what is straight ahead
ABOVE_STREET = 1.65  # metres
HORIZON = round(CENTER[1] / HEIGHT, 2)  # its place as a share of the frame's height


def project(right: Array, down: Array, ahead: Array) -> tuple[Array, Array]:
    r"""Where the camera sees points: x and y in pixels of a frame.

    $$x = c_x + f\, X / Z, \qquad y = c_y + f\, Y / Z$$

    Args:
        right, down, ahead: $X$, $Y$ and $Z$, metres from the camera.
    """
    return CENTER[0] + FOCAL * right / ahead, CENTER[1] + FOCAL * down / ahead
