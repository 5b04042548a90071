"""A table as a conversion reads it: rows that can be read again and again, and whose errors name their file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from millrace.engine.formats.base import BadRow
from millrace.errors import DataError

PutAside = Callable[[BadRow, str | None], None]
"""Takes a row that could not be read, and the name of its file."""


def ignore_bad_row(_bad: BadRow, _file: str | None) -> None:
    """Do nothing with a bad row: the pass that writes the rows puts it aside."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a table, and their file's name; None if the table is one file.

    ``first`` is the place of the first among the good rows that are read of the file, counted from 1. ``numbers`` are
    those of all in the file, where bad rows count, too; None: they go up from the first.
    """

    batch: pa.RecordBatch
    first: int
    file: str | None
    numbers: Sequence[int] | None = None

    @property
    def row_numbers(self) -> Sequence[int]:
        """The rows' numbers in their file, as errors give them."""
        if self.numbers is not None:
            return self.numbers
        return range(self.first, self.first + self.batch.num_rows)

    def part(self, start: int, count: int) -> TableRows:
        """Some of the rows."""
        numbers = self.row_numbers[start : start + count]
        return TableRows(self.batch.slice(start, count), self.first + start, self.file, numbers)


class Table(Protocol):
    """What is converted: rows that can be read again and again."""

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """The schema and the rows; ``report`` gets the bad ones. Raises what ``formats.base.Reader`` does."""
        ...


class FileRows:
    """Numbers a file's rows from ``begin``, those that are put aside among them."""

    def __init__(self, file: str | None, report: PutAside, begin: int = 1) -> None:
        self._file = file
        self._report = report
        self._begin = begin
        self._aside: set[int] = set()
        self._last_aside = 0

    def put_aside(self, bad: BadRow) -> None:
        """Take a bad row; it is reported before the good rows behind it come."""
        self._aside.add(bad.row)
        self._last_aside = max(self._last_aside, bad.row)
        self._report(bad, self._file)

    def number(self, batches: Iterator[pa.RecordBatch]) -> Generator[TableRows, None, None]:
        """The file's batches with their rows' numbers; errors name the file."""
        first, number = 1, self._begin
        with errors_naming(self._file):
            for batch in batches:
                numbers = self._numbers(number, batch.num_rows)
                yield TableRows(batch, first, self._file, numbers)
                first += batch.num_rows
                if numbers:
                    number = numbers[-1] + 1

    def _numbers(self, number: int, count: int) -> Sequence[int]:
        """The numbers of the next good rows: with row 2 put aside, three rows from 1 on are 1, 3 and 4."""
        if number > self._last_aside:
            return range(number, number + count)
        numbers = list[int]()
        while len(numbers) < count:
            if number in self._aside:
                self._aside.discard(number)
            else:
                numbers.append(number)
            number += 1
        return numbers


@contextmanager
def errors_naming(file: str | None) -> Iterator[None]:
    """Let an error of the data name its file; without a name it stays as it is."""
    try:
        yield
    except DataError as error:
        if file is None:
            raise
        # A name with a line end in it, which S3 allows, must not break the error's text into two lines.
        shown = file
        if not file.isprintable():
            shown = repr(file)
        raise type(error)(f"{shown}: {error}", row=error.row, byte=error.byte, column=error.column) from error
