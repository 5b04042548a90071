"""Parquet files explained: types, how they are stored, what text formats make of them, where the file comes from."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.destination import Destination
from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import ColumnFacts, Content
from millrace.engine.one_file import convert
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from tests.unit.engine.formats.builders import Memory, conversion, converted, parquet


def explained(data: bytes) -> Content:
    """A Parquet file's content, explained."""
    return explain_file(io.BytesIO(data), FileFormat.PARQUET, ReadOptions()).content


def column(content: Content, name: str) -> ColumnFacts:
    """The column at that path."""
    return next(one for one in content.columns if one.name == name)


NASTY = {
    "u64": pa.array([2**64 - 1, None], pa.uint64()),
    "f32": pa.array([1.5, float("nan")], pa.float32()),
    "f16": pa.array([1.5, None], pa.float32()).cast(pa.float16()),
    "d256": pa.array([Decimal("1.5"), None], pa.decimal256(60, 2)),
    "day": pa.array([datetime.date(2026, 1, 2), None]),
    "zoned": pa.array([1, None], pa.timestamp("us", tz="Europe/Berlin")),
    "time": pa.array([1, 2], pa.time64("us")),
    "span": pa.array([1, 2], pa.duration("ms")),
    "bytes": pa.array([b"x", b"\xff"]),
    "fixed": pa.array([b"ab", None], pa.binary(2)),
    "big text": pa.array(["a", None], pa.large_string()),
    "coded": pa.array(["a", "abc"]).dictionary_encode(),
    "list": pa.array([[1, 2], None], pa.list_(pa.int16())),
    "struct": pa.array([{"x": 1, "y": ["a"]}, None]),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.nulls(2),
}


def test_types_are_what_conversion_writes() -> None:
    data = parquet(**NASTY)

    content = explained(data)

    assert content.error is None
    assert content.rows == 2
    assert content.schema.equals(pq.read_schema(io.BytesIO(converted(data, "parquet", "parquet"))))


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "stored"),
    [("u64", "INT64 INT"), ("bytes", "BYTE_ARRAY"), ("list[]", "INT32 INT"), ("struct.y[]", "BYTE_ARRAY STRING"),
     ("map{}.key", "BYTE_ARRAY STRING"), ("map{}.value", "INT64")],
)  # fmt: skip
def test_each_leaf_says_how_it_is_stored(name: str, stored: str) -> None:
    assert column(explained(parquet(**NASTY)), name).stored.startswith(f"{stored}, snappy, ")


def test_what_is_measured() -> None:
    content = explained(parquet(n=[3, None, -1], t=["", "abc", None], f=[1.5, float("nan"), -0.5]))

    assert (column(content, "n").missing, column(content, "n").limits) == (1, ("-1", "3"))
    assert (column(content, "t").empty, column(content, "t").lengths) == (1, (0, 3))
    assert column(content, "f").limits == ("-0.5", "1.5")


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("bytes", "base64 in csv and json"),
        ("zoned", "in UTC with Z in csv and json"),
        ("span", "PT<seconds>S in csv and json"),
        ("f32", "as the double that it equals in csv and json"),
        ("struct", "JSON text in csv"),
        ("map", "JSON text in csv, an object in json; a key twice in one map is refused there"),
    ],
)
def test_how_text_formats_write_it(name: str, note: str) -> None:
    assert column(explained(parquet(**NASTY)), name).notes == (note,)


def test_what_text_formats_cannot_write() -> None:
    keys = pa.array([[([1], 2)]], pa.map_(pa.list_(pa.int64()), pa.int64()))

    notes = column(explained(parquet(m=keys)), "m").notes

    assert any(note.startswith("impossible in csv: maps with keys of the type list") for note in notes)
    assert any(note.startswith("impossible in json: ") for note in notes)
    with pytest.raises(Exception, match="maps with keys"):
        conversion(parquet(m=keys), "parquet", "json")


def test_row_groups_and_where_the_file_comes_from() -> None:
    recipe = Recipe(
        source_format=FileFormat.CSV,
        target_format=FileFormat.PARQUET,
        read=ReadOptions(),
        write=WriteOptions(lineage={"millrace.source": "s3://in/a.csv", "millrace.source_etag": "e1"}),
    )
    data = convert(io.BytesIO(b"a\n1\n"), recipe, Destination(Memory)).parts[0].sink.getvalue()

    facts = {fact.name: fact for fact in explained(data).facts}

    assert facts["row groups"].value == "1"
    assert facts["row groups"].why.startswith("of 1 rows and at most ")
    assert (facts["source"].value, facts["source_etag"].value) == ("s3://in/a.csv", "e1")
    assert "lineage" in facts["source"].why


@pytest.mark.parametrize("spoil", [lambda data: data[:-5], lambda data: b"x" + data, lambda data: b""])
def test_a_refused_file(spoil: Any) -> None:
    content = explained(spoil(parquet(a=[1])))

    assert content.error is not None
    assert content.columns == ()


def test_damage_within_is_found_and_what_is_known_is_told() -> None:
    file = io.BytesIO()
    pq.write_table(
        pa.table({"a": list(range(1000))}), file, write_page_checksum=True, compression="none", use_dictionary=False
    )
    data = bytearray(file.getvalue())
    data[500] ^= 0xFF

    content = explained(bytes(data))

    assert content.error is not None
    assert [one.type for one in content.columns] == ["int64"]
