"""The papers' tables and figures beside ours: what `make papers` writes.

* `rows`: the rows of the papers' tables, and where our numbers of them are stored.
* `origins`: how a preset's setting differs from the paper's.
* `page`: a paper's page, `docs/papers/NAME.md`.
* `plot`: the picture on it.
* `record`: how a recipe stores what it has measured in the paper's setting.
"""

from keras_attend.training.papers.origins import label
from keras_attend.training.papers.record import record

__all__ = ["label", "record"]
