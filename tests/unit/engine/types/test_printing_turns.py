"""Printing at the values where its way turns: exponents, years, digits of a second, separators, scales."""

from __future__ import annotations

import datetime
import math
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from millrace.engine.types import printing
from millrace.engine.types.printing import BARE, plain
from millrace.errors import MalformedFile, UnsupportedType

DAY = 86400


def printed(values: list[Any], kind: pa.DataType, form: str = "") -> list[str | None]:
    texts: list[str | None] = plain(pa.array(values, kind), form).to_pylist()
    return texts


@pytest.mark.parametrize(
    ("value", "bare", "dotted"),
    [
        (1.0, "1", "1.0"),
        (-0.0, "-0", "-0.0"),
        (1.5, "1.5", "1.5"),
        (9999999999.0, "9999999999", "9999999999.0"),
        (1e10, "10000000000", "10000000000.0"),
        (-1e10, "-10000000000", "-10000000000.0"),
        (12345678901.5, "12345678901.5", "12345678901.5"),
        (9999999999999998.0, "9999999999999998", "9999999999999998.0"),
        (1e16, "1e+16", "1e+16"),
        (-1e16, "-1e+16", "-1e+16"),
        (1e-7, "1e-7", "1e-7"),
        (math.inf, "Infinity", "Infinity"),
        (-math.inf, "-Infinity", "-Infinity"),
        (math.nan, "NaN", "NaN"),
        (None, None, None),
    ],
)
def test_a_double_is_printed_alike_whatever_stands_beside_it(
    value: float | None, bare: str | None, dotted: str | None
) -> None:
    for beside in (None, 0.5, 1e12, math.nan, -math.inf):
        assert printed([value, beside], pa.float64(), BARE)[0] == bare
        assert printed([value, beside], pa.float64())[0] == dotted


FAR = [
    (-719162, "0001-01-01"),
    (-719163, "+000000-12-31"),
    (-719163 - 366, "-000001-12-31"),
    (2932896, "9999-12-31"),
    (2932897, "+010000-01-01"),
    (2932897 + 146097, "+010400-01-01"),
    (2**31 - 1, "+5881580-07-11"),
    (-(2**31), "-5877641-06-23"),
    (0, "1970-01-01"),
]


@pytest.mark.parametrize(("day", "text"), FAR)
def test_years_beyond_four_digits_have_a_sign_and_six(day: int, text: str) -> None:
    days = pa.array([day, None, 0], pa.int32()).cast(pa.date32())

    assert plain(days).to_pylist() == [text, None, "1970-01-01"]


@pytest.mark.parametrize(
    ("unit", "count", "text"),
    [
        ("s", 2932897 * DAY - 1, "9999-12-31T23:59:59"),
        ("s", 2932897 * DAY, "+010000-01-01T00:00:00"),
        ("s", -719162 * DAY, "0001-01-01T00:00:00"),
        ("s", -719162 * DAY - 1, "+000000-12-31T23:59:59"),
        ("s", 2932897 * DAY + 3661, "+010000-01-01T01:01:01"),
        ("ms", 2932897 * DAY * 1000 + 3661125, "+010000-01-01T01:01:01.125"),
        ("ms", 2932897 * DAY * 1000 - 1, "9999-12-31T23:59:59.999"),
        ("us", -719162 * DAY * 10**6 - 1, "+000000-12-31T23:59:59.999999"),
        ("us", -719162 * DAY * 10**6, "0001-01-01T00:00:00.000000"),
        ("ns", 2**63 - 1, "2262-04-11T23:47:16.854775807"),
        ("ns", -(2**63) + 1, "1677-09-21T00:12:43.145224193"),
    ],
)
def test_moments_are_printed_to_the_ends_of_what_their_unit_holds(unit: str, count: int, text: str) -> None:
    moments = pa.array([count, None, 0], pa.int64()).cast(pa.timestamp(unit))

    assert plain(moments).to_pylist()[:2] == [text, None]
    assert plain(moments.cast(pa.int64()).cast(pa.timestamp(unit, "Europe/Berlin"))).to_pylist()[0] == f"{text}Z"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("", "2026-01-02T03:04:05.125000"),
        ("T6", "2026-01-02T03:04:05.125000"),
        ("T3", "2026-01-02T03:04:05.125"),
        (" 3", "2026-01-02 03:04:05.125"),
        ("T9", "2026-01-02T03:04:05.125000000"),
        ("T0", "2026-01-02T03:04:05.125000"),
        ("T4", "2026-01-02T03:04:05.125000"),
        ("T", "2026-01-02T03:04:05.125000"),
        ("X3", "2026-01-02T03:04:05.125000"),
        ("Tx", "2026-01-02T03:04:05.125000"),
        ("T3Z", "2026-01-02T03:04:05.125000"),
    ],
)
def test_a_form_says_separator_and_digits_unless_a_value_would_lose_some(form: str, text: str) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 125000)  # noqa: DTZ001 - without a zone, as the column

    assert printed([moment], pa.timestamp("us"), form) == [text]
    assert printed([None, moment, None], pa.timestamp("us"), form) == [None, text, None]
    assert plain(pa.array([moment, moment], pa.timestamp("us")).slice(1), form).to_pylist() == [text]


def test_a_value_that_a_form_would_cut_is_printed_whole_and_the_others_by_the_form() -> None:
    moments = pa.array([1_000_000, 1_000_001, None], pa.int64()).cast(pa.timestamp("us"))

    assert plain(moments, "T0").to_pylist() == ["1970-01-01T00:00:01", "1970-01-01T00:00:01.000001", None]


@pytest.mark.parametrize("zone", ["UTC", "+02:00", "Europe/Berlin"])
def test_instants_of_a_zone_are_printed_in_utc_also_those_that_a_form_would_cut(zone: str) -> None:
    moments = pa.array([0, 1500, None], pa.int64()).cast(pa.timestamp("ms", zone))

    assert plain(moments, "T0Z").to_pylist() == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.500Z", None]


def test_the_zone_can_be_printed_apart() -> None:
    moments = pa.array([0], pa.int64()).cast(pa.timestamp("s", "UTC"))

    texts, ending = printing.ending_apart(moments, "T0Z")
    assert (texts.to_pylist(), ending) == (["1970-01-01T00:00:00"], "Z")
    assert printing.ending_apart(pa.array([7]))[1] == ""
    assert plain(moments, "T0Z").to_pylist() == ["1970-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("0.0000012", pa.decimal128(18, 7), "0.0000012"),
        ("-0.0000012", pa.decimal128(18, 7), "-0.0000012"),
        ("12.0000000", pa.decimal128(18, 7), "12.0000000"),
        ("0.000001", pa.decimal128(18, 6), "0.000001"),
        ("-7", pa.decimal128(18, 0), "-7"),
        ("1E+3", pa.decimal128(5, -2), "1000"),
        ("-0.00000000000000000000000000000000000001", pa.decimal256(76, 38), "-0." + "0" * 37 + "1"),
        ("1.00000001", pa.decimal64(12, 8), "1.00000001"),
    ],
)
def test_decimals_have_all_their_digits_and_no_exponent(value: str, kind: pa.DataType, text: str) -> None:
    assert printed([Decimal(value), None], kind) == [text, None]


@pytest.mark.parametrize(
    ("unit", "count", "text"),
    [("s", 61, "PT61S"), ("ms", -1, "PT-0.001S"), ("us", 1, "PT0.000001S"), ("ns", 1, "PT0.000000001S")],
)
def test_durations_are_seconds(unit: str, count: int, text: str) -> None:
    assert plain(pa.array([count, None], pa.duration(unit))).to_pylist() == [text, None]


def test_other_scalars_have_their_text() -> None:
    name = uuid.UUID(int=7)
    encoded = pa.array(["a", None, "a"]).dictionary_encode()

    assert printed([b"\x00\xff", None], pa.binary()) == ["AP8=", None]
    assert plain(
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([name.bytes, None], pa.binary(16)))
    ).to_pylist() == [
        str(name),
        None,
    ]
    bool8 = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([0, 1, 5, None], pa.int8()))
    assert plain(bool8).to_pylist() == ["false", "true", "true", None]
    assert printed([None], pa.null()) == [None]
    assert plain(encoded).to_pylist() == ["a", None, "a"]
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([7, None]))
    assert plain(runs).to_pylist() == ["7", "7", None]
    assert printed([datetime.time(1, 2, 3)], pa.time32("s")) == ["01:02:03"]
    assert printed([datetime.date(2026, 1, 2)], pa.date64()) == ["2026-01-02"]
    assert printed(["a", None], pa.large_string()) == ["a", None]
    assert printed([True, None], pa.bool_()) == ["true", None]


def test_what_has_no_text_is_refused() -> None:
    with pytest.raises(UnsupportedType, match="have no text form"):
        plain(pa.array([[1]]))
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
    )
    with pytest.raises(MalformedFile, match="not valid UTF-8"):
        plain(broken)


def test_the_form_of_a_field_travels_with_it() -> None:
    field = pa.field("a", pa.string(), metadata={b"other": b"kept"})

    assert printing.with_form(field, "") is field
    formed = printing.with_form(field, printing.JSON)
    assert (printing.form_of(field), printing.form_of(formed)) == ("", "json")
    assert formed.metadata == {b"other": b"kept", b"millrace.form": b"json"}
    assert (printing.is_raw_json(field), printing.is_raw_json(formed)) == (False, True)
    assert printing.is_raw_json(pa.field("a", pa.json_()))
    assert printing.form_of(printing.with_form(pa.field("a", pa.string()), "bare")) == "bare"


@pytest.mark.parametrize("cut", [slice(0, 4), slice(1, 3), slice(2, 2), slice(3, 4)])
def test_texts_are_joined_as_they_lie(cut: slice) -> None:
    items = ["ab", "", "ü", None]
    array = pa.array(items).slice(cut.start, cut.stop - cut.start)

    assert bytes(printing.joined(array)).decode() == "".join(text or "" for text in items[cut])
