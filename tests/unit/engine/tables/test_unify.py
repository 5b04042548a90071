"""One field for several files: whatever their types, values survive, and the files' order changes nothing."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.text import rendering
from millrace.engine.tables.unify import Lossy, convert, unify
from millrace.engine.transform.values import TextColumn
from millrace.engine.types.printing import JSON, form_of, is_raw_json, with_form
from tests.properties import examples

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
instants = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 # naive on purpose
TYPES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    *((kind, st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1)) for n, kind in [(8, pa.int8()), (64, pa.int64())]),
    *((kind, st.integers(0, 2**n - 1)) for n, kind in [(8, pa.uint8()), (32, pa.uint32()), (64, pa.uint64())]),
    (pa.float32(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    (pa.string(), texts),
    (pa.large_string(), texts),
    (pa.dictionary(pa.int8(), pa.string()), texts),
    (pa.bool_(), st.booleans()),
    (pa.decimal128(18, 0), st.decimals(-(10**17), 10**17, places=0)),
    (pa.decimal128(18, 2), st.decimals(-(10**15), 10**15, places=2)),
    (pa.decimal256(76, 9), st.decimals(-(10**30), 10**30, places=9)),
    (pa.date32(), st.dates()),
    (pa.timestamp("ms"), instants),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("ns"), instants),
    (pa.timestamp("us", tz="Europe/Paris"), st.datetimes(timezones=st.just(dt.UTC))),
    (pa.list_(pa.int32()), st.lists(st.none() | st.integers(0, 9), max_size=2)),
    (pa.struct([("a", pa.int8())]), st.fixed_dictionaries({"a": st.none() | st.integers(0, 9)})),
    (pa.list_(pa.struct([("a", pa.string())])), st.lists(st.none() | st.fixed_dictionaries({"a": texts}), max_size=2)),
    (pa.struct([("a", pa.float64()), ("b", pa.bool_())]), st.fixed_dictionaries({"a": st.none(), "b": st.booleans()})),
    (pa.null(), st.none()),
]


def made(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """An array; large magnitudes of milliseconds are cut as Arrow wants them."""
    if pa.types.is_timestamp(kind) and kind.unit == "ms":
        values = [None if v is None else v.replace(microsecond=v.microsecond // 1000 * 1000) for v in values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)


columns = st.sampled_from(TYPES).flatmap(
    lambda drawn: st.lists(st.none() | drawn[1], min_size=1, max_size=4).map(lambda values: made(drawn[0], values))
)


def said(array: pa.Array, field: pa.Field) -> list[Any]:
    """What JSON says of the values: numbers as decimals, so that 1.50 and 1.5 are the same, but 1 and true are not."""
    values = rendering.json_values(array, field).to_pylist()
    return [json.loads(value, parse_int=Decimal, parse_float=Decimal) for value in values]


def comparable(value: Any) -> Any:
    """A value as JSON says it; a timestamp without the zeros that a finer unit adds."""
    if isinstance(value, str) and value[4:5] == "-" and "T" in value:
        zone = "Z" if value.endswith("Z") else ""
        return value.removesuffix("Z").rstrip("0").rstrip(".:") + zone
    return str(value) if isinstance(value, bool) else value


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(st.lists(columns, min_size=2, max_size=3), st.booleans())
def test_values_survive_in_the_field_of_all(arrays: list[pa.Array], as_text: bool) -> None:  # noqa: FBT001 # drawn
    fields = [pa.field("x", array.type) for array in arrays]

    unified = unify(fields, as_text=as_text)
    try:
        found = [convert(array, field, unified) for array, field in zip(arrays, fields, strict=True)]
    except Lossy:
        unified = unify(fields, as_text=as_text, typed=False)
        found = [convert(array, field, unified) for array, field in zip(arrays, fields, strict=True)]

    for array, field, one in zip(arrays, fields, found, strict=True):
        assert one.type == unified.type
        if pa.types.is_string(unified.type) and not is_raw_json(unified) and as_text:
            assert one.to_pylist() == TextColumn(array, field).texts.to_pylist()
        else:
            assert list(map(comparable, said(one, unified))) == list(map(comparable, said(array, field)))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.sampled_from(TYPES).map(lambda drawn: drawn[0]), min_size=1, max_size=4), st.booleans())
def test_the_order_of_the_files_changes_nothing(kinds: list[pa.DataType], as_text: bool) -> None:  # noqa: FBT001 # drawn
    fields = [pa.field("x", kind) for kind in kinds]

    found = {
        str((unify(order, as_text=as_text), form_of(unify(order, as_text=as_text))))
        for order in itertools.permutations(fields)
    }

    assert len(found) == 1


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.int8(), pa.uint8(), pa.int16()),
        (pa.int64(), pa.uint64(), pa.decimal128(38, 0)),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.decimal128(10, 2), pa.decimal128(12, 4), pa.decimal128(18, 4)),
        (pa.decimal128(18, 0), pa.int64(), pa.decimal128(38, 0)),
        (pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us", tz="Asia/Tokyo"), pa.timestamp("us", tz="UTC"), pa.timestamp("us", tz="UTC")),
        (pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.null(), pa.int8(), pa.int8()),
        (pa.date32(), pa.string(), pa.string()),
        (pa.timestamp("us"), pa.timestamp("us", tz="UTC"), pa.string()),
    ],
)
def test_types_are_widened_where_values_survive(one: pa.DataType, other: pa.DataType, both: pa.DataType) -> None:
    unified = unify([pa.field("x", one), pa.field("x", other)], as_text=False)

    assert (unified.type, form_of(unified)) == (both, "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int64(), pa.decimal128(10, 2)),
        (pa.int64(), pa.string()),
        (pa.bool_(), pa.string()),
        (pa.list_(pa.int64()), pa.struct([("a", pa.int64())])),
        (pa.map_(pa.string(), pa.int64()), pa.struct([("a", pa.int64())])),
        (pa.struct([]), pa.struct([("a", pa.int64())])),
    ],
)
def test_what_has_no_common_type_is_json_text_or_text(one: pa.DataType, other: pa.DataType) -> None:
    fields = [pa.field("x", one), pa.field("x", other)]

    assert (unify(fields, as_text=False).type, form_of(unify(fields, as_text=False))) == (pa.string(), JSON)
    assert (unify(fields, as_text=True).type, form_of(unify(fields, as_text=True))) == (pa.string(), "")


def test_fields_of_another_look_are_not_the_same() -> None:
    spaced, default = with_form(pa.field("x", pa.timestamp("ms")), " 3"), pa.field("x", pa.timestamp("ms"))
    explicit = with_form(default, "T3")

    assert unify([spaced, default], as_text=False).type == pa.string()
    assert unify([explicit, default], as_text=False).type == pa.timestamp("ms")


def test_a_year_too_far_for_nanoseconds_is_noticed() -> None:
    far = pa.array([dt.datetime(9999, 1, 1)], pa.timestamp("us"))  # noqa: DTZ001 # naive on purpose

    with pytest.raises(Lossy, match="'x'"):
        convert(far, pa.field("x", far.type), pa.field("x", pa.timestamp("ns")))


BARE_DOUBLE, DOUBLE = with_form(pa.field("x", pa.float64()), "bare"), pa.field("x", pa.float64())
INTEGER, CENTS = pa.field("x", pa.int64()), pa.field("x", pa.decimal128(18, 2))


@pytest.mark.parametrize(
    ("fields", "as_text", "both"),
    [
        ([INTEGER, BARE_DOUBLE], True, BARE_DOUBLE),
        ([INTEGER, DOUBLE], False, BARE_DOUBLE),
        ([INTEGER, DOUBLE], True, pa.field("x", pa.string())),
        ([BARE_DOUBLE, DOUBLE], True, DOUBLE),
        ([BARE_DOUBLE, DOUBLE], False, BARE_DOUBLE),
        ([BARE_DOUBLE, CENTS], True, CENTS),
        ([INTEGER, BARE_DOUBLE, CENTS], True, pa.field("x", pa.string())),
    ],
)
def test_numbers_become_what_one_long_file_of_them_would_be(
    fields: list[pa.Field],
    as_text: bool,  # noqa: FBT001 # given by the table
    both: pa.Field,
) -> None:
    assert unify(fields, as_text=as_text).equals(both, check_metadata=True)


@pytest.mark.parametrize(
    ("values", "of", "into", "survives"),
    [
        ([1, None], INTEGER, BARE_DOUBLE, True),
        ([2**53 + 1], INTEGER, BARE_DOUBLE, False),
        ([10**16], INTEGER, BARE_DOUBLE, False),
        ([1.5, -0.25], DOUBLE, BARE_DOUBLE, True),
        ([1.5, 2.0], DOUBLE, BARE_DOUBLE, False),
        ([1.5], BARE_DOUBLE, DOUBLE, True),
        ([1.5, 2.0], BARE_DOUBLE, DOUBLE, False),
        ([19.99], BARE_DOUBLE, CENTS, True),
        ([19.9], BARE_DOUBLE, CENTS, False),
        ([1e300], BARE_DOUBLE, CENTS, False),
    ],
)
def test_numbers_survive_or_are_told_not_to(values: list[Any], of: pa.Field, into: pa.Field, survives: bool) -> None:  # noqa: FBT001 # given by the table
    array = pa.array(values, of.type)

    if not survives:
        with pytest.raises(Lossy, match="'x'"):
            convert(array, of, into)
        return
    assert rendering.cells(convert(array, of, into), into).to_pylist() == rendering.cells(array, of).to_pylist()


def test_objects_have_the_members_of_all_and_lists_the_values_of_all() -> None:
    one = pa.array([{"id": 1, "tags": [1, None]}, None, {"id": None, "tags": None}]).slice(1)
    other = pa.array([{"tags": ["a"], "new": {"x": 1.5}}, {"tags": [], "new": None}])
    fields = [pa.field("o", one.type), pa.field("o", other.type)]

    both = unify(fields, as_text=False)
    found = [convert(array, field, both) for array, field in zip((one, other), fields, strict=True)]

    assert [child.name for child in both.type] == ["id", "tags", "new"]
    assert [child.type for child in both.type][:2] == [
        pa.int64(),
        pa.list_(with_form(pa.field("element", pa.string()), JSON)),
    ]
    assert found[0].to_pylist() == [None, {"id": None, "tags": None, "new": None}]
    assert found[1].to_pylist() == [
        {"id": None, "tags": ['"a"'], "new": {"x": 1.5}},
        {"id": None, "tags": [], "new": None},
    ]


def test_what_is_lost_within_an_object_is_told_of_its_column() -> None:
    whole, fractions = pa.struct([("n", pa.int64())]), pa.struct([("n", pa.float64())])
    both = unify([pa.field("o", whole), pa.field("o", fractions)], as_text=False)

    with pytest.raises(Lossy) as raised:
        convert(pa.array([{"n": 2**53 + 1}]), pa.field("o", whole), both)
    assert raised.value.column == "o"
