"""What a configuration demands of texts, at the values where an answer turns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from millrace.engine.options import ColumnType
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.inference import (
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLE_BARE,
    INTEGER,
    TEXT,
    Demanded,
    Evidence,
    Kind,
    decimal,
    demand,
    misfits,
)


def texts(*items: str | None) -> pa.Array:
    return pa.array(items, pa.string())


@pytest.mark.parametrize(
    ("digits", "scale", "expected"),
    [
        (1, 0, pa.decimal128(18, 0)),
        (18, 2, pa.decimal128(18, 2)),
        (19, 2, pa.decimal128(38, 2)),
        (5, 18, pa.decimal128(18, 18)),
        (5, 19, pa.decimal128(38, 19)),
        (38, 38, pa.decimal128(38, 38)),
        (39, 2, None),
        (5, 39, None),
    ],
)
def test_decimals_have_18_or_38_digits(digits: int, scale: int, expected: pa.DataType | None) -> None:
    assert decimal(digits, scale) == (Kind(expected) if expected else None)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["1", "-20"], INTEGER),
        (["9" * 15], INTEGER),
        (["9" * 18], INTEGER),
        (["9223372036854775807"], INTEGER),
        (["9223372036854775808"], Kind(pa.decimal128(38, 0))),
        (["9" * 38], Kind(pa.decimal128(38, 0))),
        (["9" * 39], TEXT),
        (["-" + "9" * 37], Kind(pa.decimal128(38, 0))),
        (["1.5", "2"], DOUBLE_BARE),
        (["1.5", "2.0"], DOUBLE),
        (["1.50", "2.25"], Kind(pa.decimal128(18, 2))),
        (["true", "false", None], BOOLEAN),
        (["true", "1"], TEXT),
        (["0001-01-01"], DATE),
        (["0000-12-31"], TEXT),
        (["2024-02-30"], TEXT),
        (["inf"], TEXT),
        (["1e400"], TEXT),
        (["007"], TEXT),
        (["-0"], DOUBLE_BARE),
        ([None, None], TEXT),
        ([], TEXT),
        (["0001-01-01T00:00:00"], Kind(pa.timestamp("s"), "T0")),
        (["0000-12-31T23:59:59"], TEXT),
        (["0001-01-01 00:00:00.000"], Kind(pa.timestamp("ms"), " 3")),
        (["2024-01-01T00:00:00.123456Z"], Kind(pa.timestamp("us", "UTC"), "T6Z")),
        (["2024-01-01T00:00:00.123456789"], Kind(pa.timestamp("ns"), "T9")),
        (["2024-01-01T00:00:00.12"], TEXT),
        (["2024-01-01T00:00:00Z", "2024-01-01T00:00:00"], TEXT),
    ],
    ids=str,
)
def test_the_kind_of_texts_is_the_first_that_prints_them_back(items: list[str | None], expected: Kind) -> None:
    assert inference.infer(texts(*items)) == expected
    assert Evidence().observe(texts(*items)).resolve() == expected


def test_a_first_text_is_found_behind_as_many_missing_ones() -> None:
    late = texts(*[None] * 300, "7")

    assert Evidence().observe(late).resolve() == inference.infer(late) == INTEGER


def test_evidence_of_nothing_changes_nothing() -> None:
    known = Evidence().observe(texts("7"))

    assert known.observe(texts(None, None)) is known
    assert known.observe(texts()) is known
    assert known.join(Evidence()) is known
    assert Evidence().join(known) is known
    assert Evidence().join(Evidence()) == Evidence() == Evidence(None, 0)
    nothing = known.observe(texts("x"))
    assert nothing.kinds == ()
    assert nothing.observe(texts("7")) is nothing


def test_digits_are_the_most_that_were_seen() -> None:
    long, short = Evidence().observe(texts("1.25")), Evidence().observe(texts("123456.75"))

    assert long.observe(texts("123456.75")).digits == 9
    assert short.observe(texts("1.25")).digits == 9
    assert long.join(short).digits == short.join(long).digits == 9


@pytest.mark.parametrize(
    ("wanted", "kind", "held"),
    [
        ("decimal", Kind(pa.decimal128(18, 2)), Demanded("decimal", whole=16, fraction=2)),
        ("timestamp", Kind(pa.timestamp("us", "UTC")), Demanded("timestamp", fraction=6)),
        ("timestamp", Kind(pa.timestamp("ns")), Demanded("timestamp", fraction=9, unzoned=True)),
        ("integer", INTEGER, Demanded("integer")),
    ],
)
def test_a_kind_has_room_for_what_was_demanded_of_it(wanted: ColumnType, kind: Kind, held: Demanded) -> None:
    assert Demanded.held_by(wanted, kind) == held


@pytest.mark.parametrize(
    ("wanted", "items", "seen"),
    [
        ("decimal", ["1.25", "-123", "+7.5", None], Demanded("decimal", whole=3, fraction=2, unzoned=True)),
        ("decimal", [None], Demanded("decimal")),
        ("timestamp", ["2024-01-01T00:00:00Z"], Demanded("timestamp", whole=4)),
        ("timestamp", ["2024-01-01T00:00:00.125+01:00"], Demanded("timestamp", whole=4, fraction=3)),
        ("timestamp", ["2024-01-01T00:00:00Z", "2024-01-01"], Demanded("timestamp", whole=4, unzoned=True)),
        ("integer", ["7"], Demanded("integer")),
    ],
)
def test_of_demanded_decimals_and_times_the_digits_and_zones_are_seen(
    wanted: ColumnType, items: list[str | None], seen: Demanded
) -> None:
    demanded = Demanded(wanted)

    assert demanded.observe(texts(*items)) == seen
    assert seen.observe(texts(*items)) == seen
    assert demanded.join(seen) == seen.join(demanded) == seen


@pytest.mark.parametrize(
    ("demanded", "kind"),
    [
        (Demanded("decimal", whole=16, fraction=2), pa.decimal128(18, 2)),
        (Demanded("decimal", whole=17, fraction=2), pa.decimal128(38, 2)),
        (Demanded("decimal", whole=37, fraction=2), pa.decimal256(76, 2)),
        (Demanded("decimal", whole=1, fraction=99), pa.decimal256(76, 76)),
        (Demanded("timestamp", fraction=6), pa.timestamp("us", "UTC")),
        (Demanded("timestamp", fraction=7), pa.timestamp("ns", "UTC")),
        (Demanded("timestamp", fraction=0, unzoned=True), pa.timestamp("us")),
        (Demanded("date"), pa.date32()),
        (Demanded("text"), pa.string()),
    ],
)
def test_a_demanded_type_is_as_wide_as_what_was_seen(demanded: Demanded, kind: pa.DataType) -> None:
    assert demanded.resolve().type == kind


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (INTEGER, ["7", "-7", "007"], ["7.5", "x", "0x1F", "0X1F", ""]),
        (DOUBLE, ["1.5", "1", "1e5", "0.10", "inf", "NaN", "123456789012345", "100000000000000000000"], ["x"]),
        (DOUBLE, ["1e22", "9007199254740992"], ["9007199254740993", "12345678901234567890.25", "1e400"]),
        (DOUBLE, ["0.1234567890123456"], ["0.12345678901234567890"]),
        (
            DOUBLE,
            ["nan(ind)", "nan(0x8000000000000)", "nan(1e5)"],
            ["1e99999999999999999999", "1e-99999999999999999999"],
        ),
        (BOOLEAN, ["true", "false", "1"], ["x", "2"]),
        (DATE, ["2024-02-29"], ["2023-02-29", "x"]),
        (TEXT, ["anything", ""], []),
    ],
)
def test_only_values_of_a_demanded_kind_fit(kind: Kind, good: list[str], bad: list[str]) -> None:
    items = [text for pair in zip(good, [*bad, *[None] * len(good)], strict=False) for text in pair]
    positions = [at for at, text in enumerate(items) if text in bad]

    assert misfits(kind, texts(*items)) == positions
    assert misfits(kind, texts(*good, None)) == []
    assert [misfits(kind, texts(text)) for text in bad] == [[0]] * len(bad)


def test_what_fits_is_given_as_values() -> None:
    assert demand(DOUBLE, texts("1.5", None)).to_pylist() == [1.5, None]
    assert demand(TEXT, texts("1.5")).to_pylist() == ["1.5"]
    assert demand(Kind(pa.decimal128(18, 2)), texts("1.5")).to_pylist() == [Decimal("1.50")]
    with pytest.raises(pa.ArrowInvalid):
        demand(INTEGER, texts("0x1F"))


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ([["1.5", "2"], ["3", None]], DOUBLE_BARE),
        ([["1"], ["2"], [None]], INTEGER),
        ([["x"]], TEXT),
    ],
)
def test_columns_that_have_one_kind_are_read_as_each_alone(columns: list[list[str | None]], kind: Kind) -> None:
    arrays = [texts(*items) for items in columns]

    assert inference.fit_all(arrays, kind) == [inference.fit(array, kind) for array in arrays]


@pytest.mark.parametrize("spoilt", [0, 1, 2])
def test_of_columns_looked_at_together_each_that_does_not_fit_is_looked_at_alone(spoilt: int) -> None:
    known = Evidence().observe(texts("7"))
    columns = [texts("8"), texts("123"), texts("9")]
    columns[spoilt] = texts("x")

    seen = inference.observe_all([known] * 3, columns)

    assert seen == [known.observe(column) for column in columns]
    assert [part.digits for part in seen if isinstance(part, Evidence)][1] == (3 if spoilt != 1 else 1)


def test_evidence_of_nothing_yet_and_demands_are_looked_at_alone() -> None:
    known: list[Any] = [Evidence(), Demanded("decimal"), Evidence(())]
    columns = [texts("7"), texts("1.5"), texts("7")]

    assert inference.observe_all(known, columns) == [
        part.observe(column) for part, column in zip(known, columns, strict=True)
    ]


def test_an_encoded_type_has_the_type_of_its_values() -> None:
    assert arrow_types.value_type(pa.dictionary(pa.int8(), pa.string())) == pa.string()
    assert arrow_types.value_type(pa.run_end_encoded(pa.int32(), pa.int64())) == pa.int64()
    assert arrow_types.value_type(pa.int64()) == pa.int64()
    assert pc.cast(texts("7"), pa.int64()).to_pylist() == [7]


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        (DATE, "0000-01-01"),
        (Kind(pa.timestamp("us")), "0000-12-31T23:59:59.999999"),
        (Kind(pa.timestamp("s", "UTC")), "0000-01-01T00:00:00Z"),
    ],
)
def test_a_time_of_the_year_0_is_no_value(kind: Kind, item: str) -> None:
    assert misfits(kind, texts("0001" + item[4:], item, None)) == [1]
