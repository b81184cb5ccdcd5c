"""`publish` and `download`: a preset's way to the Hugging Face Hub and back."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from keras_attend.zoo.card import card as preset_card
from keras_attend.zoo.checks.files import (
    CARD,
    EXTRA,
    LOADED,
    MAX_WEIGHTS_BYTES,
    read_limited,
    regular_file,
)
from keras_attend.zoo.hub import own_zoo
from keras_attend.zoo.hub.card import check_front_matter, front_matter, sections
from keras_attend.zoo.hub.names import HUB, check_repo, check_revision
from keras_attend.zoo.loading import load_folder
from keras_attend.zoo.presets import find, info
from keras_attend.zoo.results import read_results
from keras_attend.zoo.saving import save_preset


def publish(
    model_or_folder: keras.Model | str | Path,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    token: str | bool | None = None,
    card: str | Path | None = None,
    overwrite: bool = False,
    **about: Any,
) -> str:
    """Put a preset on the Hugging Face Hub, in one commit.

    Args:
        model_or_folder: a preset's folder, or a built model.
        repo: `org/name`; made if need be.
        private: whether a new repository is private.
        revision: a branch, made if need be; None is `main`.
        create_pr: propose the commit as a pull request rather than make it.
        token: of the Hub, that may write there; None takes the one that
            `hf auth login` has stored.
        card: the repository's `README.md`, as text or as a file's path; None writes
            one from what the preset says of itself and what it scored.
        overwrite: replace files that are there.
        **about: of a model, what `save_preset` wants to know: `description`,
            `paper`, `task`, `input`, and if need be `licence` and `half`.

    Returns:
        The commit's address, or the pull request's.

    The folder is loaded first, with all of `load`'s checks: what is published can be
    loaded, as `hf://org/name` here and by `keras.saving.load_model`.
    """
    check_repo(repo)
    if revision is not None:
        check_revision(revision)
    with tempfile.TemporaryDirectory() as temporary:
        if isinstance(model_or_folder, keras.Model):
            folder = Path(temporary) / repo.partition("/")[2]
            save_preset(model_or_folder, folder, **about)
        else:
            folder = Path(model_or_folder)
            if about:
                raise ValueError(
                    "A preset's folder says itself what it is. "
                    f"Received: {', '.join(about)}"
                )
        load_folder(folder)
        files = _files(folder)
        files[CARD] = _card(folder, repo, card).encode()
    from keras_attend.zoo.hub import client

    return client.commit(
        repo,
        files,
        private=private,
        revision=revision,
        create_pr=create_pr,
        token=token,
        overwrite=overwrite,
    )


def _files(folder: Path) -> dict[str, bytes]:
    """What is published of a folder: plain files, no links out of it."""
    extra = [file for file in EXTRA if (folder / file).exists()]
    return {
        file: read_limited(regular_file(folder, file), MAX_WEIGHTS_BYTES)
        for file in (*LOADED, *extra)
    }


def _card(folder: Path, repo: str, card: str | Path | None) -> str:
    preset, results = info(folder), read_results(folder)
    if isinstance(card, Path):
        card = read_limited(card).decode()
    if card is not None:
        # A card of one's own is kept as it is; what it lacks is put before it.
        head = "" if check_front_matter(card) else front_matter(preset, results)
        return head + card
    name = f"{HUB}{repo}"
    _, _, text = preset_card(replace(preset, name=name), results).split("---\n", 2)
    before, mark, after = text.partition("\n## Results\n")
    short = repo.partition("/")[2]
    title = before.replace(f"# {name}\n", f"# {short}\n", 1)
    title = title.replace(f"![What {name} does]", f"![What {short} does]")
    more = sections(preset)
    return front_matter(preset, results) + title + more + mark + after


def download(
    name: str | Path,
    folder: str | Path | None = None,
    *,
    source: str | None = None,
    token: str | bool | None = None,
    force: bool = False,
) -> Path:
    """Fetch a preset with its card, its results and its recipe; no model is built.

    Args:
        name: see `load`.
        folder: where to put a copy, which must not be there yet; None leaves the
            preset in the cache.
        source: see `load`.
        token: see `load`.
        force: fetch again what is cached.

    Returns:
        The preset's folder, which `load` takes.
    """
    found = find(name, source, token, everything=True, force=force)
    if folder is None:
        return found
    target = Path(folder)
    own_zoo.copy(found, target)
    return target
