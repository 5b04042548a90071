"""The quick proof says what printing says, whatever the texts are."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.types import inference, proof
from millrace.engine.types.inference import Kind
from millrace.engine.types.printing import BARE, plain
from tests.properties import examples

NASTY = [
    *(
        "0",
        "-0",
        "+1",
        "00",
        "007",
        "-7",
        "1_000",
        "0x1F",
        "0X0",
        "0xFFFFFF",
        "0XFFFFFF",
        "-01",
        " 5",
        "5 ",
        "1\n2",
        "",
        "-",
        ".",
    ),
    *("0.0", "-0.0", "1.0", "1.", ".5", "-.5", "00.5", "0.1000", "0.5", "10.10", "100", "1.50", "-1.5", "1.5.5"),
    *("0.00001", "0.000001", "0.0000001", "0.00000123", "1e-7", "1e5", "1E5", "1e+16", "1e400", "5e-324"),
    *("123456789012345", "1234567890123456", "12345678901234567", "123456789012345678", "9007199254740993"),
    *("0.12345678901234", "0.123456789012345", "0.1234567890123456", "12345678.12345678", "99999999999999.9"),
    *("999999999999999.9", "9999999999.5", "10000000000", "10000000000.0", "1e16", "10000000000000000.0"),
    *("inf", "-inf", "nan", "NaN", "Infinity", "true", "false", "True", "1", "-0.00", "-0.01", "0.00", "١", "1,5"),
    *("2024-02-29 12:30:00", "2024-02-29T12:30:00.125Z", "2024-02-29T12:30:00.1250Z", "2024-02-29 12:30:00.125Z"),
    *(
        "2024-02-29T12:30:00",
        "2024-02-29",
        "2023-02-29",
        "0000-01-01",
        "2024-1-1",
        "2024-01-01T00:00:00Z",
        "9" * 18,
        "9" * 19,
        "9" * 38,
    ),
]
FIRST_DAY = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - of times with a zone and of those without
KINDS = [
    inference.INTEGER,
    inference.BOOLEAN,
    inference.DOUBLE,
    inference.DOUBLE_BARE,
    Kind(pa.decimal128(18, 0)),
    Kind(pa.decimal128(18, 1)),
    Kind(pa.decimal128(38, 2)),
    Kind(pa.decimal256(76, 14)),
    inference.DATE,
    Kind(pa.timestamp("ms", tz="UTC"), "T3Z"),
    Kind(pa.timestamp("s"), " 0"),
]
numbers = (
    st.sampled_from(NASTY)
    | st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{0,4})?", fullmatch=True)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,9})\.[0-9]{0,8}[1-9]", fullmatch=True)
    | st.integers(-(2**63), 2**63 - 1).map(str)
    | st.floats(allow_nan=False).map(repr)
    | st.decimals(-(10**6), 10**6, places=2).map(str)
)


def values_of(texts: pa.Array, kind: Kind) -> pa.Array | None:
    """The texts as values, where they all are finite ones, and of the year 1 or later."""
    try:
        values = pc.cast(texts, kind.type)
    except pa.ArrowInvalid:
        return None
    if pa.types.is_floating(values.type) and pc.all(pc.is_finite(values)).as_py() is False:
        return None
    if pa.types.is_temporal(values.type) and pc.any(pc.less(values, pa.scalar(FIRST_DAY, values.type))).as_py():
        return None
    return values


def is_printed_back(texts: pa.Array, kind: Kind) -> bool:
    """The rule itself: every value, printed, is the text that it comes from."""
    values = values_of(texts, kind)
    return values is not None and bool(plain(values, kind.form).equals(texts))


def is_proven(texts: pa.Array, kind: Kind) -> bool:
    values = values_of(texts, kind)
    return values is not None and proof.is_printed_back(values, kind.form, texts, few=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.type} {kind.form}")
def test_each_nasty_text_is_proven_exactly_where_it_is_printed_back(kind: Kind) -> None:
    for text in NASTY:
        texts = pa.array([text], pa.string())

        assert is_proven(texts, kind) == is_printed_back(texts, kind), text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.type} {kind.form}")
@settings(deadline=None, max_examples=examples(40))
@given(items=st.lists(st.none() | numbers, max_size=4), beside=st.lists(st.integers(0, 99).map(str), max_size=3))
def test_columns_are_proven_exactly_where_they_are_printed_back(
    kind: Kind, items: list[str | None], beside: list[str]
) -> None:
    texts = pa.array([*items, *beside], pa.string())

    assert is_proven(texts, kind) == is_printed_back(texts, kind)
    assert is_proven(texts.slice(1), kind) == is_printed_back(texts.slice(1), kind)


@settings(deadline=None, max_examples=examples(200))
@given(st.floats(-1e17, 1e17).map(lambda value: repr(round(value, 3))))
def test_doubles_of_any_size_are_proven_like_they_are_printed(text: str) -> None:
    for kind in (Kind(pa.float64(), BARE), Kind(pa.float64())):
        texts = pa.array([text, None, "1.5"], pa.string())

        assert is_proven(texts, kind) == is_printed_back(texts, kind)


def test_what_seems_two_values_is_no_proof() -> None:
    """Texts are looked at joined by line feeds, so that one with a line feed looks like two."""
    texts = pa.array(["1\n2"] * 5000, pa.string())

    assert inference.fit(texts, inference.INTEGER) is None
    assert inference.fit(texts, inference.DOUBLE_BARE) is None
    assert inference.fit(texts, inference.BOOLEAN) is None


@pytest.mark.parametrize("text", ["0xFFFFFF", "0XFFFFFF", "0x7F", "0X7F"])
@pytest.mark.parametrize("rows", [1, proof.FEW, proof.FEW + 1])
def test_hexadecimal_text_is_no_number(text: str, rows: int) -> None:
    """Arrow reads it as one; as 16777215 ``0XFFFFFF`` has even as many digits as the text has letters."""
    texts = pa.array(["16777215"] * (rows - 1) + [text], pa.string())

    assert inference.fit(texts, inference.INTEGER) is None
    assert inference.infer(texts) == inference.TEXT
    assert inference.misfits(inference.INTEGER, texts) == [rows - 1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.type} {kind.form}")
def test_a_column_without_values_is_printed_back(kind: Kind) -> None:
    for missing in (pa.nulls(0, pa.string()), pa.nulls(3, pa.string())):
        assert is_proven(missing, kind)
