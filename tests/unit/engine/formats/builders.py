"""Conversions in memory, and a second opinion on what a CSV file says."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.destination import Converted, Destination
from millrace.engine.formats.base import Text
from millrace.engine.formats.registry import FORMATS
from millrace.engine.one_file import convert
from millrace.engine.options import FileFormat, ReadOptions, WorkSizes, WriteOptions
from millrace.engine.recipe import Recipe

Cell = str | None
BLANK: list[Cell] = ["<a blank line>"]


class Memory(io.BytesIO):
    """A sink that says whether it was discarded; made as an output is opened, for a partition or none."""

    discarded = False

    def __init__(self, _directory: str | None = None) -> None:
        super().__init__()

    def discard(self) -> None:
        self.discarded = True


def conversion(
    data: bytes, source: str, target: str, *, write: WriteOptions | None = None, **options: Any
) -> Converted[Memory]:
    """What converting the bytes gives."""
    recipe = Recipe(
        source_format=FileFormat(source),
        target_format=FileFormat(target),
        read=ReadOptions(**options),
        write=write or WriteOptions(),
    )
    return convert(io.BytesIO(data), recipe, Destination(Memory, Memory))


def converted(data: bytes, source: str, target: str, **options: Any) -> bytes:
    """The bytes that converting the bytes gives."""
    return conversion(data, source, target, **options).parts[0].sink.getvalue()


def small_work(size: int) -> WorkSizes:
    """Files are read in blocks of so many bytes, types are first taken from one of them."""
    return WorkSizes(block=size, csv_sample=size, json_sample=size, table_sample=size)


def render_text(batch: pa.RecordBatch, file_format: FileFormat) -> Text:
    """The text of rows in a format that renders them."""
    render = FORMATS[file_format].render
    assert render is not None
    return render(batch, batch.schema)


def table(data: bytes) -> pa.Table:
    """A Parquet file's table."""
    return pq.ParquetFile(io.BytesIO(data)).read()


def parquet(**columns: pa.Array | list[Any]) -> bytes:
    """A Parquet file of the columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def cells(text: str, delimiter: str = ",") -> list[list[Cell]]:
    """Rows of a CSV text, character by character: missing is None, empty is "", a blank line is BLANK."""
    rows: list[list[Cell]] = []
    row: list[Cell] = []
    field, quoted, inside, at = "", False, False, 0
    text = text + "\n" if text and text[-1] not in "\r\n" else text
    while at < len(text):
        character = text[at]
        at += 1
        if inside:
            if character != '"':
                field += character
            elif text[at : at + 1] == '"':
                field += '"'
                at += 1
            else:
                inside = False
        elif character == '"' and not field and not quoted:
            inside = quoted = True
        elif character in {delimiter, "\r", "\n"}:
            row.append(field if field or quoted else None)
            field, quoted = "", False
            if character != delimiter:
                at += character == "\r" and text[at : at + 1] == "\n"
                rows.append(BLANK if row == [None] else row)
                row = []
        else:
            field += character
    return rows
