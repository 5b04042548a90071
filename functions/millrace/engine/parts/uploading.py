"""How a joined output is uploaded: S3 copies what it can of parts, and what is too small for that is fetched and glued.

A part of an upload has 5 MiB at least, if it is not the last one, and 5 GiB at most; an upload has up to 10,000 of them
("Amazon S3 multipart upload limits" in the S3 user guide). Every byte of a plan comes once, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from millrace.engine.parts.joining import JoinedBytes, JoinPlan, Literal, Piece
from millrace.errors import TooBig


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What an upload's parts may be; ``most_parts`` of them."""

    smallest: int = 5 * 2**20
    largest: int = 5 * 2**30
    most_parts: int = 10_000


@dataclass(frozen=True, slots=True)
class GluedPart:
    """A part of an upload that is fetched, put together and sent: less than twice the smallest size, or the last."""

    pieces: tuple[JoinedBytes, ...]

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(piece.size for piece in self.pieces)


UploadPart: TypeAlias = "Piece | GluedPart"
"""An ``Piece`` is copied by the store itself."""


def plan_upload(plan: JoinPlan, limits: UploadLimits = UploadLimits()) -> tuple[UploadPart, ...]:
    """The parts of the upload that makes the plan's output; raise TooBig if they are too many.

    Worked example, with 5 as the smallest size: pieces of 2, 20 and 3 bytes become a glued part of 2 and 3 bytes, a
    copied one of the other 17, and a last one of 3.
    """
    glue = _Glue(limits)
    parts = list[UploadPart]()
    for piece in plan.pieces:
        parts += glue.add(piece)
    parts += glue.finish()
    if len(parts) > limits.most_parts:
        raise TooBig(
            f"the output would be an upload of {len(parts):,} parts, {limits.most_parts:,} are the most;"
            " make the parts of the source larger (part_bytes)"
        )
    return tuple(parts)


class _Glue:
    """Pieces that wait for others, since together they are too small."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._waiting = list[JoinedBytes]()
        self._size = 0

    def add(self, piece: JoinedBytes) -> Iterator[UploadPart]:
        """Take the next piece; give the parts that are complete."""
        smallest = self._limits.smallest
        # What waits is too small for a part: it takes what it lacks from this piece, if enough is left of the piece for
        # a part that the store can copy.
        missing = smallest - self._size if self._waiting else 0
        if isinstance(piece, Literal) or piece.size < missing + smallest:
            self._wait(piece)
            if self._size >= smallest:
                yield from self.finish()
            return
        if missing:
            self._wait(Piece(piece.part, piece.start, piece.start + missing))
            yield from self.finish()
        yield from _divide(Piece(piece.part, piece.start + missing, piece.end), self._limits.largest)

    def _wait(self, piece: JoinedBytes) -> None:
        self._waiting.append(piece)
        self._size += piece.size

    def finish(self) -> Sequence[GluedPart]:
        """The pieces that wait, as a part."""
        if not self._waiting:
            return ()
        part = GluedPart(tuple(self._waiting))
        self._waiting, self._size = [], 0
        return (part,)


def _divide(extract: Piece, largest: int) -> Iterator[Piece]:
    """An extract in as few parts as may be, of about the same size."""
    # Rounded up: 11 GiB by at most 5 are three parts of 3.67 GiB, none of which is too small.
    count = -(-extract.size // largest)
    for number in range(count):
        start = extract.start + extract.size * number // count
        end = extract.start + extract.size * (number + 1) // count
        yield Piece(extract.part, start, end)
