"""A process that has imported other people's packages, and forks one for each function that the emulator starts.

Each would import botocore, pydantic and pyarrow once more, and read what AWS's services are: half of the 1.3 s of CPU
that a function takes for its first object, and a suite starts hundreds. Nothing of Millrace is imported here: a process
imports all its deployed code when it has become one of its own, which can be killed like any other.

Run as a program with the number of a socket. A request is ``{"command": [...], "folder": ..., "environment": ...}``
with the three standard streams; the answer has the process as a descriptor, which outlives its number.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path
from typing import Any

_IMPORTED = (
    *("aws_lambda_powertools", "aws_lambda_powertools.metrics", "aws_lambda_powertools.utilities.typing"),
    *("boto3", "boto3.session", "boto3.s3.transfer", "botocore.handlers", "botocore.config", "botocore.httpsession"),
    *("pydantic", "pydantic.fields", "pydantic.types"),
    *("pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.json", "pyarrow.parquet"),
)
_SERVICES = ("dynamodb", "lambda", "s3", "sqs", "sts")
_MOST_BYTES = 1 << 18


def main() -> None:
    """Fork until nobody can ask for more; what was forked returns from here, too, when its work is done."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in _IMPORTED:
        importlib.import_module(name)
    # It is beside this program, where nothing else is to be found once there is a function.
    importlib.import_module("shared_models").share_models(*_SERVICES)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MOST_BYTES, 3)
        if not message:
            return
        request = json.loads(message)
        # What ends at once must not be reaped before its descriptor is there.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(request, descriptors)
            return
        _answer(requests, pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for descriptor in descriptors:
            os.close(descriptor)


def _answer(requests: socket.socket, pid: int) -> None:
    process = os.pidfd_open(pid)
    socket.send_fds(requests, [b"%d" % pid], [process])
    os.close(process)


def _reap(_number: int, _frame: Any) -> None:
    """Take note of all that have ended: several may stand behind one signal."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _become(request: dict[str, Any], descriptors: array.array[int] | list[int]) -> None:
    """Run the script of a request as an interpreter would that was started with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for stream, descriptor in enumerate(descriptors):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _, script, *arguments = request["command"]
    sys.argv = [script, *arguments]
    paths = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [str(Path(script).parent), *(path for path in paths if path and path not in sys.path)]
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8", closefd=False), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
