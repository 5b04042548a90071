"""What a plan makes of a piece of JSON text: its rows as one batch, or the row that it could not read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pyarrow as pa

from millrace.engine.formats.json.feed import DividedPiece, JsonPiece
from millrace.engine.formats.json.types import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRows(ABC):
    """The rows of a piece, each value proven to be what the exact parser would have read.

    ``leaves`` are the values of a row, ``odd`` the names whose numbers the next pieces have to be searched for.
    """

    piece: JsonPiece
    batch: pa.RecordBatch
    leaves: int
    odd: frozenset[str] = frozenset()
    first_row: int = 1

    @property
    def schema(self) -> pa.Schema:
        """The schema that they were read for."""
        return self.batch.schema

    @property
    def size(self) -> int:
        """How much text they were."""
        return len(self.piece.data)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.batch.num_rows  # type: ignore[no-any-return] # pyarrow ships no types

    @property
    def cells(self) -> int:
        """How many values there are, missing ones included."""
        return self.count * self.leaves

    @abstractmethod
    def observe(self, node: Node) -> bool:
        """Add the rows' values to what is known of their types; False where that is as before."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A piece has no rows by a plan, and nobody knows which of them does not fit."""

    def divide(self, piece: JsonPiece, _doubtful_bytes: int, /) -> DividedPiece:
        """The piece in parts; the one with the doubtful row is about as long as asked, if it is known."""
        return DividedPiece(piece)
