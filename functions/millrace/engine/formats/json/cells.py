"""How many cells JSON rows fill as columns: a null in a list of objects is little text, and a place in each field.

Worked example: of ``{"a": [{"x": 1, "y": 2}, null, null]}`` the list a has 3 items of 2 leaves, so the row has 6 cells,
and 2 for itself. Items without fields of their own are not counted: there are no more of them than their text says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from millrace.engine.formats.limits import MAX_CELLS, MAX_COLUMNS, leaves
from millrace.engine.types import arrow_types
from millrace.errors import TooBig

MOST_CELLS = 4 * MAX_CELLS
"""Of a batch; a single row may not have more."""
SHORTEST_REFUSED = 2 * MOST_CELLS // MAX_COLUMNS
"""No shorter row, in characters, has too many cells: an item has at least two, ``{}``, and at most all columns."""
Value = Any
Columns = Mapping[str, Sequence[Value]]
Places = Mapping[int, tuple[int, int]]
"""The number and the byte of rows of a block, by their position in it; short rows are left out."""


@dataclass(frozen=True, slots=True)
class ListWay:
    """Where lists of objects are, and how many leaves an object of them has; a step None goes to the items."""

    steps: tuple[str | None, ...]
    leaves: int

    @property
    def path(self) -> str:
        """The way as people write it: ``a.b[]`` are the items of the list b in a."""
        parts = list[str]()
        for step in self.steps:
            if step is None:
                parts.append("[]")
            else:
                parts.append(f".{step}")
        return "".join(parts).removeprefix(".")

    def count_items(self, columns: Columns) -> int:
        """How many items the lists have, missing ones included."""
        name, *steps = self.steps
        values = columns.get(name or "", ())
        for step in steps:
            values = _go(step, filter(None, values))
        return len(values)


def _go(step: str | None, present: Iterable[Value]) -> Sequence[Value]:
    """The items of lists, or the objects' members of a name."""
    if step is None:
        return list(chain.from_iterable(present))
    return [value.get(step) for value in present]


def find_lists(fields: Iterable[pa.Field], steps: tuple[str | None, ...] = ()) -> Iterator[ListWay]:
    """The lists of objects in the fields; one within another comes behind it."""
    for field in fields:
        yield from _find_lists_in(field.type, (*steps, field.name))


def _find_lists_in(kind: pa.DataType, steps: tuple[str | None, ...]) -> Iterator[ListWay]:
    if arrow_types.is_struct(kind):
        yield from find_lists(kind, steps)
    elif arrow_types.is_list(kind):
        item = kind.value_field
        if arrow_types.is_struct(item.type):
            yield ListWay((*steps, None), leaves([item]))
        yield from _find_lists_in(item.type, (*steps, None))


@dataclass(frozen=True, slots=True)
class CellCounter:
    """Counts the cells of rows of a schema."""

    leaves: int
    ways: tuple[ListWay, ...]

    @classmethod
    def of(cls, schema: pa.Schema) -> CellCounter:
        """The counter for rows of a schema."""
        return cls(max(1, leaves(schema)), tuple(find_lists(schema)))

    def divide(self, columns: Columns, rows: int, places: Places, first: int = 0) -> Iterator[tuple[Columns, int]]:
        """Columns of so many rows in parts with few enough cells, each with its rows.

        ``first`` is the position of the first row in the block. Raises TooBig for a single row that has too many.
        """
        crowded = self._find_crowded(columns, rows)
        if crowded is None:
            yield columns, rows
        elif rows == 1:
            raise _too_big(crowded, crowded.count_items(columns), places.get(first))
        else:
            half = rows // 2
            yield from self.divide(_cut(columns, 0, half), half, places, first)
            yield from self.divide(_cut(columns, half, rows), rows - half, places, first + half)

    def _find_crowded(self, columns: Columns, rows: int) -> ListWay | None:
        """The lists by whose items there are too many cells; None if there are not."""
        # Outer lists come first: that the items of inner ones are looked for in many fields has an end where these
        # have too many.
        cells, most, crowded = rows * self.leaves, 0, None
        for way in self.ways:
            own = way.count_items(columns) * way.leaves
            cells += own
            if own > most:
                most, crowded = own, way
            if cells > MOST_CELLS:
                return crowded
        return None


def _cut(columns: Columns, begin: int, end: int) -> Columns:
    return {name: values[begin:end] for name, values in columns.items()}


def _too_big(way: ListWay, items: int, place: tuple[int, int] | None) -> TooBig:
    row, byte = place or (None, None)
    where = "a row"
    if place is not None:
        where = f"row {place[0]:,} at byte {place[1]:,}"
    return TooBig(
        f"{where} has {items:,} items in {way.path} of {way.leaves:,} fields each, those that are missing included;"
        f" with what else is in the row these are more than {MOST_CELLS:,} values, the most of one row: divide the list"
        " among several rows, leave out items that are null, or write name and value as two fields",
        row=row,
        byte=byte,
        column=way.path,
    )
