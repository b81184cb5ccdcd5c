"""Write and read what a preset scored, its `results.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from keras_attend import disk
from keras_attend.zoo.checks import files


class Metric(NamedTuple):
    """A metric's name in tables, and whether a greater value is a better one."""

    words: str
    higher_is_better: bool = True


METRICS = {
    "error_percent": Metric("error (%)", higher_is_better=False),
    "mean_iou": Metric("mean IoU"),
    "center_error_px": Metric("centre error (px)", higher_is_better=False),
    "catch_rate": Metric("catch rate"),
    "success_auc": Metric("success AUC"),
    "precision_20": Metric("precision at 20 px"),
    "presence_auc": Metric("presence AUC"),
    "refound_rate": Metric("share found again"),
    "calibration_error": Metric("calibration error", higher_is_better=False),
    "count_accuracy": Metric("right counts"),
    "found_rate": Metric("share found"),
    "elbo_nats": Metric("ELBO (nats)"),
    "drawn_outside": Metric("drawn outside", higher_is_better=False),
    "identity_switches": Metric("identity switches", higher_is_better=False),
}
# Protocols whose videos no training has seen: the README shows their scores.
UNTRAINED = (
    "videos_test/60_frame_clips",
    "videos_test/ope",
    "videos_test/hidden_clips",
    "otb_unseen/ope",
)
LARGEST = 1e12
MAX_NAME, MAX_DIFFERENCES = 200, 20
# Whose architecture, objective, data and protocol a model was trained and measured by.
SETTINGS = ("paper", "ours")


@dataclass(frozen=True)
class Result:
    """One score of a preset, beside the paper's and those of other methods.

    Attributes:
        metric: one of `METRICS`, in the unit of its name.
        protocol: a name that `keras_attend.evaluation` documents.
        value: the mean of `n` values, see `runs`.
        min: the least of them.
        max: the greatest of them.
        n: how many there are.
        paper: the value that the paper reports, if it does.
        baselines: the values of other methods by their names; trivial ones or OpenCV's.
        setting: "paper" for the paper's architecture, objective, data and protocol (its
            optimizer and length of training may differ), "ours" for any other.
        differences: what differs from the paper, a few words each.
        trained_on: the data that the weights were trained on.
        chosen_on: the data by which settings were chosen.
    """

    metric: str
    protocol: str
    value: float
    min: float
    max: float
    n: int
    paper: float | None = None
    baselines: dict[str, float] = field(default_factory=dict)
    setting: str = "ours"
    differences: tuple[str, ...] = field(default=(), repr=False)
    trained_on: str = field(default="", repr=False)
    chosen_on: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(
                f"`metric` must be one of {', '.join(METRICS)}. "
                f"Received: metric={self.metric!r}"
            )
        _check_name("protocol", self.protocol)
        for name in self.baselines:
            _check_name("baselines", name)
        self._check_origin()
        numbers = [self.value, self.min, self.max, *self.baselines.values()]
        numbers += [] if self.paper is None else [self.paper]
        if not all(map(_is_number, numbers)):
            raise ValueError(
                "`value`, `min`, `max`, `baselines`, `paper` must be finite numbers. "
                f"Received: {', '.join(f'{number!r:.40}' for number in numbers)}"
            )
        if not self.min <= self.value <= self.max:
            raise ValueError(
                "`value` must lie between `min` and `max`. Received: "
                f"value={self.value}, min={self.min}, max={self.max}"
            )
        if type(self.n) is not int or not 1 <= self.n <= LARGEST:
            raise ValueError(f"`n` must be a positive integer. Received: n={self.n!r}")

    @property
    def runs(self) -> str:
        """What the `n` values are of: "3 seeds", if so many models were trained."""
        of_one_model = {"single": "passes", "mc10": "passes", "10000_games": "rounds"}
        return f"{self.n} {of_one_model.get(self.protocol.split('/')[-1], 'seeds')}"

    def _check_origin(self) -> None:
        """Check what the score's model is, and make a file's list a tuple."""
        if self.setting not in SETTINGS:
            raise ValueError(
                f"`setting` must be one of {', '.join(SETTINGS)}. "
                f"Received: setting={self.setting!r:.40}"
            )
        listed = isinstance(self.differences, (list, tuple))
        if not listed or len(self.differences) > MAX_DIFFERENCES:
            raise ValueError(
                f"`differences` must be a list of up to {MAX_DIFFERENCES} texts. "
                f"Received: differences={self.differences!r:.40}"
            )
        for text in self.differences:
            _check_name("differences", text)
        _check_name("trained_on", self.trained_on)
        _check_name("chosen_on", self.chosen_on)
        object.__setattr__(self, "differences", tuple(self.differences))

    @property
    def is_explained(self) -> bool:
        """Whether it may stand beside the paper's number.

        A score of the paper's own setting may, and one that says what differs.
        """
        return self.paper is None or self.setting == "paper" or bool(self.differences)

    @property
    def better_baselines(self) -> tuple[str, ...]:
        """The names of the baselines that score better than the preset does."""
        sign = 1 if METRICS[self.metric].higher_is_better else -1
        ours, others = sign * self.value, self.baselines.items()
        return tuple(name for name, value in others if sign * value > ours)


def _is_number(value: Any) -> bool:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return real and abs(value) <= LARGEST  # not infinite, nor NaN


def _check_name(key: str, name: Any) -> None:
    """Refuse a name that could harm the tables, cards and terminals that show it."""
    if not (isinstance(name, str) and name.isprintable() and len(name) <= MAX_NAME):
        raise ValueError(
            f"`{key}` must be named in up to {MAX_NAME} printable characters. "
            f"Received: {name!r}"
        )
    if set(name) & set("|<>`[]"):
        raise ValueError(
            f"`{key}` must be named without Markdown's | < > ` [ ]. Received: {name!r}"
        )


def unseen(results: Sequence[Result]) -> Result | None:
    """Return the mean IoU in videos that no training has seen or, if none, `headline`.

    All other protocols but DRLT's `otb_first_third` judge by data that were held out.
    """
    chosen = [r for r in results if r.protocol in UNTRAINED and r.metric == "mean_iou"]
    return chosen[0] if chosen else headline(results)


def best_peer(result: Result) -> tuple[str, float] | None:
    """Return the name and score of the best of the baselines, if any.

    The paper is among them where the result is of its setting.
    """
    paper = {}
    if result.paper is not None and result.setting == "paper":
        paper = {"the paper": result.paper}
    sign = 1 if METRICS[result.metric].higher_is_better else -1
    peers = {**paper, **result.baselines}
    return max(peers.items(), key=lambda peer: sign * peer[1], default=None)


def headline(results: Sequence[Result]) -> Result | None:
    """Return the first result that the paper has too or, if it has none, the first.

    Distances in pixels come last: they say less to a reader who does not know the
    pictures.
    """
    compared = [result for result in results if result.paper is not None]
    rows = compared or list(results)
    shares = [result for result in rows if result.metric != "center_error_px"]
    return next(iter([*shares, *rows]), None)


@dataclass(frozen=True)
class Results:
    """The content of a `results.json`.

    Attributes:
        preset: the preset's name.
        device: the device that it was trained on.
        training_seconds: how long that took.
        commit: the commit of the code that trained it.
        results: the scores.
        test_sets: descriptions of the data that they were measured on, of
            `evaluation.test_sets`; by the data's name in the protocols, and for clips
            also by their length.
    """

    preset: str
    device: str
    training_seconds: float
    commit: str
    results: tuple[Result, ...]
    test_sets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name("device", self.device)
        _check_name("commit", self.commit)
        for name in self.test_sets:
            _check_name("test_sets", name)
        if not (_is_number(self.training_seconds) and self.training_seconds >= 0):
            raise ValueError(
                "`training_seconds` must be at least 0 and finite. "
                f"Received: training_seconds={self.training_seconds!r}"
            )

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def write_results(
    folder: str | Path,
    results: Sequence[Result],
    *,
    device: str,
    training_seconds: float,
    commit: str,
    test_sets: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Write the `results.json` of the preset in a folder, which has its name.

    The other arguments are the attributes of `Results`.
    """
    folder = Path(folder)
    name, rows, sets = folder.resolve().name, tuple(results), dict(test_sets or {})
    content = Results(name, device, training_seconds, commit, rows, sets)
    disk.write(folder / "results.json", content.to_json())


def read_results(folder: Path) -> Results | None:
    """Return the content of a preset's `results.json`, or None if it has none."""
    path = folder / "results.json"
    if not path.is_file():
        return None
    try:
        files.regular_file(folder, path.name)
        content = files.read_json(path, files.read_limited(path))
        rows = tuple(Result(**row) for row in content.pop("results"))
        results = Results(**content, results=rows)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a table of results (see `keras_attend.zoo.write_results`). "
            f"Received: {type(error).__name__}: {error}"
        ) from error
    name = folder.resolve().name
    # A folder of the Hub's cache has a commit's name.
    if results.preset != name and not files.is_snapshot(folder):
        raise ValueError(
            f"{path} must be about the preset {name!r}. "
            f"Received: preset={results.preset!r}"
        )
    return results
