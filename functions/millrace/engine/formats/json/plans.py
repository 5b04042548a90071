"""How pieces of JSON text are read fast: by the native kernel, else by Arrow's parser, with proof or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import pyarrow as pa

from millrace.engine.formats.json import fast
from millrace.engine.formats.json.fast import FastRows
from millrace.engine.formats.json.feed import DividedPiece, JsonPiece
from millrace.engine.formats.json.types import Node
from millrace.engine.native.library import find_kernel

if TYPE_CHECKING:
    from millrace.engine.formats.json.proven import KernelRows

PlannedRows: TypeAlias = "FastRows | KernelRows"


class PiecePlan(Protocol):
    """A way to read pieces of text whose fields are known."""

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        ...

    def parse(self, piece: JsonPiece) -> PlannedRows | None:
        """A piece's rows; None where they are not proven to be what the exact parser would read."""
        ...

    def divide(self, piece: JsonPiece, doubtful_bytes: int) -> DividedPiece:
        """A piece that was not parsed in parts; that which begins with the doubtful row is about as long as asked."""
        ...

    def looking_at(self, odd: frozenset[str]) -> Self:
        """The plan that expects odd numbers behind these names."""
        ...


def plan(node: Node) -> PiecePlan | None:
    """The fastest way to read rows that are like those which a node has observed; None: the exact parser is."""
    kernel = find_kernel()
    if kernel is None:
        return fast.plan(node)
    from millrace.engine.formats.json import proven  # noqa: PLC0415 - it imports ctypes, for a kernel alone

    return proven.plan(kernel, node) or fast.plan(node)
