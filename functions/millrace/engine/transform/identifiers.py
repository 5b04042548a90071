"""Rows that share an identifier, found in one pass over any number of rows in little memory.

A digest of 16 bytes and the row's number go to one of 256 spools by the digest's first byte; a spool that grows
beyond 128 kB moves to a temporary file. At the end one spool after the other is looked through, so that memory holds
at most 32 MB of spools and a 256th of the rows' digests: about 80 MB for 100 million rows, 2.4 GB of disk.
A digest says nothing of the value, and two values share one with a chance of 2^-128.
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from types import TracebackType
from typing import IO, Self

import pyarrow as pa

from millrace.errors import DuplicateIdentifier

_RECORD = struct.Struct("<16sQ")
_SPOOLS = 256
"""One for each first byte of a digest: the repetitions of an identifier are in the same one, which fits into memory."""
_IN_MEMORY = 128 * 1024
"""Of each spool; what is larger goes to a temporary file."""
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two rows of one identifier, counted from 1."""

    first: int
    second: int


class Identifiers:
    """The identifiers of a table's rows, observed in their order; to be closed, or used in a with statement."""

    def __init__(self, *, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._spools: dict[int, IO[bytes]] = {}
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was observed, and its temporary files."""
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()

    def observe(self, texts: pa.Array) -> None:
        """Add the next rows' identifiers, as text; a missing one is like no other."""
        records: dict[int, bytearray] = {}
        for row, text in enumerate(texts.to_pylist(), self.rows + 1):
            if text is not None:
                digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
                records.setdefault(digest[0], bytearray()).extend(_RECORD.pack(digest, row))
        for number, data in records.items():
            self._spool(number).write(data)
        self.rows += len(texts)

    def _spool(self, number: int) -> IO[bytes]:
        if number not in self._spools:
            self._spools[number] = tempfile.SpooledTemporaryFile(self._in_memory)  # noqa: SIM115 # closed by close()
        return self._spools[number]

    def duplicate(self) -> Duplicate | None:
        """The earliest row that repeats an identifier, with the row that has it first; None if all differ."""
        return min(self._pairs(), key=attrgetter("second"), default=None)

    def superseded_rows(self) -> Superseded:
        """The rows whose identifier comes again in a later row: those to leave out if the last one wins."""
        rows = array("Q", (pair.first for pair in self._pairs()))
        return Superseded(array("Q", sorted(rows)))

    def _pairs(self) -> Iterator[Duplicate]:
        """Each repeating row with the nearest earlier row of its identifier."""
        for spool in self._spools.values():
            seen: dict[bytes, int] = {}
            spool.seek(0)
            for digest, row in _RECORD.iter_unpack(spool.read()):
                if digest in seen:
                    yield Duplicate(seen[digest], row)
                seen[digest] = row


@dataclass(frozen=True, slots=True)
class Superseded:
    """Rows to leave out, counted from 1, in their order."""

    rows: array[int]

    def remove_from(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """The batch without them; ``first_row`` is the number of its first row."""
        keep = self.kept(first_row, batch.num_rows)
        return batch if all(keep) else batch.filter(pa.array(keep))

    def kept(self, first_row: int, count: int) -> list[bool]:
        """Which of so many rows stay."""
        keep = [True] * count
        begin = bisect_left(self.rows, first_row)
        end = bisect_left(self.rows, first_row + count)
        for row in self.rows[begin:end]:
            keep[row - first_row] = False
        return keep


def duplicate_error(
    field: str, value: str | None, duplicate: Duplicate, places: tuple[str, str] = ("", "")
) -> DuplicateIdentifier:
    """The error of two rows with one identifier; ``value`` is its text, None if it is not at hand.

    ``places`` say which rows these are, if their numbers alone do not: "row 3 of a.csv".
    """
    rows = f"rows {duplicate.first:,} and {duplicate.second:,}"
    if all(places):
        rows = " and ".join(places)
    return DuplicateIdentifier(
        f"{rows} have the same {field}{_shorten(value)}, and it is the model's"
        " identifier; mend the data, choose another identifier, or let the last row win",
        row=duplicate.second,
        column=field,
    )


def _shorten(value: str | None) -> str:
    if value is None:
        return ""
    if len(value) > _SHOWN:
        return f" {value[:_SHOWN]!r}…"
    return f" {value!r}"
