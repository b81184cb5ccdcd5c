"""What the Hub's client reports, in words that say what to do, without secrets."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def explained(
    name: str, revision: str | None = None, token: str | bool | None = None
) -> Iterator[None]:
    """Turn the errors of the Hub's client into Python's own, which teach.

    Args:
        name: of what is asked for.
        revision: of it.
        token: never shown.

    The client's errors repeat what the server says, and a server may repeat a token;
    so they are not shown beside the new ones. They are told by their names, for
    `hub.py` alone imports the client.
    """
    try:
        yield
    except Exception as error:
        new = _explanation(error, name, revision)
        if new is not None:
            raise new from None
        message = str(error)
        if hidden(message, token) == message:
            raise
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(hidden(message, token)) from None


def hidden(text: str, token: str | bool | None) -> str:
    """A text without the token, nor anything that looks like one."""
    tokens = [token, os.environ.get("HF_TOKEN")]
    for secret in tokens:
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return re.sub(r"\bhf_\w{6,}", "***", text)


def _explanation(
    error: Exception, name: str, revision: str | None
) -> OSError | ValueError | None:
    """The error to raise in place of one of the client's; None keeps it."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            where = cause.filename or "the Hub's cache"
            return OSError(
                cause.errno,
                f"{name} could not be written: no space is left at {where}. Free some, "
                "or set HF_HOME to another disk. What was there is untouched.",
            )
    for cause in _causes(error):
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        if "OfflineModeIsEnabled" in kinds:
            return ConnectionError(
                f"{name} is not in the Hub's cache, and HF_HUB_OFFLINE forbids to "
                "fetch it. Unset it and load the preset once with a network, or pass "
                "a preset's folder."
            )
        response = getattr(cause, "response", None)
        if "HfHubHTTPError" in kinds and response is not None:
            return _of_response(name, revision, kinds, response)
    if any(type(cause).__module__.startswith("http") for cause in _causes(error)):
        return ConnectionError(
            f"{name} is not in the Hub's cache, and the Hub cannot be reached, or cut "
            "the connection. Nothing half-fetched was kept. "
            "Check the network and HF_ENDPOINT, and try again."
        )
    if "Consistency check failed" in str(error):
        return ConnectionError(
            f"{name}: a file ended before its end. It was thrown away; try again."
        )
    if "Invalid pointer path" in str(error):
        return ValueError(
            f"{name}: the server names a commit that is a path out of the cache. "
            "Nothing was fetched. Check HF_ENDPOINT."
        )
    return None


def _of_response(
    name: str, revision: str | None, kinds: set[str], response: Any
) -> OSError | ValueError:
    status: int = response.status_code
    if "RevisionNotFoundError" in kinds:
        return FileNotFoundError(
            f"{name} has no revision {revision!r} ({status}). "
            "Look at its list of commits on the Hub."
        )
    if "GatedRepoError" in kinds:
        return PermissionError(
            f"{name} is gated ({status}): ask for access on its page on the Hub, "
            "then log in with `hf auth login`."
        )
    if "EntryNotFoundError" in kinds:
        file = str(response.url).partition("?")[0].rpartition("/")[2]
        return FileNotFoundError(
            f"{name} is not a preset of keras_attend: it lacks {file} ({status})."
        )
    if "RepositoryNotFoundError" in kinds:
        return FileNotFoundError(
            f"There is no {name} on the Hub, or it is private ({status}). Check "
            "the name; for a private one pass `token` or run `hf auth login`."
        )
    return _of_status(name, status)


def _of_status(name: str, status: int) -> OSError | ValueError:
    if status in (401, 403):
        return PermissionError(
            f"The Hub refuses {name} ({status}). Pass a `token` that may do this "
            "(https://huggingface.co/settings/tokens), or run `hf auth login`."
        )
    if status == 404:
        return FileNotFoundError(f"There is no {name} on the Hub (404).")
    if status in (409, 412):
        return FileExistsError(
            f"{name} has changed while it was published ({status}). Nothing was "
            "written. Look at what is there now, and try again."
        )
    if status == 429:
        return ConnectionError(
            f"The Hub gets too many requests ({status}) for {name}. Wait some "
            "minutes and try again; who is logged in (`hf auth login`) may ask more."
        )
    if status < 500:
        return ValueError(
            f"The Hub does not accept what it was asked of {name} ({status}). If it "
            "was published: look at its card's front matter, and at its name."
        )
    return ConnectionError(
        f"The Hub has failed ({status}) at {name}. Nothing half-fetched was kept. "
        "Try again later; https://status.huggingface.co says how it is."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
