"""The first rows of an output, as cells to show."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any

import pyarrow.parquet as pq

from millrace.demo.screen import cell
from millrace.engine.options import FileFormat
from millrace.objects.references import ObjectRef

_COLUMNS = 7

Rows = Iterable[dict[str, Any]]


def preview(ref: ObjectRef, content: bytes, *, rows: int) -> tuple[list[str], list[list[str]]]:
    """Column names and the cells of the first ``rows`` rows; columns beyond the seventh are left out."""
    first_rows = list(islice(_read(ref.key, content), rows))
    # A row of JSON may have fields that the first one lacks.
    names = list(dict.fromkeys(chain.from_iterable(first_rows)))[:_COLUMNS]
    return names, [_cells(row, names) for row in first_rows]


def can_preview(key: str) -> bool:
    """Whether the rows of an output so named can be shown: not those of compressed text, Avro and ORC."""
    return key.endswith(tuple(_READ))


def _cells(row: dict[str, Any], names: Iterable[str]) -> list[str]:
    return list(map(cell, map(row.get, names)))


def _read(key: str, content: bytes) -> Rows:
    for extension, read in _READ.items():
        if key.endswith(extension):
            return read(content)
    raise ValueError(f"{key}: no format's outputs end like this")


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
