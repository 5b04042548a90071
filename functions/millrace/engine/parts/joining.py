"""How the outputs of a table's parts become one: which of their bytes, one behind the other, and what between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from millrace.engine.options import FileFormat, OutputCompression


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutput:
    """The complete output of one part: its size in bytes, its rows, and what opens it; it is seekable."""

    size: int
    rows: int
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that are in no part, such as a list's comma or a new footer."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one part's output, from ``start`` up to ``end``."""

    part: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """The one output: its pieces in order, and its rows."""

    pieces: tuple[Literal | Piece, ...]
    rows: int


def join_plan(
    target_format: FileFormat, compression: OutputCompression | None, parts: Sequence[PartOutput]
) -> JoinPlan:
    """How complete outputs of one schema become one.

    Raises:
        CannotBeCut: outputs of this format are not joined.
    """
    raise NotImplementedError
