"""The demonstration that was left running: remember it, find it again, stop it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from millrace.demo.emulator import Emulator, Mode, start, stop, terminating
from millrace.deployment.project import find_project


@contextlib.contextmanager
def kept() -> Iterator[Emulator]:
    """An emulator that stays when the block ends well, and goes like any other when it does not."""
    with terminating():
        emulator = start(Mode.OPEN)
        try:
            yield emulator
            remember(emulator)
        except BaseException:
            stop(emulator)
            raise


def remember(emulator: Emulator) -> None:
    """Write down which emulator was left running."""
    fields = asdict(emulator) | {"mode": emulator.mode.value, "folder": str(emulator.folder)}
    fields["authority"] = str(emulator.authority) if emulator.authority else None
    _record().parent.mkdir(parents=True, exist_ok=True)
    _record().write_text(json.dumps(fields))


def recall() -> Emulator | None:
    """The emulator that was left running, if it still is; a number that another program has by now is not it."""
    try:
        fields = json.loads(_record().read_text())
    except FileNotFoundError:
        return None
    authority = fields["authority"]
    emulator = Emulator(
        mode=Mode(fields["mode"]),
        pid=fields["pid"],
        url=fields["url"],
        plain_url=fields["plain_url"],
        folder=Path(fields["folder"]),
        authority=Path(authority) if authority else None,
    )
    return emulator if _is_emulator(emulator) else None


def forget() -> None:
    """Remove the record."""
    _record().unlink(missing_ok=True)


def _record() -> Path:
    return find_project().build / "demo.json"


def _is_emulator(emulator: Emulator) -> bool:
    command = _command_line(emulator.pid)
    return "ministack.app:app" in command and str(emulator.folder) in command


def _command_line(pid: int) -> str:
    """What a process was started with; a slim container has no ``ps``, macOS no ``/proc``."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 -- ours
