"""The deployed convert function with its waits cut short: they are minutes, and a test has not so many.

An object whose key has ``KILLER_ENDING`` ends the process that opens it, as one that needs too much memory
would. Nothing else is different. Emulator, functions and test are on one clock, so that leases need no margin for
clocks that differ.
"""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache

from convert import handler
from convert.handler import handle
from millrace.aws.s3_objects import S3ObjectStore
from millrace.composition.convert import ConvertWorld, convert_world
from millrace.objects.references import ObjectRef
from millrace.objects.store import OpenedObject
from tests.e2e.killer_keys import KILLER_ENDING

_OUT_OF_MEMORY = 137

_pin = S3ObjectStore.pin


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
