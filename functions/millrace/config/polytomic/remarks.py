"""What an import says beside its configuration: what a person must do, and what was passed over and why."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class RemarkKind(enum.StrEnum):
    """What a remark is about, in the order in which remarks are shown."""

    TO_DO = "to do"
    PASSED_OVER = "passed over"
    LEFT_OUT = "left out"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence; ``item`` is what it is about, such as ``bulk sync 'orders'``, ``field`` its field or nothing."""

    kind: RemarkKind
    item: str
    field: str
    text: str

    def __str__(self) -> str:
        place = f"{self.item}, {self.field}" if self.field else self.item
        return f"{self.kind}: {place}: {self.text}"


class Remarks:
    """Remarks as they come up, each once; and the names of the vendor's own bookkeeping, which is only listed."""

    def __init__(self) -> None:
        self._remarks: dict[Remark, None] = {}
        self._bookkeeping: set[str] = set()

    def add(self, kind: RemarkKind, item: str, text: str, *, field: str = "") -> None:
        """Keep a remark; the same one again is one."""
        self._remarks[Remark(kind, item, field, text)] = None

    def add_all(self, remarks: Remarks) -> None:
        """Keep all of another collection."""
        self._remarks |= remarks._remarks
        self._bookkeeping |= remarks._bookkeeping

    def note_bookkeeping(self, field: str) -> None:
        """Keep the name of a field that says nothing about data."""
        self._bookkeeping.add(field)

    def __iter__(self) -> Iterator[Remark]:
        order = list(RemarkKind)
        yield from sorted(self._remarks, key=lambda remark: order.index(remark.kind))
        if self._bookkeeping:
            names = ", ".join(sorted(self._bookkeeping))
            yield Remark(RemarkKind.LEFT_OUT, "everywhere", "", f"bookkeeping that a file does not need: {names}")
