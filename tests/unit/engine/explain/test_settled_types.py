"""Types that a configuration gives are those that `explain` shows: the types that a conversion writes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import Content
from millrace.engine.options import FileFormat, ReadOptions, TableTypes
from millrace.errors import ValueDoesNotFit
from tests.unit.engine.formats.builders import converted, parquet, table

CSV = b"id,price,day\n1,1.50,2026-03-01\n2,3,2026-03-02\n"
JSON = b'{"id":1,"price":1.50,"o":{"n":1}}\n{"id":2,"price":3,"o":null}\n'
FILES = [
    ("csv", CSV),
    ("json", JSON),
    ("parquet", parquet(id=pa.array([1, 2], pa.int8()), price=[1.5, 3.0], at=pa.array([1, 2], pa.timestamp("ms")))),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"type_hints": {"price": "decimal(18,2)"}},
    {"types": TableTypes.WIDE},
    {"types": TableTypes.WIDE, "type_hints": {"price": "decimal(18,2)", "id": "text"}},
]


def explained(data: bytes, source: str, **options: Any) -> Content:
    return explain_file(io.BytesIO(data), FileFormat(source), ReadOptions(**options)).content


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("source", "data"), FILES, ids=[name for name, _ in FILES])
def test_the_types_are_those_that_are_written(source: str, data: bytes, options: dict[str, Any]) -> None:
    content = explained(data, source, **options)

    written = table(converted(data, source, "parquet", **options)).schema
    assert content.error is None
    assert {field.name: field.type for field in content.schema} == {field.name: field.type for field in written}
    top = {column.name: column.field.type for column in content.columns if column.name in written.names}
    assert top == {field.name: field.type for field in written}


def test_a_value_that_its_type_does_not_hold_is_the_files_error() -> None:
    content = explained(b"price\n1.50\n1.505\n", "csv", type_hints={"price": "decimal(18,2)"})

    assert isinstance(content.error, ValueDoesNotFit)
    assert content.error.row == 2
    assert content.columns[0].type == "decimal(18,2)"
