"""Emulators of this suite, whose functions are forked and so start quickly; those of the demonstration are not."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from pathlib import Path

from millrace.demo.emulator import Emulator, Launch, Mode, running, spawn_emulator

FORKING = Path(__file__).with_name("forked_functions.py")
"""The program that forks them."""
_SERVER = Path(__file__).with_name("forking_emulator.py")


def running_quickly(mode: Mode) -> AbstractContextManager[Emulator]:
    """Start an emulator as ``running`` does, and stop it whatever happens."""
    return running(mode, Launch(functools.partial(spawn_emulator, server=(str(_SERVER),))))
