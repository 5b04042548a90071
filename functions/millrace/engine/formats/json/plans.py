"""How pieces of JSON text are read fast: by the native kernel, else by Arrow's parser, with proof or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import pyarrow as pa

from millrace.engine.formats.json import fast
from millrace.engine.formats.json.fast import FastPlan, FastRows
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.types import Node
from millrace.engine.native.library import find_kernel

if TYPE_CHECKING:
    from millrace.engine.formats.json.proven import KernelPlan, KernelRows

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

    def looking_at(self, odd: frozenset[str]) -> Self | PiecePlan:
        """The plan that expects odd numbers behind these names."""
        ...


@dataclass(frozen=True, slots=True)
class PlanInTurn:
    """The kernel is asked first, then Arrow."""

    kernel: KernelPlan
    arrow: FastPlan | None

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        return self.kernel.schema

    def parse(self, piece: JsonPiece) -> PlannedRows | None:
        """A piece's rows; None where they are not proven to be what the exact parser would read."""
        rows = self.kernel.parse(piece)
        if rows is None and self.arrow is not None:
            return self.arrow.parse(piece)
        return rows

    def looking_at(self, odd: frozenset[str]) -> PiecePlan:
        """The plan that expects odd numbers behind these names."""
        if self.arrow is None:
            return self
        return replace(self, arrow=self.arrow.looking_at(odd))


def plan(node: Node) -> PiecePlan | None:
    """The fastest way to read rows that are like those which a node has observed; None: the exact parser is."""
    by_kernel, by_arrow = _plan_by_kernel(node), fast.plan(node)
    if by_kernel is None:
        return by_arrow
    return PlanInTurn(by_kernel, by_arrow)


def _plan_by_kernel(node: Node) -> KernelPlan | None:
    kernel = find_kernel()
    if kernel is None:
        return None
    from millrace.engine.formats.json import proven  # noqa: PLC0415 - it imports ctypes, for a kernel alone

    return proven.plan(kernel, node)
