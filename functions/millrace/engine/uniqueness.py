"""Hold a table's rows to their identifier: two that share it are an error, or the last one stands for both."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Self

import pyarrow as pa

from millrace.engine.tables.rows import Table, TableRows, ignore_bad_row
from millrace.engine.transform.binding import BoundTransform, identifier_of
from millrace.engine.transform.identifiers import Duplicate, Identifiers, Superseded, duplicate_error


def superseded_rows(
    table: Table, on_batch: Callable[[int], None], bound_to: Callable[[pa.Schema], BoundTransform]
) -> Superseded:
    """The rows that a later one with their identifier replaces; reads the whole table."""
    into, pieces = table.open(ignore_bad_row)
    bound = bound_to(into)
    with closing(pieces), Identifiers() as identifiers:
        for rows in pieces:
            identifiers.observe(bound.identifiers(rows.batch))
            on_batch(identifiers.rows)
        return identifiers.superseded_rows()


class Unique:
    """Holds a table's rows to their identifier, where they have one: no two may share it."""

    def __init__(self, bound: BoundTransform) -> None:
        self._bound = bound
        self._identifiers = Identifiers()
        # Of each batch: its file, its rows' numbers there, and how many rows of the table are before it.
        self._files: list[str | None] = []
        self._numbers: list[Sequence[int]] = []
        self._starts: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._identifiers.close()

    def observe(self, rows: TableRows) -> None:
        """Add the next rows."""
        texts = self._bound.identifiers(rows.batch)
        if texts is None:
            return
        self._files.append(rows.file)
        self._numbers.append(rows.row_numbers)
        self._starts.append(self._identifiers.rows)
        self._identifiers.observe(texts)

    def check(self, table: Table, identifier: str) -> None:
        """Raise DuplicateIdentifier with the value and both rows where two share it."""
        duplicate = self._identifiers.duplicate()
        if duplicate is None:
            return
        # Digests alone were kept: the value that a person looks for is read once more.
        _, pieces = table.open(ignore_bad_row)
        with closing(pieces):
            value = identifier_of((rows.batch for rows in pieces), self._bound, duplicate.second)
        (first_file, first), (second_file, second) = self._place(duplicate.first), self._place(duplicate.second)
        if first_file is None or second_file is None:
            raise duplicate_error(identifier, value, Duplicate(first, second))
        places = f"row {first:,} of {first_file}", f"row {second:,} of {second_file}"
        raise duplicate_error(identifier, value, duplicate, places)

    def _place(self, row: int) -> tuple[str | None, int]:
        """The file of a row of the table, and the row's number there."""
        # Batches of 3 and 2 rows have 0 and 3 before them: row 4 of the table is the first row of the second.
        at = bisect_right(self._starts, row - 1) - 1
        return self._files[at], self._numbers[at][row - 1 - self._starts[at]]
