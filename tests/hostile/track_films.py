"""A film for tests of `track`."""

import imageio.v3 as imageio
import numpy as np


def film(path, count=10):
    """A white square that moves by a pixel a frame."""
    with imageio.imopen(path, "w", plugin="pyav") as file:
        file.init_video_stream("libx264", fps=20, pixel_format="yuv420p")
        for t in range(count):
            frame = np.zeros((48, 64, 3), "uint8")
            frame[10:22, t % 50 : t % 50 + 12] = 255
            file.write_frame(frame)
    return str(path)
