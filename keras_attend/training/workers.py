"""Several workers on this machine, all started again when one of them dies."""

import json
import os
import socket
import subprocess
import sys
import time

from keras_attend.training.cluster import CONFIG

RESTARTS = 3


def launch(count: int, restarts: int = RESTARTS) -> int:
    """Run this very program as so many workers, which train together.

    A worker that has died cannot come back to those that are left, on TensorFlow or
    on JAX: all of them are started again, with `--resume`.

    Args:
        count: workers.
        restarts: how often.

    Returns:
        The exit status: 0, or that of the first one that failed in the last try.
    """
    command = [sys.executable, *sys.argv]
    for attempt in range(restarts + 1):
        status = _run(command, count)
        if status == 0:
            break
        print(f"A worker ended with status {status}.", file=sys.stderr, flush=True)
        if attempt < restarts and "--resume" not in command:
            command.append("--resume")
    return status


def _run(command: list[str], count: int) -> int:
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    workers = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = os.environ | {CONFIG: json.dumps(config)}
        workers.append(subprocess.Popen(command, env=environment))
    try:
        while True:
            ended = [worker.poll() for worker in workers]
            failed = [status for status in ended if status]
            if failed or None not in ended:
                return failed[0] if failed else 0
            time.sleep(0.2)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for found in sockets:
        found.bind(("127.0.0.1", 0))
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports
