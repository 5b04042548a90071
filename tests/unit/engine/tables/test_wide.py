"""The widest type of each family, with values printed as before."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from millrace.engine.options import TableTypes
from millrace.engine.tables.wide import widest
from tests.unit.engine.formats.builders import converted, parquet, table

WIDE = TableTypes.WIDE
DAY = datetime(2026, 3, 1, 10)  # noqa: DTZ001 - a time without a zone is what is tested
VALUES: list[tuple[pa.DataType, list[Any], str]] = [
    (pa.int8(), [1, None], "int64"),
    (pa.uint32(), [2**32 - 1, None], "int64"),
    (pa.uint64(), [2**64 - 1, None], "decimal128(38, 0)"),
    (pa.int64(), [1, None], "int64"),
    (pa.decimal128(5, 2), [Decimal("1.50"), None], "decimal128(38, 2)"),
    (pa.decimal32(5, 2), [Decimal("1.50"), None], "decimal128(38, 2)"),
    (pa.decimal256(60, 2), [Decimal("1" * 50 + ".50"), None], "string"),
    (pa.float32(), [0.1, None], "double"),
    (pa.float16(), [0.5, None], "double"),
    (pa.timestamp("s"), [DAY, None], "timestamp[us]"),
    (pa.timestamp("ms"), [DAY, None], "timestamp[us]"),
    (pa.timestamp("ms", tz="UTC"), [DAY, None], "timestamp[us, tz=UTC]"),
    (pa.timestamp("us"), [DAY, None], "timestamp[us]"),
    (pa.timestamp("ns"), [DAY, None], "timestamp[ns]"),
    (pa.date64(), [date(2026, 3, 1), None], "date32[day]"),
    (pa.large_string(), ["x", None], "string"),
    (pa.dictionary(pa.int8(), pa.string()), ["x", None], "string"),
    (pa.list_(pa.int8()), [[1, None], None], "list<element: int64>"),
    (
        pa.struct([("x", pa.int16()), ("y", pa.timestamp("ms"))]),
        [{"x": 1, "y": DAY}, None],
        "struct<x: int64, y: timestamp[us]>",
    ),
    (pa.bool_(), [True, None], "bool"),
]


@pytest.mark.parametrize(("kind", "values", "wide"), VALUES, ids=lambda given: str(given)[:30])
def test_a_column_has_the_widest_type_of_its_family(kind: pa.DataType, values: list[Any], wide: str) -> None:
    data = parquet(a=pa.array(values, kind), n=[1, 2])

    written = table(converted(data, "parquet", "parquet", types=WIDE))

    assert str(written.schema.field("a").type) == wide


@pytest.mark.slow
@pytest.mark.parametrize("target", ["csv", "json"])
@pytest.mark.parametrize(("kind", "values", "wide"), VALUES, ids=lambda given: str(given)[:30])
def test_text_is_the_same(kind: pa.DataType, values: list[Any], wide: str, target: str) -> None:
    data = parquet(a=pa.array(values, kind), n=[1, 2])

    assert converted(data, "parquet", target, types=WIDE) == converted(data, "parquet", target), wide


@pytest.mark.parametrize("target", ["csv", "json", "json-doc"])
def test_text_of_text_files_is_the_same(target: str) -> None:
    csv = b"a,b,c,d\n1,1.50,2026-03-01T10:00:00.123,x\n2,2.25,2026-03-01T10:00:01.000,\n"
    json = b'{"a":1,"b":1.50,"c":[1,2.5],"d":123456789012345678901234567890123456789012}\n'

    assert converted(csv, "csv", target, types=WIDE) == converted(csv, "csv", target)
    assert converted(json, "json", target, types=WIDE) == converted(json, "json", target)


def test_files_of_one_table_agree() -> None:
    files = [b"id,price\n1,1.50\n", b"id,price\n2,123456789.20\n"]

    schemas = {str(table(converted(data, "csv", "parquet", types=WIDE)).schema) for data in files}

    assert len(schemas) == 1
    assert "decimal128(38, 2)" in schemas.pop()


def test_a_type_that_was_given_stays() -> None:
    written = table(converted(b"a\n1.5\n", "csv", "parquet", types=WIDE, type_hints={"a": "decimal(9,2)"}))

    assert str(written.schema.field("a").type) == "decimal128(9, 2)"


@pytest.mark.parametrize(("kind", "values", "wide"), VALUES, ids=lambda given: str(given)[:30])
def test_twice_is_as_once(kind: pa.DataType, values: list[Any], wide: str) -> None:
    del values, wide
    field = widest(pa.field("a", kind))

    assert widest(field).equals(field, check_metadata=True)
