"""A Parquet file explained: its types and how they are stored, and what text formats make of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.explain.facts import ColumnFacts, Content, Fact, shown
from millrace.engine.explain.json_fields import path_part
from millrace.engine.explain.measures import TextLengths, ends
from millrace.engine.formats.base import BadRow, Records
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import plain
from millrace.errors import DataError, UnsupportedType

_LINEAGE = "millrace."
_MOST_CHUNKS = 100_000


def _is_instant(kind: pa.DataType) -> bool:
    return arrow_types.is_timestamp(kind) and kind.tz is not None


_AS_BASE64 = "base64 in csv and json"
_AS_DOUBLE = "as the double that it equals in csv and json"
_NOTES: tuple[tuple[arrow_types.TypeQuestion, str], ...] = (
    (arrow_types.is_binary, _AS_BASE64),
    (arrow_types.is_large_binary, _AS_BASE64),
    (arrow_types.is_fixed_size_binary, _AS_BASE64),
    (_is_instant, "in UTC with Z in csv and json"),
    (arrow_types.is_duration, "PT<seconds>S in csv and json"),
    (arrow_types.is_float16, _AS_DOUBLE),
    (arrow_types.is_float32, _AS_DOUBLE),
    (arrow_types.is_map, "JSON text in csv, an object in json; a key twice in one map is refused there"),
    (arrow_types.is_nested, "JSON text in csv"),
)
"""What becomes of a type's values in the text formats: the first that holds is said."""
_ORDERED = (
    arrow_types.is_integer,
    arrow_types.is_float32,
    arrow_types.is_float64,
    arrow_types.is_decimal,
    arrow_types.is_date,
    arrow_types.is_timestamp,
    arrow_types.is_time,
)
"""The types whose least and greatest value are shown; Arrow finds none for halves of a float."""


class MeasuredColumn:
    """What the values of a column at the top have in common."""

    def __init__(self) -> None:
        self.missing = 0
        self.texts = TextLengths()
        self._limits: pa.Array | None = None

    def observe(self, values: pa.Array) -> None:
        """Add the next values."""
        if arrow_types.is_dictionary(values.type):
            values = values.dictionary_decode()
        self.missing += values.null_count
        if values.null_count == len(values):
            return
        if arrow_types.is_string(values.type) or arrow_types.is_large_string(values.type):
            self.texts.observe(values)
        elif _is_ordered(values.type):
            self._limit(values)

    def _limit(self, values: pa.Array) -> None:
        if self._limits is not None:
            values = pa.concat_arrays([self._limits, values])
        self._limits = ends(values)

    def limits(self) -> tuple[str, str] | None:
        """The least and the greatest value, if they have an order."""
        if self._limits is None:
            return None
        low, high = plain(self._limits).to_pylist()
        return low, high


def _is_ordered(kind: pa.DataType) -> bool:
    return arrow_types.is_one_of(kind, _ORDERED)


def explain_parquet(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a Parquet file: all of it is read, so that damage is found."""
    try:
        records = FORMATS[FileFormat.PARQUET].read(source, options, report=_ignore)
        source.seek(0)
        metadata = pq.ParquetFile(source).metadata
    except DataError as error:
        return Content(error=error)
    return measure_content(records, tuple(_facts(metadata)), _storage_of_leaves(metadata))


def measure_content(records: Records, facts: tuple[Fact, ...], stored: Iterator[str]) -> Content:
    """What the columns hold, over all rows, or over those before the first that is damaged.

    ``stored`` says how each leaf is stored, if that is known.
    """
    measured = [MeasuredColumn() for _ in records.schema]
    rows = 0
    refused = None
    try:
        for batch in records.batches:
            for column, values in zip(measured, batch.columns, strict=True):
                column.observe(values)
            rows += batch.num_rows
    except DataError as error:
        refused = error
    columns = tuple(_describe_columns(records.schema, stored, measured))
    return Content(facts=facts, rows=rows, schema=records.schema, columns=columns, error=refused)


def _ignore(_bad: BadRow) -> None:
    """Parquet has no single bad rows."""


def _facts(metadata: pq.FileMetaData) -> Iterator[Fact]:
    yield Fact("written by", metadata.created_by or "unknown", f"Parquet {metadata.format_version}")
    yield _fact_of_groups(list(map(metadata.row_group, range(metadata.num_row_groups))))
    for key, value in sorted((metadata.metadata or {}).items()):
        name = key.decode(errors="replace")
        if name.startswith(_LINEAGE):
            written = shown(value.decode(errors="replace"))
            yield Fact(name.removeprefix(_LINEAGE), written, "lineage: Millrace wrote the file")


def _fact_of_groups(groups: list[pq.RowGroupMetaData]) -> Fact:
    if not groups:
        return Fact("row groups", "0", "of 0 rows and at most 0 bytes")
    rows = {group.num_rows for group in groups}
    size = max(group.total_byte_size for group in groups)
    spread = " to ".join(f"{count:,}" for count in sorted({min(rows), max(rows)}))
    return Fact("row groups", f"{len(groups):,}", f"of {spread} rows and at most {size:,} bytes")


def _describe_columns(
    schema: pa.Schema, stored: Iterator[str], measured: list[MeasuredColumn]
) -> Iterator[ColumnFacts]:
    """The facts of each column and of each field below it; ``stored`` are those of the leaves, if they are known."""
    for top, values in zip(schema, measured, strict=True):
        for path, field, is_leaf in _fields(top, path_part(top.name)):
            column = ColumnFacts(name=path, field=field, missing=None)
            if field is top:
                column = replace(
                    column,
                    missing=values.missing,
                    empty=values.texts.empty,
                    lengths=values.texts.lengths,
                    limits=values.limits(),
                    notes=tuple(_notes(field)),
                )
            if is_leaf:
                column = replace(column, stored=next(stored, ""))
            yield column


def _fields(field: pa.Field, path: str) -> Iterator[tuple[str, pa.Field, bool]]:
    """A field and those below it; those without any are leaves, in the order in which Parquet has them."""
    below = _below(field.type)
    yield path, field, not below
    for step, child in below:
        yield from _fields(child, path + step)


def _below(kind: pa.DataType) -> list[tuple[str, pa.Field]]:
    if isinstance(kind, pa.BaseExtensionType):
        return _below(kind.storage_type)
    if arrow_types.is_struct(kind):
        return [(f".{path_part(child.name)}", child) for child in kind]
    if arrow_types.is_map(kind):
        return [("{}.key", kind.key_field), ("{}.value", kind.item_field)]
    if arrow_types.is_nested(kind):
        return [("[]", kind.value_field)]
    return []


def _storage_of_leaves(metadata: pq.FileMetaData) -> Iterator[str]:
    """How each leaf is stored: over all row groups, or over some of them if there are too many chunks."""
    step = 1 + metadata.num_columns * metadata.num_row_groups // _MOST_CHUNKS
    groups = list(map(metadata.row_group, range(0, metadata.num_row_groups, step)))
    for number in range(metadata.num_columns):
        codecs, encodings = set[str](), set[str]()
        for group in groups:
            chunk = group.column(number)
            codecs.add(chunk.compression.lower())
            encodings.update(chunk.encodings)
        parts = (_kind_of_leaf(metadata.schema.column(number)), "+".join(sorted(codecs)), "+".join(sorted(encodings)))
        yield ", ".join(filter(None, parts))


def _kind_of_leaf(column: pq.ColumnSchema) -> str:
    logical = column.logical_type.type
    if logical == "NONE":
        return str(column.physical_type)
    return f"{column.physical_type} {logical}"


def _notes(field: pa.Field) -> Iterator[str]:
    note = next((text for question, text in _NOTES if question(field.type)), None)
    if note is not None:
        yield note
    for target in (FileFormat.CSV, FileFormat.JSON):
        try:
            _try(field, target)
        except UnsupportedType as error:
            yield f"impossible in {target}: {error}"


def _try(field: pa.Field, target: FileFormat) -> None:
    """Write a row whose value is missing: the writers know which types they cannot write."""
    schema = pa.schema([field])
    writer = FORMATS[target].write(_Nowhere(), schema, WriteOptions())
    writer.write(pa.RecordBatch.from_arrays([pa.nulls(1, field.type)], schema=schema))


class _Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes | memoryview) -> int:
        return len(data)
