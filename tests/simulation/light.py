"""A conversion that costs microseconds: files of three columns to lines of JSON, as the real one writes them.

It takes the real one's place in most schedules; in the others, and in a test that holds the two together, the real
one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, BinaryIO, TypeVar
from unittest.mock import patch

import pyarrow as pa

from millrace.delivery import archive_tables, build_conversion, table_conversion
from millrace.engine import many_files
from millrace.engine.destination import Converted, Destination, Part, Sink
from millrace.engine.one_file import NO_CONTEXT, ConversionContext
from millrace.engine.options import FileFormat
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import RowCounts
from millrace.engine.table_sources import Source
from millrace.engine.tables.rows import PutAside, Table, TableRows, ignore_bad_row
from millrace.engine.transform.partition import directory
from millrace.errors import RaggedRow
from tests.simulation.files import HEADER, from_json_line, rows_of_sheet

S = TypeVar("S", bound=Sink)
LEFT_OUT = "y"
"""The part that the filter of a configuration with one leaves out."""


def convert(
    source: BinaryIO,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
    *,
    name: str = "",
) -> Converted[S]:
    """Counterpart of ``one_file.convert``."""
    source.seek(0)
    text = source.read()
    _take_time(source, context)
    return convert_texts([text], recipe, destination, context, name)


def convert_many(
    sources: Sequence[Source],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Counterpart of ``many_files.convert_many``."""
    texts = []
    for source in sources:
        with source.open() as stream:
            stream.seek(0)
            texts.append(stream.read())
            _take_time(stream, context)
    return convert_texts(texts, recipe, destination, context)


_TYPES = pa.schema([("id", pa.int64()), ("part", pa.string()), ("version", pa.int64())])


class _AnyFile:
    """A table of one row, with the fields and types of every file of the simulation."""

    def open(self, _report: PutAside, /) -> tuple[pa.Schema, Generator[TableRows, None, None]]:
        return _TYPES, self._rows()

    def _rows(self) -> Generator[TableRows, None, None]:
        yield TableRows(_ONE_ROW, 1, None)


_ONE_ROW = pa.RecordBatch.from_pylist([{"id": 1, "part": "x", "version": 1}], schema=_TYPES)


def convert_into_table(
    source: BinaryIO,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
    within: Callable[[Table], Table],
) -> Converted[S]:
    """Counterpart of ``one_file.convert_into_table``: all files have the same fields, and are written as they are."""
    done = convert(source, recipe, destination, context)
    _, rows = within(_AnyFile()).open(ignore_bad_row)
    for _ in rows:
        pass
    return done


def _take_time(stream: object, context: ConversionContext) -> None:
    """Let the time pass that a simulated stream says; the conversion looks at its clock meanwhile.

    The method is looked up, since ``isinstance`` of a protocol takes thirty times as long.
    """
    take_time = getattr(stream, "take_time", None)
    if take_time is not None:
        take_time(partial(context.on_batch, 0))


def convert_texts(
    texts: list[bytes],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
    name: str = "",
    *,
    first: int = 1,
) -> Converted[S]:
    """Convert the texts of files, whose rows are counted from ``first``."""
    sinks: dict[str | None, tuple[S, list[int]]] = {}
    aside: list[S] = []
    key = recipe.transform.partition_key
    read = filtered = quarantined = 0

    def output(name: str | None) -> tuple[S, list[int]]:
        if name not in sinks:
            sinks[name] = destination.open_output(name), [0]
        return sinks[name]

    try:
        if key is None:
            output(None)
        for number, line in _lines(texts, recipe, first):
            read += 1
            fields = line.split(",")
            if len(fields) != 3:
                aside = aside or [_opened(destination.open_quarantine, number, len(fields))]
                aside[0].write(f"{name}: {line}\n".encode())
                quarantined += 1
                continue
            if recipe.transform.filters.conditions and fields[1] == LEFT_OUT:
                filtered += 1
                continue
            sink, rows = output(None if key is None else directory(key, fields[1]))
            sink.write(b'{"id":%b,"part":"%b","version":%b}\n' % tuple(field.encode() for field in fields))
            rows[0] += 1
        context.on_batch(read)
    except BaseException:
        for sink in [*(sink for sink, _ in sinks.values()), *aside]:
            sink.discard()
        raise
    return Converted(
        rows=RowCounts(read=read, written=read - filtered - quarantined, quarantined=quarantined, filtered=filtered),
        parts=tuple(Part(name, sink, rows[0]) for name, (sink, rows) in sinks.items()),
        quarantine=aside[0] if aside else None,
    )


def _opened(open_quarantine: Callable[[], S] | None, row: int, fields: int) -> S:
    if open_quarantine is None:
        raise RaggedRow(f"row {row} has {fields} fields", row=row)
    return open_quarantine()


def _lines(texts: list[bytes], recipe: Recipe, first: int) -> Iterator[tuple[int, str]]:
    for text in texts:
        yield from enumerate(_rows_in(text, recipe), start=first)


def _rows_in(text: bytes, recipe: Recipe) -> Iterable[str]:
    match recipe.source_format:
        case FileFormat.EXCEL:
            return rows_of_sheet(text, recipe.read.excel_sheet)
        case FileFormat.JSON:
            return map(from_json_line, text.decode().splitlines())
        case _:
            return text.decode().splitlines()[1:]


def used() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The conversions that workers make now, of one file and of many."""
    return vars(table_conversion)["convert"], vars(build_conversion)["convert_many"]


@contextmanager
def in_place() -> Iterator[None]:
    """Let the workers convert lightly."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(table_conversion, "convert", convert))
        stack.enter_context(patch.object(many_files, "convert_many", convert_many))
        stack.enter_context(patch.object(table_conversion, "convert_into_table", convert_into_table))
        stack.enter_context(patch.object(archive_tables, "convert", convert))
        stack.enter_context(patch.object(build_conversion, "convert_many", convert_many))
        yield


__all__ = ["HEADER", "LEFT_OUT", "convert", "convert_into_table", "convert_many", "in_place", "used"]
