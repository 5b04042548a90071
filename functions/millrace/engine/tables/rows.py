"""A table as a conversion reads it: rows that can be read again and again, and whose errors name their file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
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
    """Rows of a table, the number of the first in its file, and the file's name; None if the table is one file."""

    batch: pa.RecordBatch
    first: int
    file: str | None


class Table(Protocol):
    """What is converted: rows that can be read again and again."""

    def open(self, report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        """The schema and the rows; ``report`` gets the bad ones. Raises what ``formats.base.Reader`` does."""
        ...


def number_rows(batches: Iterator[pa.RecordBatch], file: str | None) -> Generator[TableRows, None, None]:
    """A file's batches with their rows' numbers; errors name the file."""
    first = 1
    with errors_naming(file):
        for batch in batches:
            yield TableRows(batch, first, file)
            first += batch.num_rows


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
