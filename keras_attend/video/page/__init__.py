"""Show a page in the browser of this computer: to draw boxes on, and to watch.

`server.py` answers requests that know the address, and no others; `page.py` is what a
person sees there; `page.html` runs in the browser.
"""

from keras_attend.video.page.page import Page
from keras_attend.video.page.server import has_screen

__all__ = ["Page", "has_screen"]
