"""Types of Parquet in Athena's words: exactly, or refused and shown."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.catalog.columns import to_catalog_columns, to_catalog_type
from millrace.catalog.tables import CatalogColumn, CatalogRefused

NESTED = pa.struct(
    [
        pa.field("Id", pa.int64()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("prices", pa.map_(pa.string(), pa.decimal128(10, 2))),
    ]
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.bool_(), "boolean"),
        (pa.int8(), "tinyint"),
        (pa.int16(), "smallint"),
        (pa.int32(), "int"),
        (pa.int64(), "bigint"),
        (pa.uint8(), "int"),
        (pa.uint16(), "int"),
        (pa.float32(), "float"),
        (pa.float64(), "double"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.binary(), "binary"),
        (pa.binary(16), "binary"),
        (pa.date32(), "date"),
        (pa.timestamp("us"), "timestamp"),
        (pa.timestamp("ms", "UTC"), "timestamp"),
        (pa.decimal128(38, 9), "decimal(38,9)"),
        (pa.decimal128(5, 0), "decimal(5,0)"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.list_(pa.list_(pa.int64())), "array<array<bigint>>"),
        (NESTED, "struct<id:bigint,tags:array<string>,prices:map<string,decimal(10,2)>>"),
    ],
)
def test_each_type_has_one_word(kind: pa.DataType, text: str) -> None:
    assert to_catalog_type(kind) == text


@pytest.mark.parametrize(
    "kind",
    [
        pa.uint32(),
        pa.uint64(),
        pa.float16(),
        pa.time64("us"),
        pa.duration("s"),
        pa.decimal256(50, 2),
        pa.struct([]),
        pa.list_(pa.uint64()),
        pa.struct([pa.field("a b", pa.int64())]),
        pa.struct([pa.field("a:b", pa.int64())]),
        pa.struct([pa.field("A", pa.int64()), pa.field("a", pa.int64())]),
        pa.map_(pa.string(), pa.time32("s")),
    ],
)
def test_what_athena_cannot_hold_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(CatalogRefused):
        to_catalog_type(kind)


def test_names_are_in_small_letters_and_the_partition_is_left_out() -> None:
    schema = pa.schema([("Order ID", pa.int64()), ("Region", pa.string()), ("nothing_yet", pa.null())])

    assert to_catalog_columns(schema, leave_out="region") == (CatalogColumn("order id", "bigint"),)


def test_all_that_cannot_be_read_is_shown_at_once() -> None:
    schema = pa.schema([("Id", pa.int64()), ("id", pa.string()), ("at", pa.time64("us")), ("x" * 256, pa.int8())])

    with pytest.raises(CatalogRefused) as refused:
        to_catalog_columns(schema)

    text = str(refused.value)
    assert "'Id' and 'id' are one name in small letters" in text
    assert "'at' is time64[us], and Athena has no such type" in text
    assert "has a name of 256 characters" in text


def test_the_schema_of_a_written_file_is_what_counts() -> None:
    """As the writer stores it: a decimal as a number, a list's element under its own name."""
    table = pa.table({"price": [Decimal("1.50")], "tags": [["a"]]})
    sink = BytesIO()
    pq.write_table(table, sink, store_decimal_as_integer=True)

    columns = to_catalog_columns(pq.read_schema(BytesIO(sink.getvalue())))
    assert columns == (CatalogColumn("price", "decimal(3,2)"), CatalogColumn("tags", "array<string>"))
