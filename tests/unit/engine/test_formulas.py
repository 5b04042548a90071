"""Texts that a spreadsheet takes for formulas are data: they come out as they went in, in names and in values."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from millrace.engine.files import Job, convert_file
from millrace.engine.options import TARGET_FORMATS, FileFormat

FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\tx", "=" * 100_000]
NAMES = ["=1+1", "@name", "-", "n" * 100_000]


@pytest.mark.slow
@pytest.mark.parametrize("to", TARGET_FORMATS)
def test_formulas_survive(tmp_path: Path, to: FileFormat) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([NAMES, *([formula, "a", "b", "c"] for formula in FORMULAS)])

    convert_file(Job(source=str(source), target=str(target), to=to))

    assert _read(target, to) == {name: [row[place] for row in _rows()] for place, name in enumerate(NAMES)}


def _rows() -> list[list[str]]:
    return [[formula, "a", "b", "c"] for formula in FORMULAS]


def _read(target: Path, to: FileFormat) -> dict[str, list[str]]:
    if to is FileFormat.PARQUET:
        return _columns(pq.read_table(target))
    if to is FileFormat.ORC:
        return _columns(orc.read_table(target))
    if to is FileFormat.AVRO:
        return _avro_columns(target)
    if to is FileFormat.CSV:
        csv.field_size_limit(10**6)
        with target.open(newline="") as file:
            header, *rows = list(csv.reader(file))
        return {name: [row[place] for row in rows] for place, name in enumerate(header)}
    text = target.read_text()
    rows_of = json.loads(text) if to is FileFormat.JSON_DOC else [json.loads(line) for line in text.splitlines()]
    return {name: [row[name] for row in rows_of] for name in NAMES}


def _columns(table: pa.Table) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = table.to_pydict()
    return columns


def _avro_columns(target: Path) -> dict[str, list[str]]:
    """Avro allows few characters in names: Millrace keeps the whole name as a property, and reads it again."""
    again = target.with_suffix(".parquet")
    convert_file(Job(source=str(target), target=str(again), to=FileFormat.PARQUET, source_format=FileFormat.AVRO))
    return _columns(pq.read_table(again))
