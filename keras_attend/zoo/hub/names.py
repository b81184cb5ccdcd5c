"""Parse names of presets on the Hub: `hf://org/name` or `hf://org/name@revision`.

The Hub's client writes files under these names, so that one that could be a path is
refused.
"""

import re

HUB = "hf://"
# One part of a repository's or a revision's name. It can neither be empty nor hold
# "/" or "..", so it cannot lead out of the folder that it is joined to.
PART = r"[A-Za-z0-9](?:[\w-]|\.(?!\.)){0,95}"


def is_hub_name(name: str) -> bool:
    """Return whether a name is of the Hub; `Path` makes one slash of its two."""
    return name.startswith((HUB, "hf:/"))


def parse_hub_name(name: str) -> tuple[str, str | None]:
    """Return the repository and the revision, or None, in `hf://org/name@revision`."""
    plain = re.sub("^hf://?(?!/)", "", name)
    repo, at, revision = plain.partition("@")
    check_repo(repo, name)
    if at:
        check_revision(revision)
    return repo, revision if at else None


def check_repo(repo: str, received: str | None = None) -> None:
    """Refuse a text that cannot be a repository's name, and might be a path."""
    if not re.fullmatch(f"{PART}/{PART}", repo, re.ASCII):
        raise ValueError(
            "A preset on the Hugging Face Hub is called hf://org/name or "
            f"hf://org/name@revision. Received: {received or repo!r}"
        )


def check_revision(revision: str) -> None:
    """Refuse a text that cannot be a branch, a tag or a commit, and might be a path."""
    if not re.fullmatch(f"{PART}(/{PART}){{0,3}}", revision, re.ASCII):
        raise ValueError(
            "`revision` must be a branch, a tag or a commit, such as main. "
            f"Received: revision={revision!r}"
        )
