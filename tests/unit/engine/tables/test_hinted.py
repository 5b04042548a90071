"""Types that the configuration gives to columns: exactly, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.destination import Destination
from millrace.engine.many_files import convert_many
from millrace.engine.one_file import convert
from millrace.engine.options import BadRows, FileFormat, ReadOptions, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.tables.hinted import to_type
from millrace.engine.transform.spec import TableTransform
from millrace.engine.type_hints import TypeHint
from millrace.errors import ValueDoesNotFit
from tests.unit.engine.formats.builders import Memory, conversion, converted, parquet, small_work, table

TEXT = pa.field("a", pa.string())
HALF = Decimal("1.5")


def values(hint: str, *texts: str | None) -> list[Any]:
    """What texts are as the type; ... where one does not fit."""
    array, odd = to_type(pa.array(texts, pa.string()), TEXT, TypeHint.parse(hint))
    return [... if position in odd else value for position, value in enumerate(array.to_pylist())]


@pytest.mark.parametrize(
    ("hint", "texts", "expected"),
    [
        ("integer", ["1", "-5", "0", None], [1, -5, 0, None]),
        ("integer", ["1.0", "1e3", "9223372036854775807"], [1, 1000, 2**63 - 1]),
        ("integer", ["007", "+1", " 5", "1_000", "0x1F", "-0", "1.5", "9223372036854775808", ""], [...] * 9),
        (
            "decimal(5,2)",
            ["1", "1.5", "1.50", "999.99", "1.500"],
            [1, HALF, HALF, Decimal("999.99"), HALF],
        ),
        ("decimal(5,2)", ["1.505", "1000", "007.10", "NaN", "1,5", "-0.00", "x"], [...] * 7),
        ("float", ["1", "0.1", "1e300", "2.5"], [1.0, 0.1, 1e300, 2.5]),
        ("float", ["12345678901234567890.25", "1e400", "NaN", "1.", ".5"], [...] * 5),
        ("float", ["1e-400", "-1e-999", "4.9e-324", "1.2345e-320", "5e-324", "0e-999"], [*[...] * 4, 5e-324, 0.0]),
        ("boolean", ["true", "false", "True", "1"], [True, False, ..., ...]),
        ("text", ["007", "", None], ["007", "", None]),
    ],
)
def test_a_value_is_kept_exactly_or_does_not_fit(hint: str, texts: list[str | None], expected: list[Any]) -> None:
    assert values(hint, *texts) == expected


@pytest.mark.parametrize(
    ("hint", "text", "fits"),
    [
        ("date", "2026-02-28", True),
        ("date", "2026-02-30", False),
        ("date", "20260228", False),
        ("date", "0001-01-01", True),
        ("date", "1000-01-01", True),
        ("date", "0000-01-01", False),
        ("timestamp", "0000-01-01 10:00:00", False),
        ("timestamptz", "0000-01-01T10:00:00Z", False),
        ("timestamp", "2026-02-28T10:00:00", True),
        ("timestamp", "2026-02-28 10:00:00.123456", True),
        ("timestamp", "2026-02-28 10:00:00.1234567", False),
        ("timestamp(ns)", "2026-02-28 10:00:00.1234567", True),
        ("timestamp(ns)", "9999-12-31T00:00:00", False),
        ("timestamp(ns)", "2262-12-31T00:00:00", False),
        ("timestamp", "9999-12-31T00:00:00", True),
        ("timestamp", "2026-02-28T10:00:00Z", False),
        ("timestamptz", "2026-02-28T10:00:00Z", True),
        ("timestamptz", "2026-02-28T10:00:00+02:00", True),
        ("timestamptz", "2026-02-28T10:00:00", False),
    ],
)
def test_times_fit_with_their_zone_and_all_of_their_digits(hint: str, text: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert (values(hint, text) != [...]) is fits


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text("0123456789.eE+-", max_size=8),
    st.builds("{}.{}e{}".format, st.integers(-9, 9), st.integers(0, 99), st.integers(-345, 310)),
)


@pytest.mark.slow
@given(st.lists(NUMBERS, min_size=1, max_size=20), st.sampled_from(["integer", "decimal(12,2)", "float"]))
def test_what_fits_is_the_same_number(texts: list[str], hint: str) -> None:
    for text, value in zip(texts, values(hint, *texts), strict=True):
        if value is not ...:
            assert Decimal(repr(value) if isinstance(value, float) else value) == Decimal(text)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20))
def test_every_number_of_the_type_fits(numbers: list[int]) -> None:
    texts = [f"{Decimal(number) / 100:.2f}" for number in numbers if number]

    assert values("decimal(12,2)", *texts) == list(map(Decimal, texts))


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("csv", b"id,price\n1,1.50\n2,3\n3,\n"),
        ("json", b'{"id":1,"price":1.50}\n{"id":2,"price":3}\n{"id":3}\n'),
        ("json", b'{"id":1,"price":"1.50"}\n{"id":2,"price":3}\n{"id":3,"price":null}\n'),
        ("parquet", parquet(id=[1, 2, 3], price=[1.5, 3.0, None])),
        ("parquet", parquet(id=[1, 2, 3], price=pa.array(["1.50", "3", None]).dictionary_encode())),
    ],
)
@pytest.mark.parametrize("size", [8, 2**20])
def test_files_of_every_format_get_the_type(source: str, data: bytes, size: int) -> None:
    hints = {"price": "decimal(18,2)"}

    written = table(converted(data, source, "parquet", type_hints=hints, work=small_work(size)))

    assert str(written.schema.field("price").type) == "decimal128(18, 2)"
    assert written.column("price").to_pylist() == [Decimal("1.50"), Decimal("3.00"), None]


def test_text_targets_write_the_values_in_the_form_of_the_type() -> None:
    hints = {"price": "decimal(18,2)"}

    assert converted(b"price\n1\n2.5\n", "csv", "csv", type_hints=hints) == b"price\n1.00\n2.50\n"
    assert converted(b'{"price":"1"}\n', "json", "json", type_hints=hints) == b'{"price":1.00}\n'


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("csv", b"id,price\n1,1.50\n2,1.505\n"),
        ("json", b'{"id":1,"price":1.50}\n{"id":2,"price":1.505}\n'),
        ("parquet", parquet(id=[1, 2], price=[1.5, 1.505])),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_row_and_field(source: str, data: bytes) -> None:
    with pytest.raises(ValueDoesNotFit, match=r"row 2: the field 'price' holds '1.505', .* decimal\(18,2\)") as refused:
        conversion(data, source, "parquet", type_hints={"price": "decimal(18,2)"})

    assert (refused.value.row, refused.value.column) == (2, "price")


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("csv", b"id,price\n1,1.50\n2,x\n3\n4,2\n5,y\n"),
        ("json", b'{"id":1,"price":1.50}\n{"id":2,"price":"x"}\n5\n{"id":4,"price":2}\n{"id":5,"price":"y"}\n'),
    ],
)
def test_rows_that_do_not_fit_are_put_aside_beside_those_that_cannot_be_read(source: str, data: bytes) -> None:
    done = conversion(data, source, "json", type_hints={"price": "decimal(18,2)"}, bad_rows=BadRows.QUARANTINE)

    assert done.parts[0].sink.getvalue() == b'{"id":1,"price":1.50}\n{"id":4,"price":2.00}\n'
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (5, 2, 3)
    assert done.quarantine is not None
    aside = {row["row"]: row for row in map(json.loads, done.quarantine.getvalue().splitlines())}
    assert sorted(aside) == [2, 3, 5]
    assert json.loads(aside[2]["raw"]) == {"id": 2, "price": "x"}
    assert "line" not in aside[2]
    assert "line" in aside[3]


@pytest.mark.parametrize("bad_rows", BadRows)
def test_a_value_that_is_to_be_hidden_is_never_shown(bad_rows: BadRows) -> None:
    recipe = Recipe(
        source_format=FileFormat.CSV,
        target_format=FileFormat.JSON,
        read=ReadOptions(type_hints={"pin": "integer"}, bad_rows=bad_rows),
        write=WriteOptions(),
        transform=TableTransform(left_out=("pin",)),
    )
    source = io.BytesIO(b"id,pin\n1,secret\n")

    try:
        done = convert(source, recipe, Destination(Memory, Memory))
    except ValueDoesNotFit as error:
        text = str(error)
    else:
        assert done.quarantine is not None
        text = done.quarantine.getvalue().decode()
    assert "secret" not in text
    assert "a value that is not shown" in text


def test_a_column_that_a_file_lacks_is_no_error() -> None:
    assert converted(b"id\n1\n", "csv", "json", type_hints={"price": "float"}) == b'{"id":1}\n'


def test_files_of_one_table_have_the_type() -> None:
    @contextmanager
    def opened(data: bytes) -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    contents = {"a.csv": b"p\n1.5\n", "b.json": b'{"p":2}\n', "c.parquet": parquet(p=pa.array([3], pa.uint8()))}
    sources = [
        Source(name=name, format=FileFormat(name.partition(".")[2]), read=ReadOptions(), open=partial(opened, data))
        for name, data in contents.items()
    ]
    read = ReadOptions(type_hints={"p": "decimal(18,2)"})
    recipe = Recipe(source_format=FileFormat.CSV, target_format=FileFormat.PARQUET, read=read, write=WriteOptions())

    written = table(convert_many(sources, recipe, Destination(Memory, Memory)).parts[0].sink.getvalue())

    assert written.column("p").to_pylist() == [Decimal("1.50"), Decimal("2.00"), Decimal("3.00")]
    assert str(written.schema.field("p").type) == "decimal128(18, 2)"


@pytest.mark.parametrize(
    "text", ["number", "decimal", "decimal(39,2)", "decimal(2,3)", "decimal(0,0)", "timestamp(s)", "", "date(us)"]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|a decimal has"):
        TypeHint.parse(text)


@pytest.mark.parametrize("text", ["text", "decimal(18,2)", "timestamp", "timestamptz(ns)", "float"])
def test_a_type_is_written_as_it_was_read(text: str) -> None:
    assert str(TypeHint.parse(text)) == text
    assert TypeHint.parse(f" {text.upper()} ") == TypeHint.parse(text)
