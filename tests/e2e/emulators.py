"""Emulators of this suite, whose functions are forked and so start quickly; those of the demonstration are not."""

from __future__ import annotations

import functools
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from millrace.demo.emulator import Emulator, Launch, Mode, running, spawn_emulator

_FORKING = Path(__file__).with_name("forked_functions.py")
_SERVER = Path(__file__).with_name("forking_emulator.py")


def running_quickly(mode: Mode) -> AbstractContextManager[Emulator]:
    """Start an emulator as ``running`` does, and stop it whatever happens."""
    return running(mode, Launch(functools.partial(spawn_emulator, server=(str(_SERVER),))))


def list_workers(emulator: Emulator) -> list[int]:
    """The functions' processes, the newest last: children of the emulator, or of the one that forks them for it."""
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- the command is ours
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()]
    own, folder = str(emulator.pid), str(emulator.folder)
    children = [(pid, command) for pid, parent, command in lines if parent == own]
    forking = {pid for pid, command in children if _FORKING.name in command}
    forked = [int(pid) for pid, parent, command in lines if parent in forking and _FORKING.name in command]
    return forked or [int(pid) for pid, command in children if folder in command]
