"""How pieces of JSON text are read fast: by the native kernel, else by Arrow's parser, with proof or not at all."""

from __future__ import annotations

from typing import Protocol, Self

import pyarrow as pa

from millrace.engine.formats.json import fast
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.planned_rows import Doubt, PlannedRows
from millrace.engine.formats.json.types import Node
from millrace.engine.native.library import find_kernel


class PiecePlan(Protocol):
    """A way to read pieces of text whose fields are known."""

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        ...

    def parse(self, piece: JsonPiece) -> PlannedRows | Doubt:
        """A piece's rows; a doubt if they are not proven to be what the exact parser would read."""
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
