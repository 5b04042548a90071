"""MiniStack as a program, as ``python -m hypercorn`` is, with functions that are forked: see ``forked_functions.py``.

Only how a function's process comes about is different, and only where processes have descriptors, as on Linux; and
the code that functions share is unpacked once, not for each process: in Lambda, too, nobody can write there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_FORKING = Path(__file__).with_name("forked_functions.py")
_MOST_BYTES = 64


class ForkedProcess:
    """What of ``subprocess.Popen`` the emulator asks for: three streams of text, and whether it still runs."""

    def __init__(self, descriptor: int, streams: Sequence[IO[str]]) -> None:
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self._descriptor = descriptor

    def poll(self) -> int | None:
        """0 if it has ended, however: how is known to its parent alone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raise subprocess.TimeoutExpired."""
        if self.returncode is None:
            # A descriptor of a process can be read when it has ended. `select` knows none above 1,023.
            waiting = select.poll()
            waiting.register(self._descriptor, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1_000):
                raise subprocess.TimeoutExpired("a function", timeout or 0)
            self.returncode = 0
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def __del__(self) -> None:
        os.close(self._descriptor)


class SharedZip(zipfile.ZipFile):
    """An archive that is unpacked once, whoever asks: 900 files take 0.15 s of CPU to write and to remove."""

    _lock = threading.Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Make ``path``, an empty folder, a link to the one that has the files."""
        parts = sorted((member.filename, member.CRC, member.file_size) for member in self.infolist())
        whole = Path(tempfile.gettempdir(), "unpacked-" + hashlib.sha256(repr(parts).encode()).hexdigest())
        with self._lock:
            if not whole.exists():
                super().extractall(whole, members, pwd)
        Path(path).rmdir()
        Path(path).symlink_to(whole)


class Forking:
    """The process that forks, started with the first function."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None

    def start(self, command: Sequence[str], *, cwd: str, env: Mapping[str, str], **given: Any) -> Any:
        """Start a process as ``subprocess.Popen`` would; what is no function of Python is left to that."""
        if Path(command[-1]).suffix != ".py":
            return subprocess.Popen(command, cwd=cwd, env=env, **given)  # noqa: S603 - the emulator's own command
        request = json.dumps({"command": list(command), "folder": cwd, "environment": dict(env)}).encode()
        pipes = os.pipe(), os.pipe(), os.pipe()
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = pipes
        theirs = [their_in, their_out, their_err]
        try:
            with self._lock:
                descriptor = self._ask(request, theirs)
        finally:
            for each in theirs:
                os.close(each)
        streams = [
            os.fdopen(our_in, "w", buffering=1),
            os.fdopen(our_out, buffering=1),
            os.fdopen(our_err, buffering=1),
        ]
        return ForkedProcess(descriptor, streams)

    def _ask(self, request: bytes, streams: Sequence[int]) -> int:
        if self._requests is None:
            self._requests = _start_forking()
        socket.send_fds(self._requests, [request], streams)
        _, (descriptor,), _, _ = socket.recv_fds(self._requests, _MOST_BYTES, 1)
        return descriptor


def _start_forking() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, str(_FORKING), str(theirs.fileno())]
        subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)  # noqa: S603 - ours
    return ours


def main() -> None:
    """Serve, as the arguments say."""
    # As `python -m` has it: nothing of the tests can be imported.
    sys.path[0] = str(Path.cwd())
    from hypercorn.__main__ import main as serve  # noqa: PLC0415 - found by the path as it is now
    from ministack.core import lambda_runtime  # noqa: PLC0415 - as above

    if hasattr(os, "pidfd_open"):
        lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": Forking().start})
        lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    sys.exit(serve())


if __name__ == "__main__":
    main()
