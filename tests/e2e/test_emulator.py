"""The emulator starts on loopback, keeps to itself, and leaves nothing behind however its caller ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import pytest

from millrace.demo.emulator import EmulatorError, Launch, Mode, running

pytestmark = pytest.mark.e2e

_HOLD = """
import signal, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and what was ignored stays so
from millrace.demo.emulator import Mode, running
with running(Mode.OPEN) as emulator:
    print(emulator.pid, emulator.url, emulator.folder, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("mode", Mode)
def test_answers_and_leaves_nothing(mode: Mode) -> None:
    """While it runs, clients reach it; afterwards neither process nor folder is there."""
    with running(mode) as emulator:
        bucket = emulator.client("s3")
        bucket.create_bucket(Bucket="somewhere")
        assert [found["Name"] for found in bucket.list_buckets()["Buckets"]] == ["somewhere"]
        assert emulator.url.startswith("https" if mode is Mode.ENFORCED else "http:")
        assert "|PUT|-|200||/somewhere" in emulator.request_log.read_text()
    assert not emulator.is_running()
    assert not emulator.folder.exists()


def test_does_not_hand_on_the_callers_credentials_and_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the emulator nor what talks to it sees the user's profile, keys or proxy."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "http_proxy", "AWS_ACCESS_KEY_ID"):
        monkeypatch.setenv(name, "http://the.users.own.invalid")
    with running() as emulator:
        environment = emulator.subprocess_environment()
        assert "the.users.own" not in " ".join(environment.values())
        if _has_proc():
            assert "the.users.own" not in Path(f"/proc/{emulator.pid}/environ").read_text()
        assert emulator.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_only_who_trusts_its_authority_gets_through() -> None:
    """The certificate is its own: a client with the system's authorities refuses it."""
    with running(Mode.ENFORCED) as emulator, pytest.raises(botocore.exceptions.SSLError):
        emulator.client("s3", verify=True).list_buckets()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_caller_leaves_nothing(number: signal.Signals) -> None:
    """Ctrl-C, a polite kill and a closed terminal all end the emulator, too."""
    command = [sys.executable, "-c", _HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:  # noqa: S603 -- the command is ours
        assert caller.stdout is not None
        pid, _url, folder = caller.stdout.readline().split()

        caller.send_signal(number)

        assert caller.wait(timeout=10) != 0
    assert _comes_true(lambda: not _is_there(int(pid)))
    assert not Path(folder).exists()


def test_an_emulator_that_ends_at_once_says_why() -> None:
    """The error carries the tail of the log; the folder is gone."""
    folders: list[Path] = []

    def broken(folder: Path, *_others: object) -> subprocess.Popen[bytes]:
        folders.append(folder)
        with (folder / "emulator.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", "raise SystemExit('no room')"], stderr=log, start_new_session=True
            )

    launch = Launch(broken)
    with pytest.raises(EmulatorError, match=r"ended at once with exit code 1(.|\n)*no room"), running(launch=launch):
        pass
    assert not folders[0].exists()


def test_an_emulator_that_never_answers_is_given_up() -> None:
    """Waiting has an end, and the process does not outlive it."""
    processes: list[subprocess.Popen[bytes]] = []

    def silent(folder: Path, *_others: object) -> subprocess.Popen[bytes]:
        processes.append(
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        )
        return processes[-1]

    launch = Launch(silent, ready_seconds=0.5)
    with pytest.raises(EmulatorError, match="did not answer"), running(launch=launch):
        pass
    assert processes[0].poll() is not None


def test_two_run_side_by_side() -> None:
    """Each has its own port and its own content."""
    with running() as one, running() as other:
        one.client("sqs").create_queue(QueueName="only-here")
        assert one.url != other.url
        assert not other.client("sqs").list_queues().get("QueueUrls")


def _is_there(pid: int) -> bool:
    """Whether a process that is not our child runs; a zombie that nobody collects does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _has_proc() or " Z " not in Path(f"/proc/{pid}/stat").read_text()


def _has_proc() -> bool:
    return Path("/proc/self/environ").exists()


def _comes_true(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
