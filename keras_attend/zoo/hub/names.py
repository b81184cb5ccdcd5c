"""Names of presets on the Hugging Face Hub: `hf://org/name` or `hf://org/name@revision`.

A name that could be a path is refused, for the Hub's client writes files of that name.
"""

import re

HUB = "hf://"
# One part of a repository's or a revision's name. It can neither be empty nor hold
# "/" or "..", so it cannot lead out of the folder that it is joined to.
PART = r"[A-Za-z0-9](?:[\w-]|\.(?!\.)){0,95}"


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
