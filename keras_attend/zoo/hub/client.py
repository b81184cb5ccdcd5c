"""Fetch, list and publish presets on the Hugging Face Hub.

This is the only file that imports `huggingface_hub`, and it is imported where it is
needed. The client's own cache is used, which locks, resumes and writes atomically. The
files that come from it are checked here, and its errors replaced by ones that say what
to do.
"""

import contextlib
import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub as hf
from huggingface_hub import constants

from keras_attend.zoo.checks import files
from keras_attend.zoo.hub.errors import explained
from keras_attend.zoo.hub.limits import limited
from keras_attend.zoo.hub.names import HUB, check_repo

LIBRARY = "keras_attend"
MAX_LIST_BYTES = 2**23  # of the names of files or presets
OTHERS = {files.CARD, *files.EXTRA}

Token = str | bool | None


def fetch(
    repo: str, revision: str | None, token: Token, everything: bool, force: bool
) -> Path:
    """Return the folder in the Hub's cache of a preset, which is fetched if need be.

    The manifest is fetched before the other files, and says how large they may be. All
    come from the commit that it came from, though the branch may move meanwhile. A
    commit that is in the cache is found without a request. The arguments are `find`'s.
    """
    fetched = _Revision(repo, revision or constants.DEFAULT_REVISION, token, force)
    with explained(f"{HUB}{repo}", revision, token):
        path = fetched.file(files.MANIFEST, files.MAX_JSON_BYTES)
        folder = path.parent
        fetched.revision = folder.name
        manifest = files.check_manifest(path, files.read_limited(path))
        sums = manifest["sha256"]
        for file in files.LOADED[1:]:
            fetched.file(file, files.limit_of(file, manifest), sums)
    if everything and not constants.is_offline_mode():
        # A network that fails now is no error: the files that `load` needs are there.
        with (
            contextlib.suppress(ConnectionError),
            explained(f"{HUB}{repo}", revision, token),
        ):
            api = hf.HfApi(token=token, library_name=LIBRARY)
            with limited(hf.get_session(), f"the list of {repo}", MAX_LIST_BYTES):
                there = api.list_repo_files(repo, revision=fetched.revision)
            for file in sorted(OTHERS & set(there)):
                fetched.file(file, files.MAX_OTHER_BYTES, sums)
    return folder


class _Revision:
    """Fetches files of one revision of a repository."""

    def __init__(self, repo: str, revision: str, token: Token, force: bool) -> None:
        self.repo, self.revision = repo, revision
        self.token, self.force = token, force

    def file(
        self, file: str, limit: int, sums: Mapping[str, str] | None = None
    ) -> Path:
        """Return the path of a file whose size and sha256 are right."""
        expected = (sums or {}).get(file)
        # The disk may have damaged the cache's copy: it is fetched a second time.
        again = self.force or not constants.is_offline_mode()
        for force in sorted({self.force, again}):
            with limited(hf.get_session(), f"{HUB}{self.repo}: {file}", limit):
                path = self._download(file, limit, force)
            if _is_right(path, limit, expected):
                return path
        content = path.read_bytes()
        # The cache's file is a link to its store, from which the content goes as well.
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise ValueError(
            f"{HUB}{self.repo}@{self.revision}: {file} is damaged or was changed: "
            f"{f'its sha256 must be {expected}' if expected else 'it is no JSON'}. "
            f"Received: {hashlib.sha256(content).hexdigest()} ({len(content)} bytes). "
            "It was removed from the cache; tell the preset's owner if this happens "
            "again."
        )

    def _download(self, file: str, limit: int, force: bool) -> Path:
        cached = hf.try_to_load_from_cache(self.repo, file, revision=self.revision)
        pinned = files.is_revision(self.revision)
        if pinned and not force and isinstance(cached, str):
            return files.regular_file(Path(cached).parent, file)
        download: Callable[..., Any] = functools.partial(
            hf.hf_hub_download,
            self.repo,
            file,
            revision=self.revision,
            token=self.token,
            library_name=LIBRARY,
        )
        if not constants.is_offline_mode():
            planned = download(dry_run=True)
            if not planned.is_cached:
                self._check(file, planned.commit_hash, limit)
        try:
            path = download(force_download=force)
        except ValueError:  # of `limited`: what is too large is not to be gone on with
            self._remove_parts()
            raise
        return files.regular_file(Path(path).parent, file)

    def _remove_parts(self) -> None:
        folder = (
            Path(constants.HF_HUB_CACHE) / f"models--{self.repo.replace('/', '--')}"
        )
        for part in folder.glob("blobs/*.incomplete"):
            part.unlink(missing_ok=True)

    def _check(self, file: str, commit: str, limit: int) -> None:
        """Refuse a file, before it is fetched, by its size and its tag."""
        found = hf.get_hf_file_metadata(
            hf.hf_hub_url(self.repo, file, revision=commit),
            token=self.token,
            library_name=LIBRARY,
        )
        if (found.size or 0) > limit:
            raise ValueError(
                f"{HUB}{self.repo}: {file} must have at most {limit} bytes. "
                f"Received: {found.size} bytes. Nothing was fetched of it."
            )
        # The client writes a file under the name of its tag.
        if not re.fullmatch(r"[\w-][\w.+=-]{0,127}", found.etag or "", re.ASCII):
            raise ValueError(
                f"{HUB}{self.repo}: the tag of {file} must be a plain name. "
                f"Received: {found.etag!r}. Nothing was fetched of it."
            )


def _is_right(path: Path, limit: int, sha256: str | None) -> bool:
    if path.stat().st_size > limit:
        return False
    if sha256 is None:
        return path.suffix != ".json" or _is_json(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _is_json(path: Path) -> bool:
    """Return whether a file is what its name says: a proxy may have sent a page."""
    try:
        files.read_json(path, files.read_limited(path))
    except ValueError:
        return False
    return True


def list_presets(author: str) -> list[str]:
    """Return the names, as `load` takes them, of a user's or organization's presets."""
    check_repo(f"{author}/name", HUB + author)
    with explained(f"{HUB}{author}"):
        api = hf.HfApi(library_name=LIBRARY)
        with limited(hf.get_session(), f"the list of {author}", MAX_LIST_BYTES):
            found = list(api.list_models(author=author, filter=LIBRARY))
        return sorted(f"{HUB}{model.id}" for model in found)


def commit(
    repo: str,
    contents: Mapping[str, bytes],
    *,
    private: bool,
    revision: str | None,
    create_pr: bool,
    token: Token,
    overwrite: bool,
) -> str:
    """Commit files, given by name, to a repository, and return the commit's address.

    See `publish` for the other arguments.
    """
    with explained(f"{HUB}{repo}", revision, token):
        api = hf.HfApi(token=token, library_name=LIBRARY)
        api.create_repo(repo, private=private, exist_ok=True)
        if revision is not None and not create_pr:
            api.create_branch(repo, branch=revision, exist_ok=True)
        # The Hub refuses the commit if another one has been made after this one.
        parent = api.model_info(repo, revision=revision).sha
        there = set(api.list_repo_files(repo, revision=parent))
        taken = sorted(there & contents.keys())
        if taken and not overwrite and not create_pr:
            raise FileExistsError(
                f"{HUB}{repo} must not hold what is published. "
                f"Received: it has {', '.join(taken)}. Pass `overwrite=True` to "
                "replace them, or `create_pr=True` to propose it."
            )
        stale = sorted((OTHERS & there) - contents.keys()) if overwrite else []
        added = [hf.CommitOperationAdd(*item) for item in contents.items()]
        done = api.create_commit(
            repo,
            [*added, *map(hf.CommitOperationDelete, stale)],
            commit_message=f"Preset of keras_attend: {repo.partition('/')[2]}",
            revision=revision,
            create_pr=create_pr,
            parent_commit=parent,
        )
        return done.pr_url if create_pr and done.pr_url else done.commit_url
