"""Turn errors of the Hub's client into Python's own, which say what to do.

The client's errors repeat what the server says, and a server may repeat a token: no
message that is made here holds one. The client's classes are known by their names, for
`client.py` alone imports the client.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

# The error to raise, by the name of the client's error or by the response's status.
# The order counts: a `GatedRepoError` is a `RepositoryNotFoundError` as well.
RESPONSES: dict[str | int, tuple[type[OSError], str]] = {
    "RevisionNotFoundError": (
        FileNotFoundError,
        "{name} has no revision {revision!r} ({status}). See its list of commits on "
        "the Hub.",
    ),
    "GatedRepoError": (
        PermissionError,
        "{name} is gated ({status}): ask for access on its page on the Hub, then log "
        "in with `hf auth login`.",
    ),
    "EntryNotFoundError": (
        FileNotFoundError,
        "{name} is not a preset of keras_attend: it lacks {file} ({status}).",
    ),
    "RepositoryNotFoundError": (
        FileNotFoundError,
        "There is no {name} on the Hub, or it is private ({status}). Check the name; "
        "for a private one pass `token` or run `hf auth login`.",
    ),
    401: (
        PermissionError,
        "The Hub refuses {name} ({status}). Pass a `token` that may do this "
        "(https://huggingface.co/settings/tokens), or run `hf auth login`.",
    ),
    404: (FileNotFoundError, "There is no {name} on the Hub ({status})."),
    409: (
        FileExistsError,
        "{name} has changed while it was published ({status}). Nothing was written. "
        "Check what is there now, and try again.",
    ),
    429: (
        ConnectionError,
        "The Hub gets too many requests ({status}) for {name}. Wait some minutes and "
        "try again; who is logged in (`hf auth login`) may send more.",
    ),
    500: (
        ConnectionError,
        "The Hub has failed ({status}) at {name}. Nothing half-fetched was kept. Try "
        "again later; https://status.huggingface.co says how it is.",
    ),
}
RESPONSES |= {403: RESPONSES[401], 412: RESPONSES[409]}


@contextmanager
def explained(
    name: str, revision: str | None = None, token: str | bool | None = None
) -> Iterator[None]:
    """Replace an error of the Hub's client by one that says what to do.

    It is about the preset (or user) `name` and its revision, and hides the token.
    """
    try:
        yield
    except Exception as error:
        # `from None`: the client's own message, which may hold a token, is not printed.
        new = _explanation(error, name, revision)
        if new is not None:
            raise new from None
        message = str(error)
        for secret in (token, os.environ.get("HF_TOKEN")):
            if isinstance(secret, str) and secret:
                message = message.replace(secret, "***")
        message = re.sub(r"\bhf_\w{6,}", "***", message)  # what resembles a token
        if message == str(error):
            raise
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(message) from None


def _explanation(
    error: Exception, name: str, revision: str | None
) -> OSError | ValueError | None:
    """Return the error to raise in place of one of the client's; None keeps it."""
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        if cause in causes:
            break
        causes.append(cause)
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            place = cause.filename or "the Hub's cache"
            return OSError(
                cause.errno,
                f"{name} could not be written: no space is left at {place}. Free some, "
                "or set HF_HOME to another disk. What was there is untouched.",
            )
    for cause in causes:
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        if "OfflineModeIsEnabled" in kinds:
            return ConnectionError(
                f"{name} is not in the Hub's cache, and HF_HUB_OFFLINE forbids to "
                "fetch it. Unset it and load the preset once with a network, or pass "
                "a preset's folder."
            )
        response = getattr(cause, "response", None)
        if "HfHubHTTPError" in kinds and response is not None:
            status: int = response.status_code
            file = str(response.url).partition("?")[0].rpartition("/")[2]
            for key, (kind, text) in RESPONSES.items():
                if key in (*kinds, min(status, 500)):
                    return kind(
                        text.format(
                            name=name, revision=revision, status=status, file=file
                        )
                    )
            return ValueError(
                f"The Hub does not accept what it was asked of {name} ({status}). If "
                "you publish: check the card's front matter, and the name."
            )
    if any(type(cause).__module__.startswith("http") for cause in causes):
        return ConnectionError(
            f"{name} is not in the Hub's cache, and the Hub cannot be reached, or it "
            "broke the connection off. Nothing half-fetched was kept. "
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
