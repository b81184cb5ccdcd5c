"""Read and write videos, draw on frames, and ask a person for boxes in a browser.

Frames are `[H, W, 3]` uint8, red first, and come one at a time: no video is ever in
memory as a whole. PyAV and imageio (extra `video`) are imported with the first video.
"""

from keras_attend.video.annotation import annotate
from keras_attend.video.caption import captioned
from keras_attend.video.files import Frame, Video, VideoWriter, read_video
from keras_attend.video.frames import write_frames
from keras_attend.video.grid import gridded

__all__ = [
    "Frame",
    "Video",
    "VideoWriter",
    "annotate",
    "captioned",
    "gridded",
    "read_video",
    "write_frames",
]
