"""Reading XML: types are found in the whole document first, then its rows are read.

An attribute ``id`` of a row is the column ``@id``, a child the column of its name. What has children, attributes or
comes several times is JSON text, and so is then the column in every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.limits import MAX_CELLS, check_columns
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.xml.elements import XmlRow, rows_of, to_json
from millrace.engine.options import ReadOptions
from millrace.engine.types import inference
from millrace.engine.types.printing import JSON, with_form
from millrace.errors import MalformedFile

_ROWS = 4096
"""Of a batch, if they are short and have few names."""
_BYTES = 4 * 2**20


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,  # noqa: ARG001 - every reader takes it; here the types are found before reading
    report: Callable[[BadRow], None],  # noqa: ARG001 - every reader takes it; a document is whole or none
) -> Records:
    """Open an XML document; see ``formats.base.Reader``."""
    survey = _XmlSurvey(options)
    # Read twice: a type holds only if every value fits, and a document may be larger than memory.
    for batch in _batches(source, options):
        survey.observe(batch)
    columns = survey.columns()
    schema = pa.schema([column.field for column in columns])
    return Records(schema, (_to_batch(rows, columns, schema) for rows in _batches(source, options)))


def _batches(source: BinaryIO, options: ReadOptions) -> Iterator[list[XmlRow]]:
    """The rows, some at a time: as many as have not too many bytes or cells."""
    rows, names, byte = list[XmlRow](), set[str](), 0
    plain = open_plain(source, options.compression, free_bytes=options.work.unpacked_freely)
    for row in rows_of(plain, options.xml_row):
        rows.append(row)
        names.update(row.values)
        if len(rows) >= _ROWS or row.byte - byte > _BYTES or len(rows) * len(names) > MAX_CELLS:
            yield rows
            rows, byte = [], row.byte
    if rows:
        yield rows


@dataclass(slots=True)
class _SeenColumn:
    """What is known of a column's values."""

    evidence: inference.Evidence = field(default_factory=inference.Evidence)
    is_nested: bool = False


@dataclass(frozen=True, slots=True)
class _XmlColumn:
    """A column whose type is known; ``kind`` None: its values are JSON text."""

    field: pa.Field
    kind: inference.Kind | None


class _XmlSurvey:
    """The columns of a document, in the order of their first appearance."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._seen: dict[str, _SeenColumn] = {}

    def observe(self, rows: list[XmlRow]) -> None:
        """Add rows."""
        texts: dict[str, list[str]] = {}
        for row in rows:
            for name, value in row.values.items():
                column = self._seen.setdefault(name, _SeenColumn())
                if isinstance(value, str):
                    texts.setdefault(name, []).append(value)
                # A column that has an element within it even once is JSON, whatever its other rows are: no evidence is
                # needed.
                elif value is not None:
                    column.is_nested = True
        check_columns(len(self._seen), "the XML document")
        for name, values in texts.items():
            column = self._seen[name]
            if not column.is_nested:
                column.evidence = column.evidence.observe(pa.array(values, pa.string()))

    def columns(self) -> list[_XmlColumn]:
        """The columns with their types."""
        return [self._column(name, seen) for name, seen in self._seen.items()]

    def _column(self, name: str, seen: _SeenColumn) -> _XmlColumn:
        if seen.is_nested:
            return _XmlColumn(with_form(pa.field(name, pa.string()), JSON), None)
        kind = seen.evidence.resolve() if self._options.infer_types else inference.TEXT
        return _XmlColumn(with_form(pa.field(name, kind.type), kind.form), kind)


def _to_batch(rows: list[XmlRow], columns: list[_XmlColumn], schema: pa.Schema) -> pa.RecordBatch:
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    return pa.RecordBatch.from_arrays([_to_array(rows, column) for column in columns], schema=schema)


def _to_array(rows: list[XmlRow], column: _XmlColumn) -> pa.Array:
    values = [row.values.get(column.field.name) for row in rows]
    if column.kind is None:
        return pa.array(list(map(_json_or_none, values)), pa.string())
    array = inference.fit(pa.array(values, pa.string()), column.kind)
    if array is None:
        raise MalformedFile(
            f"the values of {column.field.name!r} changed while they were read again: does somebody write?"
        )
    return array


def _json_or_none(value: Any) -> str | None:
    return None if value is None else to_json(value)
