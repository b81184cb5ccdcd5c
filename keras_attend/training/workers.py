"""Start several workers on this machine, and all of them again when one dies."""

import json
import os
import socket
import subprocess
import sys
import time

from keras_attend.training.cluster import CONFIG

RESTARTS = 3


def launch(count: int, restarts: int = RESTARTS) -> int:
    """Run this program as several workers, which train together.

    Neither on TensorFlow nor on JAX can a worker that has died join the others again:
    all of them are started again, with `--resume`.

    Args:
        count: the number of workers.
        restarts: how often they are started again at most.

    Returns:
        The exit status: 0, or that of the first worker that failed in the last try.
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
