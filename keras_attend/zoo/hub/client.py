"""Presets on the Hugging Face Hub: fetch, list, publish.

The only file that imports `huggingface_hub`, and nothing imports this one before it is
needed. The client's own cache is used: it locks, resumes and writes atomically. What
comes out of it is checked here, and its errors are put into words that say what to do.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)

from keras_attend.zoo.checks.files import (
    CARD,
    EXTRA,
    LOADED,
    MANIFEST,
    MAX_JSON_BYTES,
    check_manifest,
    is_revision,
    limit_of,
    read_limited,
    regular_file,
)
from keras_attend.zoo.hub.errors import explained
from keras_attend.zoo.hub.names import HUB, check_repo

LIBRARY = "keras_attend"
MAX_OTHER_BYTES = 2**25  # of a card, a recipe, a picture
OTHERS = {CARD, *EXTRA}

Token = str | bool | None


def fetch(
    repo: str,
    revision: str | None = None,
    *,
    token: Token = None,
    everything: bool = False,
    force: bool = False,
) -> Path:
    """The folder in the Hub's cache of a preset, fetched if need be.

    Args:
        repo: `org/name`.
        revision: a branch, a tag or a commit; None is `main`. A commit that is
            cached is found without a request.
        token: see `load`.
        everything: the card, the results and the recipe too, not only what is loaded.
        force: fetch again what is cached.

    The manifest comes first, and decides how large the others may be. All come from
    the commit that it came from, though the branch may move meanwhile.
    """
    fetched = _Fetched(repo, revision or constants.DEFAULT_REVISION, token, force)
    with explained(f"{HUB}{repo}", revision, token):
        manifest_path = fetched.file(MANIFEST, MAX_JSON_BYTES)
        folder = manifest_path.parent
        fetched.revision = folder.name
        manifest = check_manifest(manifest_path, read_limited(manifest_path))
        sums = manifest["sha256"]
        for file in LOADED[1:]:
            fetched.file(file, limit_of(file, manifest), sums)
    if everything and not constants.is_offline_mode():
        # Without a network, what can be loaded is enough.
        with (
            contextlib.suppress(ConnectionError),
            explained(f"{HUB}{repo}", revision, token),
        ):
            for file in _others(fetched):
                fetched.file(file, MAX_OTHER_BYTES, sums)
    return folder


class _Fetched:
    """Files of a revision, one by one."""

    def __init__(self, repo: str, revision: str, token: Token, force: bool) -> None:
        self.repo = repo
        self.revision = revision
        self.token = token
        self.force = force

    def file(
        self, file: str, limit: int, sums: Mapping[str, str] | None = None
    ) -> Path:
        """The path of a file whose size and sha256 are right."""
        expected = (sums or {}).get(file)
        path = self._download(file, limit, self.force)
        if _is_right(path, limit, expected):
            return path
        if not constants.is_offline_mode() and not self.force:
            # A disk's fault, or an interrupted copy of the cache: heal it.
            path = self._download(file, limit, force=True)
            if _is_right(path, limit, expected):
                return path
        content = path.read_bytes()
        _forget(path)
        raise ValueError(
            f"{HUB}{self.repo}@{self.revision}: {file} is damaged or was changed: its "
            f"sha256 must be {expected}. "
            f"Received: {hashlib.sha256(content).hexdigest()} ({len(content)} bytes). "
            "It was removed from the cache; "
            "tell the preset's owner if it comes back like this."
        )

    def _download(self, file: str, limit: int, force: bool) -> Path:
        cached = try_to_load_from_cache(self.repo, file, revision=self.revision)
        pinned = is_revision(self.revision)
        if pinned and not force and isinstance(cached, str):
            return regular_file(Path(cached).parent, file)
        if not constants.is_offline_mode():
            self._check(file, limit)
        path = hf_hub_download(
            self.repo,
            file,
            revision=self.revision,
            token=self.token,
            library_name=LIBRARY,
            force_download=force,
        )
        return regular_file(Path(path).parent, file)

    def _check(self, file: str, limit: int) -> None:
        """Refuse a file that is too large, or would lie elsewhere, unfetched."""
        planned = hf_hub_download(
            self.repo,
            file,
            revision=self.revision,
            token=self.token,
            library_name=LIBRARY,
            dry_run=True,
        )
        if planned.is_cached:
            return
        found = get_hf_file_metadata(
            hf_hub_url(self.repo, file, revision=planned.commit_hash),
            token=self.token,
            library_name=LIBRARY,
        )
        if (found.size or 0) > limit:
            raise ValueError(
                f"{HUB}{self.repo}: {file} must have at most {limit} bytes. "
                f"Received: {found.size} bytes. Nothing was fetched of it."
            )
        # The client keeps a file under its tag.
        if not re.fullmatch(r"[\w-][\w.+=-]{0,127}", found.etag or "", re.ASCII):
            raise ValueError(
                f"{HUB}{self.repo}: the tag of {file} must be a plain name. "
                f"Received: {found.etag!r}. Nothing was fetched of it."
            )


def _is_right(path: Path, limit: int, sha256: str | None) -> bool:
    if sha256 is None:
        return True
    if path.stat().st_size > limit:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _forget(path: Path) -> None:
    """Remove a file from the Hub's cache, with what its link leads to."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _others(fetched: _Fetched) -> list[str]:
    api = HfApi(token=fetched.token, library_name=LIBRARY)
    files = api.list_repo_files(fetched.repo, revision=fetched.revision)
    return sorted(OTHERS & set(files))


def list_presets(author: str, token: Token = None) -> list[str]:
    """Names of an author's presets, as `load` takes them.

    Args:
        author: a user or an organization.
        token: see `load`.
    """
    check_repo(f"{author}/name", HUB + author)
    with explained(f"{HUB}{author}", None, token):
        api = HfApi(token=token, library_name=LIBRARY)
        found = api.list_models(author=author, filter=LIBRARY)
        return sorted(f"{HUB}{model.id}" for model in found)


def commit(
    repo: str,
    files: Mapping[str, bytes],
    *,
    private: bool,
    revision: str | None,
    create_pr: bool,
    token: Token,
    overwrite: bool,
) -> str:
    """Put files into a repository, which is made if need be, in one commit.

    Args:
        repo: `org/name`.
        files: their bytes, by name.
        private: whether a new repository is.
        revision: a branch, which is made if need be; None is `main`.
        create_pr: propose the commit rather than make it.
        token: see `load`.
        overwrite: whether files that are there may be replaced, and those of an
            older preset that are not among the new ones removed.

    Returns:
        The address of the commit, or of the pull request.
    """
    with explained(f"{HUB}{repo}", revision, token):
        api = HfApi(token=token, library_name=LIBRARY)
        api.create_repo(repo, private=private, exist_ok=True)
        if revision is not None and not create_pr:
            api.create_branch(repo, branch=revision, exist_ok=True)
        # The commit is refused if somebody else's came after this look.
        parent = api.model_info(repo, revision=revision).sha
        there = set(api.list_repo_files(repo, revision=parent))
        taken = sorted(there & files.keys())
        if taken and not overwrite and not create_pr:
            raise FileExistsError(
                f"{HUB}{repo} must not hold what is published. "
                f"Received: it has {', '.join(taken)}. Pass `overwrite=True` to "
                "replace them, or `create_pr=True` to propose it."
            )
        stale = (OTHERS & there) - files.keys()
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(file, content) for file, content in files.items()),
            *(CommitOperationDelete(file) for file in sorted(stale) if overwrite),
        ]
        done = api.create_commit(
            repo,
            operations,
            commit_message=f"Preset of keras_attend: {repo.partition('/')[2]}",
            revision=revision,
            create_pr=create_pr,
            parent_commit=parent,
        )
        return done.pr_url if create_pr and done.pr_url else done.commit_url
