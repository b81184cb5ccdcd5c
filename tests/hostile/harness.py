"""Run attacks, each in a child with limits, and sort how they end.

    python tests/hostile/harness.py            every attack of `attacks.py`
    python tests/hostile/harness.py --every 20 each twentieth of them
    python tests/hostile/harness.py config     those whose names contain a text

An attack is *safe* if it ends in an error that names the file or the argument, or in
nothing at all; *unclear* if its error does not; *unsafe* if it takes too much time,
memory or disk, is ended by a signal, or leaves a trace outside its own folder. The
exit status is 1 if one is unsafe, or more than 3 % are unclear.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SECONDS = 40  # of CPU time
PATIENCE = 10  # seconds by the clock for each of these: other processes need time, too
MEMORY = 3 * 2**30  # beside what importing the backend takes
DISK = 2**28
CLEAR = (ValueError, OSError, ImportError)
UNCLEAR_SHARE = 0.03


@dataclass(frozen=True)
class End:
    """How an attack has ended."""

    name: str
    kind: str  # "safe", "unclear" or "unsafe"
    detail: str
    seconds: float = 0.0


def run(name, attack, seconds=SECONDS, memory=MEMORY):
    """Run `attack(folder)` in a child, in a folder of its own, and return its `End`."""
    with tempfile.TemporaryDirectory(prefix="attack_") as place:
        folder = Path(place) / "work"
        folder.mkdir()
        receiver, sender = os.pipe()
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            os.close(receiver)
            _child(attack, folder, sender, seconds, memory)
        os.close(sender)
        with os.fdopen(receiver, "rb") as told:
            content = told.read()
        status = os.waitpid(child, 0)[1]
        spent = time.monotonic() - begin
        traces = sorted(path.name for path in Path(place).iterdir())
    if traces != ["work"]:
        return End(name, "unsafe", f"it left {traces}", spent)
    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status)).name
        return End(name, "unsafe", f"ended by {number}", spent)
    kind, detail = json.loads(content) if content else ("unsafe", "it said nothing")
    return End(name, kind, detail, spent)


def _child(attack, folder, sender, seconds, memory):
    """Call the attack, tell how it ended, and end."""
    os.chdir(folder)
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: used + memory,
        resource.RLIMIT_FSIZE: DISK,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    signal.alarm(PATIENCE * seconds)
    try:
        attack(folder)
        found = "safe", "nothing"
    except MemoryError as error:
        found = "unsafe", f"memory: {error}"
    except CLEAR as error:
        found = _sorted(error)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {str(error)[:200]} ({where.name})"
        found = "unclear", text
    with os.fdopen(sender, "w") as told:
        json.dump(found, told)
    os._exit(0)


def _sorted(error):
    text = f"{type(error).__name__}: {str(error)[:300]}"
    causes = {type(c).__name__ for c in (error.__cause__, error.__context__)}
    if "MemoryError" in causes or "Unable to allocate" in str(error):
        return "unsafe", f"memory: {text}"
    message = str(error)
    # Each names the file, or the argument between backquotes.
    clear = "`" in message or any(part in message for part in ("attack_", "://"))
    return ("safe" if clear else "unclear"), text


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("text", nargs="?", default="")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    # What attacks.py shares with tests; `python` gives the script's own folder alone.
    sys.path.append(str(Path(__file__).parents[1]))
    import attacks

    found = [(n, a) for n, a in attacks.attacks() if options.text in n]
    ends = [run(name, attack) for name, attack in found[:: options.every]]
    for end in ends:
        if end.kind != "safe":
            print(f"{end.kind}: {end.name}: {end.detail} ({end.seconds:.1f} s)")
    counts = Counter(end.kind for end in ends)
    print(", ".join(f"{counts[kind]} {kind}" for kind in ("safe", "unclear", "unsafe")))
    unclear = counts["unclear"] > UNCLEAR_SHARE * len(ends)
    return int(bool(counts["unsafe"]) or unclear or not ends)


if __name__ == "__main__":
    sys.exit(main())
