"""Run MiniStack, the local AWS emulator, on loopback: start it, wait until it answers, leave nothing behind.

MiniStack is started by its own server's command line rather than by ``python -m ministack``, for three things that
only the former can do: take over a socket that is already bound (no other program can catch the port in between),
speak plain http beside TLS (so that a policy that demands TLS can be seen to refuse), and log every request.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from millrace.demo.certificates import Certificates
from millrace.mappings import pick

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
_ROOT_KEY = "test"
_STOP_SECONDS = 2.0
_POLL_SECONDS = 0.05
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "USER", "LOGNAME", "SYSTEMROOT")
_REQUEST_LOG = "%({x-ministack-invoke-depth}i)s|%(m)s|%({x-amz-target}i)s|%(s)s|%(q)s|%(U)s"


class EmulatorError(RuntimeError):
    """The emulator did not start, or ended on its own."""


class Mode(enum.Enum):
    """How strict the emulator is."""

    OPEN = "open"
    """Plain http, and every caller may do everything."""
    ENFORCED = "enforced"
    """TLS, signatures are checked and IAM policies decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator; ``folder`` holds all that it writes, and goes with it.

    ``plain_url`` is the plain http endpoint that an enforced emulator has beside ``url``.
    """

    mode: Mode
    pid: int
    url: str
    plain_url: str
    folder: Path
    authority: Path | None = None

    @property
    def log(self) -> Path:
        """What the emulator says, the functions' output included."""
        return self.folder / "emulator.log"

    @property
    def request_log(self) -> Path:
        """One line a request: depth of the function that sent it or ``-``, method, operation, status, query, path.

        A newline in a key makes a second line, which begins with no depth.
        """
        return self.folder / "requests.log"

    def client_environment(self) -> dict[str, str]:
        """The variables by which the CDK, boto3 and other programs talk to this emulator and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": _ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **_isolation(),
            **_trust(self.authority),
        }

    def subprocess_environment(self) -> dict[str, str]:
        """``client_environment`` with the little of ours that a program needs, and no credential of ours."""
        return {**_inherited(), **self.client_environment()}

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of the account's root user; ``options`` go to boto3."""
        given = {
            "region_name": REGION,
            "endpoint_url": self.url,
            "verify": str(self.authority) if self.authority else None,
            "aws_access_key_id": _ROOT_KEY,
            "aws_secret_access_key": _ROOT_KEY,
            "config": _CLIENT,
            **options,
        }
        alone = botocore.session.Session(session_vars=_NOTHING_OF_THE_USERS)
        return boto3.Session(botocore_session=alone).client(service, **given)  # type: ignore[call-overload] # any name

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def is_running(self) -> bool:
        """Whether the process is there."""
        return _is_alive(self.pid)


_NOTHING_OF_THE_USERS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_CLIENT = Config(
    retries={"total_max_attempts": 3, "mode": "standard"},
    connect_timeout=5,
    read_timeout=60,
    s3={"addressing_style": "path"},
    proxies={},
)


def spawn_emulator(
    folder: Path,
    listener: socket.socket,
    plain_listener: socket.socket,
    certificates: Certificates | None,
    *,
    server: Sequence[str] = ("-m", "hypercorn"),
) -> subprocess.Popen[bytes]:
    """The emulator's process, which answers on the listeners that it inherits; ``server`` is what Python runs."""
    command = [sys.executable, *server, "ministack.app:app", "--workers", "0", "--keep-alive", "75"]
    command += ["--graceful-timeout", "0", "--bind", f"fd://{listener.fileno()}"]
    command += ["--access-logfile", str(folder / "requests.log"), "--access-logformat", _REQUEST_LOG]
    inherited = [listener.fileno()]
    if certificates:
        command += ["--certfile", str(certificates.certificate), "--keyfile", str(certificates.key)]
        command += ["--insecure-bind", f"fd://{plain_listener.fileno()}"]
        inherited.append(plain_listener.fileno())
    with (folder / "emulator.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 -- the command is ours
            command,
            cwd=folder,
            env=_emulator_environment(folder, listener, certificates),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Launch:
    """How an emulator is started, and the seconds in which it must answer."""

    spawn: Callable[..., subprocess.Popen[bytes]] = spawn_emulator
    ready_seconds: float = 30.0


@contextlib.contextmanager
def running(mode: Mode = Mode.OPEN, launch: Launch = Launch()) -> Iterator[Emulator]:
    """Start an emulator and stop it whatever happens: an error, Ctrl-C or SIGTERM included."""
    with terminating():
        emulator = start(mode, launch)
        try:
            yield emulator
        finally:
            stop(emulator)


def start(mode: Mode = Mode.OPEN, launch: Launch = Launch()) -> Emulator:
    """Start an emulator that outlives its caller; raise EmulatorError with its log where it does not answer in time."""
    folder = Path(tempfile.mkdtemp(prefix="millrace-emulator-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        with _listener() as listener, _listener() as plain_listener:
            certificates = Certificates.write(folder) if mode is Mode.ENFORCED else None
            process = launch.spawn(folder, listener, plain_listener, certificates)
            ports = listener.getsockname()[1], plain_listener.getsockname()[1]
        emulator = _describe(process, folder, ports, certificates)
        _wait_until_ready(emulator, process, launch.ready_seconds)
    except BaseException:
        if process is not None:
            _end_group(process.pid)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _ADOPTED[process.pid] = process
    return emulator


def stop(emulator: Emulator) -> None:
    """End the emulator with the functions it started, and remove what it wrote; harmless when it is gone."""
    with _undisturbed():
        _end_group(emulator.pid)
        if process := _ADOPTED.pop(emulator.pid, None):
            process.wait()
        shutil.rmtree(emulator.folder, ignore_errors=True)


@contextlib.contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C, so that ``finally`` runs; only the main thread can."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handling({signal.SIGTERM: leave, signal.SIGHUP: leave}):
        yield


_HIDE = """\
import sys


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError("hidden, since Lambda has none", name=name)


sys.meta_path.insert(0, Hide())
"""
_ADOPTED: dict[int, subprocess.Popen[bytes]] = {}


def _listener() -> socket.socket:
    listener = socket.create_server((HOST, 0), backlog=256)
    listener.set_inheritable(True)
    return listener


def _emulator_environment(folder: Path, listener: socket.socket, certificates: Certificates | None) -> dict[str, str]:
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {
        **_inherited(),
        **_isolation(),
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "objects"),
        "PYTHONPATH": str(_hide_packages(folder)),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(listener.getsockname()[1]),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # A phase of a big run that was killed is tried again after 0.2 s, not after two.
        "SFN_WAIT_SCALE": "0.1",
    }
    if certificates is None:
        return environment
    return {
        **environment,
        **_trust(certificates.authority),
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificates.certificate),
        "MINISTACK_SSL_KEY": str(certificates.key),
    }


def _hide_packages(folder: Path) -> Path:
    """A folder for PYTHONPATH that hides from the functions what is on this machine for other ends alone.

    Lambda has no pandas; where there is one, pyarrow imports it with its first scalar, which costs each function's
    start more than a second.
    """
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_HIDE)
    return site


def _describe(
    process: subprocess.Popen[bytes], folder: Path, ports: tuple[int, int], certificates: Certificates | None
) -> Emulator:
    port, plain_port = ports
    if certificates is None:
        url = f"http://{HOST}:{port}"
        return Emulator(mode=Mode.OPEN, pid=process.pid, url=url, plain_url=url, folder=folder)
    return Emulator(
        mode=Mode.ENFORCED,
        pid=process.pid,
        url=f"https://{HOST}:{port}",
        plain_url=f"http://{HOST}:{plain_port}",
        folder=folder,
        authority=certificates.authority,
    )


def _wait_until_ready(emulator: Emulator, process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _answers(emulator):
        if (code := process.poll()) is not None:
            raise EmulatorError(f"the emulator ended at once with exit code {code}; its log:\n{emulator.log_tail()}")
        if time.monotonic() > deadline:
            raise EmulatorError(
                f"the emulator did not answer on {emulator.url} within {seconds:.0f} s; its log:\n{emulator.log_tail()}"
            )
        time.sleep(_POLL_SECONDS)


def _answers(emulator: Emulator) -> bool:
    address = emulator.url.partition("://")[2]
    connection: http.client.HTTPConnection
    if emulator.authority:
        trusted = ssl.create_default_context(cafile=str(emulator.authority))
        connection = http.client.HTTPSConnection(address, timeout=2, context=trusted)
    else:
        connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _inherited() -> dict[str, str]:
    return pick(os.environ, *_INHERITED)


def _isolation() -> dict[str, str]:
    """Keep profiles, proxies and the instance's metadata service out of it."""
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
    }


def _trust(authority: Path | None) -> dict[str, str]:
    names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return dict.fromkeys(names, str(authority)) if authority else {}


def _end_group(group: int) -> None:
    """SIGTERM for all, then SIGKILL for whoever is left: the functions' processes are in the group, too."""
    _signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_alive(group) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        os.killpg(group, number)


def _is_alive(pid: int) -> bool:
    if (process := _ADOPTED.get(pid)) is not None:
        return process.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Do not let an impatient second Ctrl-C leave something running."""
    ignored = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)
    with _handling(ignored):
        yield


@contextlib.contextmanager
def _handling(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for number, handler in handlers.items():
        # What is ignored already, as under nohup, stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
