"""Send presets to the Hugging Face Hub (`publish`), and fetch them (`download`)."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_attend.zoo.card import card as preset_card
from keras_attend.zoo.checks import files
from keras_attend.zoo.hub import user_zoo
from keras_attend.zoo.hub.card import check_front_matter, front_matter, sections
from keras_attend.zoo.hub.names import HUB, check_repo, check_revision
from keras_attend.zoo.presets import find, info
from keras_attend.zoo.results import read_results

if TYPE_CHECKING:
    import keras


def publish(
    model_or_folder: "keras.Model | str | Path",
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

    The folder is loaded before that, with all of `load`'s checks: what is published
    can be loaded, as `hf://org/name` here and by `keras.saving.load_model`.

    Args:
        model_or_folder: a preset's folder, or a built model.
        repo: `org/name`; the repository is made if there is none.
        private: whether a new repository is private.
        revision: a branch, which is made if there is none; None is `main`.
        create_pr: whether to propose the commit as a pull request.
        token: a token of the Hub that may write there; None takes the one that
            `hf auth login` has stored.
        card: the repository's `README.md`, as text or as a file's path; None writes
            one from what the preset says of itself and what it scored.
        overwrite: whether files that are there are replaced, and those of an older
            preset that the new one lacks removed.
        **about: the arguments of `save_preset`, for a model: `description`, `paper`,
            `task`, `input`, and if need be `licence` and `half`.

    Returns:
        The commit's address, or the pull request's.
    """
    from keras_attend.zoo.loading import load_folder  # they need Keras
    from keras_attend.zoo.saving import save_preset

    check_repo(repo)
    if revision is not None:
        check_revision(revision)
    with tempfile.TemporaryDirectory() as temporary:
        if not isinstance(model_or_folder, str | Path):
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
        extra = [file for file in files.EXTRA if (folder / file).exists()]
        contents = {
            file: files.read_limited(
                files.regular_file(folder, file), files.MAX_WEIGHTS_BYTES
            )
            for file in (*files.LOADED, *extra)
        }
        contents[files.CARD] = _card(folder, repo, card).encode()
    from keras_attend.zoo.hub import client

    return client.commit(
        repo,
        contents,
        private=private,
        revision=revision,
        create_pr=create_pr,
        token=token,
        overwrite=overwrite,
    )


def _card(folder: Path, repo: str, card: str | Path | None) -> str:
    preset, results = info(folder), read_results(folder)
    head = front_matter(preset, results)
    if isinstance(card, Path):
        card = files.read_limited(card).decode()
    if card is None:
        named = replace(preset, name=f"{HUB}{repo}")
        return preset_card(named, results, head, sections(preset))
    # The user's own card is kept as it is; a front matter is put before it if it
    # has none.
    return card if check_front_matter(card) else head + card


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
        name: see `load`; `source` and `token` too.
        folder: where to put a copy, a path that does not exist yet; None leaves the
            preset in the cache.
        force: whether to fetch a preset again that is in the cache.

    Returns:
        The preset's folder, which `load` takes.
    """
    found = find(name, source, token, everything=True, force=force)
    if folder is None:
        return found
    user_zoo.copy(found, Path(folder))
    return Path(folder)
