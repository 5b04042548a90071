"""The first rows of a file, as the readers that convert it see them; no more of it is read than they need."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from millrace.engine.file_names import is_archive, with_extensions
from millrace.engine.options import FileFormat, ReadOptions, recognise
from millrace.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

PREVIEW_ROWS = 20
MOST_COLUMNS = 50
MOST_CHARACTERS = 200
"""Of a value: a cell with a document in it would fill the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """First rows; ``cells`` hold texts as they are shown, None for a missing value. ``columns`` there are in all."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    cells: tuple[tuple[str | None, ...], ...]
    columns: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedRow:
    """A row that was put aside: its place in its file, why, and its text."""

    file: str | None
    line: int | None
    row: int | None
    byte: int | None
    reason: str
    raw: str


def preview_file(
    source: BinaryIO, name: str, *, file_format: FileFormat | None = None, read: ReadOptions | None = None
) -> Preview:
    """The first rows of a seekable file; without a format, and options, what its name says.

    Raises DataError for a file that cannot be read, UsageError for one of no known format and for an archive.
    """
    from millrace.engine.formats.registry import FORMATS  # noqa: PLC0415 - pyarrow takes a while to import

    if is_archive(name):
        raise UsageError("an archive has no rows of its own; `millrace explain` lists its members")
    if file_format is None:
        recognised = recognise(name)
        if recognised is None:
            raise UsageError(f"the name of {name} says no format that is read")
        file_format, read = recognised.format, with_extensions(ReadOptions(), recognised)
    bad_rows: list[Any] = []
    records = FORMATS[file_format].read(source, read or ReadOptions(), report=bad_rows.append)
    with closing(_closeable(records.batches)) as batches:
        batch = next((batch for batch in batches if batch.num_rows), None)
    notes = [f"row {bad.row:,} is put aside: {bad.reason}" for bad in bad_rows[:3]]
    return _to_preview(records.schema, batch, tuple(notes))


def _closeable(batches: Iterator[pa.RecordBatch]) -> Any:
    """The batches as a generator, so that what reads ahead of the first one is stopped."""
    if hasattr(batches, "close"):
        return batches
    return (batch for batch in batches)


def _to_preview(schema: pa.Schema, batch: pa.RecordBatch | None, notes: tuple[str, ...]) -> Preview:
    from millrace.engine.tables.fields import kind_of  # noqa: PLC0415 - pyarrow takes a while to import

    fields = list(schema)[:MOST_COLUMNS]
    rows: list[tuple[str | None, ...]] = []
    if batch is not None:
        first = batch.slice(0, PREVIEW_ROWS)
        columns = [first.column(number).to_pylist() for number in range(len(fields))]
        # Columns become rows: a file of three columns and twenty rows gives twenty times three cells.
        rows = [tuple(map(_to_cell, values)) for values in zip(*columns, strict=True)]
    return Preview(
        names=tuple(field.name for field in fields),
        kinds=tuple(kind_of(field) for field in fields),
        cells=tuple(rows),
        columns=len(schema),
        notes=notes,
    )


def _to_cell(value: Any) -> str | None:
    """A value as its own text; a nested one as JSON."""
    match value:
        case None:
            return None
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case bytes():
            text = base64.b64encode(value).decode()
        case bool():
            text = "true" if value else "false"
        case _:
            text = str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def read_quarantined(source: BinaryIO, *, most: int = PREVIEW_ROWS) -> tuple[QuarantinedRow, ...]:
    """The first rows of a quarantine object, which is one JSON object a line."""
    lines = islice(io.TextIOWrapper(io.BytesIO(source.read(_MOST_BYTES)), encoding="utf-8", errors="replace"), most)
    rows = []
    for line in lines:
        fields = _parse_line(line)
        if fields is not None:
            rows.append(fields)
    return tuple(rows)


_MOST_BYTES = 2**20
"""Of an output's beginning that is fetched for a page."""


def _parse_line(line: str) -> QuarantinedRow | None:
    """A row; None for a line that the limit of bytes cut."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    raw = str(fields.get("raw", ""))
    return QuarantinedRow(
        file=fields.get("source"),
        line=fields.get("line"),
        row=fields.get("row"),
        byte=fields.get("byte"),
        reason=str(fields.get("reason", "")),
        raw=raw if len(raw) <= _MOST_RAW else f"{raw[: _MOST_RAW - 1]}…",
    )


_MOST_RAW = 2000
"""Characters of a bad row that a page shows."""
