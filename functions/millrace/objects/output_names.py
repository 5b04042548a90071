"""Names of outputs that are never written over: each claim's has its own, which says whose it is.

A snapshot of an Iceberg table names files for days, so a new version of an object must not take the place of the former
one's file. The output of ``in/a.csv`` under the third claim is::

    lake/orders/a.f00000003-5b0ef0c3a1d24e77-9c41aa.parquet
                   fence    object           claim

The object's digest is of its sync and its address. The claim's is of when it began: a ledger that was lost counts
fences from 1 again, and its claims still write over nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from millrace.objects.references import ObjectRef

_FORM = re.compile(r"\.f(\d{8,18})-([0-9a-f]{16})-([0-9a-f]{6})(?=\.[a-z0-9.]+$)", re.ASCII)
"""The part of a key before its extension: ``.f00000003-5b0ef0c3a1d24e77-9c41aa`` of the example above."""
_PLANNED = "000000"


@dataclass(frozen=True, slots=True, order=True)
class OutputVersion:
    """Which output of an object it is: under which fence it was written, by the digests of the object and the claim."""

    fence: int
    unit: str
    claim: str = _PLANNED

    @classmethod
    def planned(cls, sync: str, source: ObjectRef) -> Self:
        """That of an object before it is claimed, as planning names it."""
        return cls(0, digest_unit(sync, source))

    def at_claim(self, fence: int, started: datetime | None) -> Self:
        """That of the same object under a claim; of its time the seconds count, since the ledger keeps no more."""
        text = str(int(started.timestamp())) if started is not None else ""
        return type(self)(fence, self.unit, hashlib.sha256(text.encode()).hexdigest()[: len(_PLANNED)])

    def as_planned(self) -> Self:
        """That of the same object before it is claimed."""
        return type(self)(0, self.unit)

    @classmethod
    def parse(cls, key: str) -> Self | None:
        """What a key says; None: it is not that of such an output."""
        match = _FORM.search(key)
        return cls(int(match[1]), match[2], match[3]) if match is not None else None

    def __str__(self) -> str:
        return f".f{self.fence:08d}-{self.unit}-{self.claim}"


def digest_unit(sync: str, source: ObjectRef) -> str:
    """Sixteen hexadecimal digits of an object under a sync: no two of a hundred million have the same."""
    return hashlib.sha256(f"{sync}\n{source}".encode()).hexdigest()[:16]


def without_version(key: str) -> str:
    """A key without what ``OutputVersion`` adds to it."""
    return _FORM.sub("", key)


def is_versioned(sync: str, source: ObjectRef, output: ObjectRef) -> bool:
    """Whether an output is one of an object's that are never written over."""
    version = OutputVersion.parse(output.key)
    return version is not None and version.unit == digest_unit(sync, source)
