"""Names of presets on the Hugging Face Hub, and what their files must be.

`registry.json` says of each name: the repository, the commit, and the sha256 of every
file that is loaded. Nothing that differs is loaded, whoever owns the repository now.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from keras_attend.zoo.checks.files import LOADED, is_revision, read_json

HUB = "hf://"
# Of a repository's or a revision's name: nothing that a path could climb by.
PART = r"[A-Za-z0-9](?:[\w-]|\.(?!\.)){0,95}"
REGISTRY = Path(__file__).with_name("registry.json")


@dataclass(frozen=True)
class Entry:
    """Where a preset is on the Hub.

    Attributes:
        repo: `org/name`.
        revision: the commit's 40 digits.
        sha256: of each file that is loaded, by name.
    """

    repo: str
    revision: str
    sha256: dict[str, str]

    def __post_init__(self) -> None:
        check_repo(self.repo)
        if not is_revision(self.revision):
            raise ValueError(
                "`revision` must be a commit's 40 digits, for a branch moves. "
                f"Received: revision={self.revision!r}"
            )
        absent = set(LOADED) - self.sha256.keys()
        if absent:
            raise ValueError(
                f"`sha256` must name {', '.join(LOADED)}. "
                f"Received: none of {', '.join(sorted(absent))}"
            )


def read_registry() -> dict[str, Entry]:
    """The presets of `registry.json`, by name."""
    entries = {}
    for name, fields in read_json(REGISTRY, REGISTRY.read_bytes()).items():
        try:
            entries[name] = Entry(**fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{REGISTRY}: {name!r} is damaged. {error}") from error
    return entries


def is_hub_name(name: str) -> bool:
    """Whether a name is of a preset on the Hub; `Path` makes one slash of two."""
    return name.startswith((HUB, "hf:/"))


def parse_hub_name(name: str) -> tuple[str, str | None]:
    """The repository and the revision, if there is one, of `hf://org/name@revision`."""
    plain = re.sub("^hf://?(?!/)", "", name)
    repo, at, revision = plain.partition("@")
    check_repo(repo, name)
    if at:
        check_revision(revision)
    return repo, revision if at else None


def check_repo(repo: str, received: str | None = None) -> None:
    """Refuse what cannot be a repository's name, and might be a path."""
    if not re.fullmatch(f"{PART}/{PART}", repo, re.ASCII):
        raise ValueError(
            "A preset on the Hugging Face Hub is called hf://org/name or "
            f"hf://org/name@revision. Received: {received or repo!r}"
        )


def check_revision(revision: str) -> None:
    """Refuse what cannot be a branch, a tag or a commit, and might be a path.

    The Hub's client writes a file of that name into its cache.
    """
    if not re.fullmatch(f"{PART}(/{PART}){{0,3}}", revision, re.ASCII):
        raise ValueError(
            "`revision` must be a branch, a tag or a commit, such as main. "
            f"Received: revision={revision!r}"
        )
