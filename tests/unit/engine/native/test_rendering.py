"""The kernel's rendering is the pure code's: the same bytes, or no answer."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.base import Text
from millrace.engine.formats.text import rows
from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.native.rendering import render
from millrace.engine.types.printing import FORM
from millrace.errors import MillraceError
from tests.unit.engine.native.kernels import require_kernel

Values = st.SearchStrategy[Any]
UNITS = ("s", "ms", "us", "ns")
INT64 = st.integers(-(2**63), 2**63 - 1)
UNUSUAL = st.sampled_from(
    ["", ",", '"', "\r\n", "\x00\x1f\x7f", "\u0085", "\u2028\u2029", "\u2027\u2030\u0084", "\\", "é漢😀", "a" * 33]
)
TEXTS = st.lists(st.one_of(UNUSUAL, st.text(max_size=20)), max_size=4).map("".join)
JSON_TEXTS = st.sampled_from(
    ["1", " [1, 2]\n", '{"a": "\\u2028 \u2028"}', "-0.5e+10", '"\\ud800"', "null", "[]", '{"b":\r\n[{}]}', "true "]
)
NOT_JSON = ["", "01", "NaN", "[1,]", '{"a":1,}', '"\n"', "-", "1.", "tru", "[" * 2000, "'a'", "1 2", "\ufeff1", '"\\x"']
DOUBLES = st.one_of(st.floats(), st.integers(-(10**17), 10**17).map(lambda count: count / 100))
EXACT = decimal.Context(prec=80)


def _integers(kind: pa.DataType, bits: int, *, signed: bool = True) -> tuple[pa.DataType, Values]:
    least = -(2 ** (bits - 1)) if signed else 0
    most = least + 2**bits - 1
    return kind, st.one_of(st.integers(least, most), st.sampled_from([least, most, 0]))


def _decimals(kind: pa.DataType) -> tuple[pa.DataType, Values]:
    most = 10**kind.precision - 1
    counts = st.one_of(st.integers(-most, most), st.sampled_from([0, 1, -1, most]))
    return kind, counts.map(lambda count: Decimal(count).scaleb(-kind.scale, EXACT))


def _moments() -> list[tuple[pa.DataType, Values]]:
    days = st.one_of(st.integers(-800_000, 3_000_000), st.integers(-(2**31), 2**31 - 1))
    near = st.one_of(st.integers(-(10**6), 10**6), st.integers(-(2**40), 2**40).map(lambda count: count * 1000), INT64)
    kinds = [(pa.date32(), days), (pa.date64(), days.map(lambda day: day * 86_400_000))]
    kinds += [(pa.time32("s"), st.integers(0, 86_399)), (pa.time32("ms"), st.integers(0, 86_399_999))]
    kinds += [
        (pa.time64("us"), st.integers(0, 86_400 * 10**6 - 1)),
        (pa.time64("ns"), st.integers(0, 86_400 * 10**9 - 1)),
    ]
    for unit in UNITS:
        kinds += [(pa.timestamp(unit), near), (pa.timestamp(unit, "Europe/Berlin"), near), (pa.duration(unit), near)]
    return kinds


SCALARS: list[tuple[pa.DataType, Values]] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    _integers(pa.int8(), 8),
    _integers(pa.int16(), 16),
    _integers(pa.int32(), 32),
    _integers(pa.int64(), 64),
    _integers(pa.uint8(), 8, signed=False),
    _integers(pa.uint16(), 16, signed=False),
    _integers(pa.uint32(), 32, signed=False),
    _integers(pa.uint64(), 64, signed=False),
    (pa.float16(), st.floats(width=16)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), DOUBLES),
    _decimals(pa.decimal128(38, 0)),
    _decimals(pa.decimal128(20, 2)),
    _decimals(pa.decimal128(5, 5)),
    _decimals(pa.decimal128(38, 37)),
    _decimals(pa.decimal128(9, -3)),
    _decimals(pa.decimal256(76, 0)),
    _decimals(pa.decimal256(76, 76)),
    _decimals(pa.decimal32(9, 4)),
    (pa.string(), TEXTS),
    (pa.large_string(), TEXTS),
    (pa.string_view(), TEXTS),
    (pa.binary(), st.binary(max_size=8)),
    (pa.large_binary(), st.binary(max_size=8)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    (pa.dictionary(pa.uint32(), pa.int64()), INT64),
    *_moments(),
]
KEYS = [(pa.string(), TEXTS), _integers(pa.int16(), 16), (pa.date32(), st.integers(0, 9))]
FORMS = ["", "bare", "json", "T0", "T3", " 6", "T9Z", " 0Z", "T3Z", "T5"]


@dataclass(frozen=True)
class AnyField:
    """A field, and values for it."""

    field: pa.Field
    values: Values

    def or_missing(self) -> AnyField:
        """The same with values that may be missing."""
        return AnyField(self.field, st.one_of(st.none(), self.values, self.values))


def _field(kind: pa.DataType, form: str, name: str) -> pa.Field:
    return pa.field(name, kind, metadata={FORM: form.encode()} if form else None)


NAMES = st.sampled_from(["a", "b", 'q"', "\u2028", "", "long name of a field"])


@st.composite
def scalars(draw: st.DrawFn) -> AnyField:
    """A column without values in its values, in any form."""
    (kind, values), form = draw(st.sampled_from(SCALARS)), draw(st.sampled_from(FORMS))
    if form == "json" and pa.types.is_string(kind):
        values = JSON_TEXTS
    return AnyField(_field(kind, form, draw(NAMES)), values).or_missing()


@st.composite
def lists(draw: st.DrawFn, children: st.SearchStrategy[AnyField]) -> AnyField:
    """Lists in three layouts."""
    child = draw(children)
    item = child.field.with_name("item")
    size = draw(st.sampled_from([None, None, 0, 2]))
    values = st.lists(child.values, min_size=size or 0, max_size=3 if size is None else size)
    kind = pa.list_(item, -1 if size is None else size)
    if size is None and draw(st.booleans()):
        kind = pa.large_list(item)
    return AnyField(pa.field(draw(NAMES), kind), values).or_missing()


@st.composite
def structs(draw: st.DrawFn, children: st.SearchStrategy[AnyField]) -> AnyField:
    """Structs, also without any field."""
    members = draw(st.lists(children, max_size=3, unique_by=lambda child: child.field.name))
    kind = pa.struct([member.field for member in members])
    values = st.fixed_dictionaries({member.field.name: member.values for member in members})
    return AnyField(pa.field(draw(NAMES), kind), values).or_missing()


@st.composite
def maps(draw: st.DrawFn, children: st.SearchStrategy[AnyField]) -> AnyField:
    """Maps, also with a key that comes twice, and with keys that the kernel leaves alone."""
    child = draw(children)
    key, keys = draw(st.sampled_from(KEYS))
    values = st.lists(st.tuples(keys, child.values), max_size=3)
    return AnyField(pa.field(draw(NAMES), pa.map_(key, child.field.with_name("value"))), values).or_missing()


ANY_FIELD = st.recursive(scalars(), lambda inner: st.one_of(lists(inner), structs(inner), maps(inner)), max_leaves=5)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Columns of one length, each a slice of its own, sliced once more."""
    length = draw(st.integers(0, 6))
    columns = []
    chosen = draw(st.lists(ANY_FIELD, min_size=1, max_size=4))
    for kind in chosen:
        before, behind = draw(st.sampled_from([0, 1, 3, 9])), draw(st.integers(0, 2))
        values = draw(st.lists(kind.values, min_size=before + length + behind, max_size=before + length + behind))
        columns.append(pa.array(values, kind.field.type).slice(before, length))
    batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema([kind.field for kind in chosen]))
    start = draw(st.integers(0, length))
    return batch.slice(start, draw(st.integers(0, length)))


def _render_pure(batch: pa.RecordBatch, shape: RowShape) -> bytes | None:
    try:
        return _bytes(rows.render_by_arrow(batch, batch.schema, shape))
    except MillraceError:
        return None


def _render(batch: pa.RecordBatch, shape: RowShape, page_bytes: int = 2**16) -> bytes | None:
    text = render(require_kernel(), batch, batch.schema, shape, page_bytes=page_bytes)
    if text is None:
        return None
    assert text.rows == batch.num_rows
    return _bytes(text)


def _bytes(text: Text) -> bytes:
    return b"".join(map(bytes, text.pieces))


@pytest.mark.slow
@given(batches(), st.sampled_from(RowShape), st.sampled_from([129, 300, 2**16]))
def test_it_renders_what_the_pure_code_renders(batch: pa.RecordBatch, shape: RowShape, page_bytes: int) -> None:
    rendered = _render(batch, shape, page_bytes)

    if rendered is not None:
        assert rendered == _render_pure(batch, shape)


@pytest.mark.slow
@given(st.sampled_from(SCALARS).flatmap(lambda kind: st.tuples(st.just(kind[0]), st.lists(kind[1], max_size=5))))
def test_it_answers_for_each_scalar(column: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = column
    batch = pa.record_batch({"a": pa.array([None, *values], kind)})

    for shape in RowShape:
        assert _render(batch, shape) == _render_pure(batch, shape)


@pytest.mark.parametrize("text", NOT_JSON)
def test_a_text_that_is_no_json_value_is_left_to_the_pure_code(text: str) -> None:
    schema = pa.schema([_field(pa.string(), "json", "a")])
    batch = pa.RecordBatch.from_arrays([pa.array(["1", text])], schema=schema)

    assert _render(batch, RowShape.JSON_LINES) is None
    assert _render(batch, RowShape.CSV_LINES) == _render_pure(batch, RowShape.CSV_LINES)


@pytest.mark.parametrize("texts", [[b"a\xff"], [b"\xc3", b"\xa9"], [b"ok", b"\xed\xa0\x80"]])
@pytest.mark.parametrize("shape", RowShape)
def test_what_is_no_utf8_is_left_to_the_pure_code(texts: list[bytes], shape: RowShape) -> None:
    column = pa.array(texts, pa.binary()).view(pa.string())
    inside = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), column)
    chosen = pa.DictionaryArray.from_arrays(pa.array([0, len(texts) - 1], pa.int8()), column)

    for wrong in (column, inside, chosen):
        batch = pa.record_batch({"a": wrong})
        assert _render(batch, shape) is None
        assert _render_pure(batch, shape) is None


@pytest.mark.parametrize(
    "pairs", [[("a", 1), ("b", 2), ("a", 3)], [(str(number), 0) for number in range(257)]], ids=["twice", "many"]
)
def test_maps_that_are_not_searched_or_have_a_key_twice_are_left_to_the_pure_code(pairs: list[tuple[str, int]]) -> None:
    batch = pa.record_batch({"a": pa.array([pairs], pa.map_(pa.string(), pa.int64()))})

    assert _render(batch, RowShape.JSON_LINES) is None


def test_children_that_are_slices_themselves() -> None:
    texts = pa.array(["x", None, "a", "b", None, "c"]).slice(2)
    lists = pa.ListArray.from_arrays(pa.array([9, 0, 1, 1, 4], pa.int32()).slice(1), texts)
    numbers = pa.array([0, 1, None, 3, 4, 5]).slice(2, 3)
    structs = pa.StructArray.from_arrays([lists, numbers], names=["l", "n"], mask=pa.array([False, True, False]))
    batch = pa.record_batch({"s": structs, "l": lists}).slice(1)

    for shape in RowShape:
        assert _render(batch, shape) == _render_pure(batch, shape)
    assert (
        _render(batch, RowShape.JSON_LINES)
        == b'{"s":null,"l":[]}\n{"s":{"l":["b",null,"c"],"n":4},"l":["b",null,"c"]}\n'
    )


def test_a_row_that_is_larger_than_a_page_has_its_own() -> None:
    batch = pa.record_batch({"a": ["x" * 100_000, "y", '"' * 70_000]})

    for shape in RowShape:
        assert _render(batch, shape, 1000) == _render_pure(batch, shape)


def test_names_that_come_twice_are_told_apart() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

    assert _render(batch, RowShape.JSON_LINES) == b'{"a":1,"a_2":2}\n'


def test_forms_are_those_of_the_schema_that_is_written() -> None:
    batch = pa.record_batch({"a": pa.array([1.0])})
    bare = pa.schema([_field(pa.float64(), "bare", "b")])

    for into, text in [(batch.schema, b'{"a":1.0}\n'), (bare, b'{"b":1}\n')]:
        rendered = render(require_kernel(), batch, into, RowShape.JSON_LINES)
        assert rendered is not None
        assert _bytes(rendered) == text


@pytest.mark.parametrize("shape", RowShape)
def test_types_without_a_text_are_left_to_the_pure_code(shape: RowShape) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    batch = pa.record_batch({"a": pa.array([1]), "b": union})

    assert _render(batch, shape) is None
    assert _render_pure(batch, shape) is None


@pytest.mark.parametrize("shape", RowShape)
@pytest.mark.parametrize(
    "kind", [pa.decimal128(38, 76), pa.decimal128(5, 100), pa.decimal256(76, 76), pa.decimal256(76, 5000)]
)
def test_decimals_with_more_zeros_than_digits(kind: pa.DataType, shape: RowShape) -> None:
    values = pa.py_buffer(b"".join(number.to_bytes(kind.byte_width, "little", signed=True) for number in (5, -5)))
    column = pa.Array.from_buffers(kind, 2, [None, values])

    assert _render(pa.record_batch({"a": column}), shape, 2**12) == _render_pure(pa.record_batch({"a": column}), shape)
