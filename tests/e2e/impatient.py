"""The deployed convert function with its waits cut short: they are minutes, and a test has not so many.

An object whose key has ``KILLER_ENDING`` ends the process that opens it, as one that needs too much memory
would; and as long as there is the file that ``KILLS`` names, workers are killed at any moment of their
work, each leaving a byte in it. Nothing else is different. Emulator, functions and test are on one clock, so that
leases need no margin for clocks that differ.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from convert import handler
from millrace.aws.s3_objects import S3ObjectStore
from millrace.composition.convert import ConvertWorld, convert_world
from millrace.objects.references import ObjectRef
from millrace.objects.store import OpenedObject
from tests.e2e.killer_keys import KILLER_ENDING

_OUT_OF_MEMORY = 137
_KILLS = Path(os.environ["KILLS"])
_SHARE_KILLED, _MEAN_SECONDS = 0.5, 0.1

_pin = S3ObjectStore.pin


def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do as the deployed function does, if this process lives."""
    killing = threading.Timer(random.expovariate(1 / _MEAN_SECONDS), _die)
    if _KILLS.exists() and random.random() < _SHARE_KILLED:
        killing.start()
    try:
        answer: dict[str, Any] = handler.handle(event, context)
    finally:
        killing.cancel()
    return answer


def _die() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.write(os.open(_KILLS, os.O_WRONLY | os.O_APPEND), b".")
        os.kill(os.getpid(), signal.SIGKILL)


@cache
def _make_impatient_world() -> ConvertWorld:
    return convert_world(handler.witness, lease_margin=timedelta(seconds=2), first_backoff=2)


def _pin_or_die(store: S3ObjectStore, ref: ObjectRef, *, tail_first: bool = False) -> OpenedObject:
    if KILLER_ENDING in ref.key:
        os._exit(_OUT_OF_MEMORY)
    return _pin(store, ref, tail_first=tail_first)


handler.world = _make_impatient_world
S3ObjectStore.pin = _pin_or_die  # type: ignore[method-assign, assignment] # in this process alone, which is the function's

__all__ = ["handle"]
