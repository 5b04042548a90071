"""The first rows of an output, as cells to show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from millrace.demo.screen import cell
from millrace.engine.options import FileFormat
from millrace.objects.references import ObjectRef

_COLUMNS = 7

Rows = Iterable[dict[str, Any]]


def preview(ref: ObjectRef, content: bytes, *, rows: int) -> tuple[list[str], list[list[str]]]:
    """Column names and the cells of the first ``rows`` rows; columns beyond the seventh are left out."""
    read = next(read for extension, read in _READ.items() if ref.key.endswith(extension))
    first_rows = list(islice(read(content), rows))
    names = list(dict.fromkeys(name for row in first_rows for name in row))[:_COLUMNS]
    return names, [[cell(row.get(name)) for name in names] for row in first_rows]


def _csv(content: bytes) -> Rows:
    return csv.DictReader(io.StringIO(content.decode(), newline=""))


def _json_lines(content: bytes) -> Rows:
    return map(json.loads, content.decode().splitlines())


def _json_array(content: bytes) -> Rows:
    records: list[dict[str, Any]] = json.loads(content)
    return records


def _parquet(content: bytes) -> Rows:
    records: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return records


_READ: dict[str, Callable[[bytes], Rows]] = {
    FileFormat.CSV.extension: _csv,
    FileFormat.JSON.extension: _json_lines,
    FileFormat.JSON_DOC.extension: _json_array,
    FileFormat.PARQUET.extension: _parquet,
}
