"""The kernel reads JSON as the exact parser does, or not at all: rows, types and what is known of them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.json import proven
from millrace.engine.formats.json.exact import blocks_of
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.planned_rows import Doubt
from millrace.engine.formats.json.proven import KernelPlan, KernelRows
from millrace.engine.formats.json.types import Node
from millrace.engine.native.library import find_kernel
from millrace.engine.options import BadRows
from millrace.errors import DataError
from tests.properties import examples
from tests.unit.engine.formats import test_json_fast as fast_tests
from tests.unit.engine.formats.test_json_fast import exact_pieces, find_no_plan, known, read, read_exactly, told

pytestmark = pytest.mark.skipif(find_kernel() is None, reason="no native kernel was built")
quickly = settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def kernel_plan(node: Node) -> KernelPlan | None:
    """The kernel's plan alone, without Arrow's parser behind it."""
    kernel = find_kernel()
    assert kernel is not None
    return proven.plan(kernel, node)


def read_natively(data: bytes, bad_rows: BadRows = BadRows.FAIL, *, size: int = 2**20) -> object:
    """What reading gives with the kernel."""
    return read(data, bad_rows, size=size, find_plan=kernel_plan)


hard_numbers = st.one_of(
    fast_tests.numbers,
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).upper()),
    st.integers(-(2**66), 2**66).map(str),
    st.sampled_from(
        [
            "-0",
            "1e-7",
            "0.000001",
            "0.0000012",
            "1e16",
            "1e+16",
            "10000000000000000.0",
            "999999999999999",
            "0e0",
            "-0e1",
            "1000000000000000",
            "0.0001",
            "9007199254740993.0",
            "123456789012345.6",
            "1.0E5",
            "12e-1",
            "5e-324",
            "1e23",
        ]
    ),
)
hard_texts = st.one_of(
    fast_tests.texts,
    st.text(max_size=40).map(json.dumps),
    st.text(max_size=40).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from([r'"\b\f\n\r\t\/\\\""', r'"\u0000\u001F\u0022\u005c"', r'"\uD834\udd1e"', r'"\udd1e"', '"\x7f"']),
)
literals = st.sampled_from(["true", "false", "null"])
any_values = st.recursive(
    hard_numbers | hard_texts | literals,
    lambda inner: (
        fast_tests.listed(inner)
        | st.dictionaries(fast_tests.names, inner, max_size=4).map(
            lambda row: "{ " + " ,\t".join(f"{name} : {value}" for name, value in row.items()) + "}"
        )
    ),
    max_leaves=6,
)
mixed_rows = st.dictionaries(fast_tests.names, st.just(any_values), min_size=1, max_size=3).flatmap(
    lambda fields: st.lists(fast_tests.an_object(fields), min_size=1, max_size=8)
)
number_rows = st.lists(fast_tests.an_object({'"a"': hard_numbers, '"b"': hard_numbers}), min_size=1, max_size=8)
all_rows = st.one_of(fast_tests.rows_of_a_file, mixed_rows, number_rows)


@pytest.mark.slow
@quickly
@given(all_rows, fast_tests.layouts, st.sampled_from([5, 40, 150]), st.sampled_from(BadRows))
def test_nobody_can_tell_that_the_kernel_read_a_file(
    rows: list[str], between: str, size: int, bad_rows: BadRows
) -> None:
    text = between.join(rows * 2)
    data = (f" [{text}]" if "," in between and "{" not in between else text).encode()

    assert read_natively(data, bad_rows, size=size) == read_exactly(data, bad_rows)


@quickly
@given(all_rows, st.sampled_from(["\n", ","]), st.sampled_from([5, 40, 150]))
def test_the_kernel_knows_the_same_of_types(rows: list[str], between: str, size: int) -> None:
    text = between.join(rows * 3)
    data = (f"[{text}]" if between == "," else text).encode()

    try:
        expected = known(data, find_plan=find_no_plan)
    except DataError:
        return
    assert known(data, size=size, find_plan=kernel_plan) == expected


@quickly
@given(all_rows, st.sampled_from(["\n", ",", " \n\r\t , "]), st.data())
def test_mutated_text_is_read_as_it_is_or_not_at_all(rows: list[str], between: str, data: st.DataObject) -> None:
    in_array = "," in between
    text = bytearray(between.join(rows).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.sampled_from([b"\0", b"\xff", b"", *(b'"{}[]:,\\1e. -n'[at : at + 1] for at in range(15))])
        )
        text[place : place + data.draw(st.integers(0, 1))] = piece
    whole = b"[%s]" % text if in_array else bytes(text)

    assert_law("\n".join(rows).encode(), whole, in_array=in_array)


@pytest.mark.parametrize("name", ['abc"', 'abcdef"', 'abcdefgh"', "abcdefghijklmn\\", '"' * 16, "tab\t45", "", "plain"])
@pytest.mark.parametrize("other", ["\0" * 7, "\0" * 8, '"' * 7, '"' * 8, "\\" * 8, ""])
def test_no_text_but_its_own_is_a_name(name: str, other: str) -> None:
    beginning = json.dumps({name: 1}).encode()
    behind = name[len(other) :]

    for text in (other + behind, other + behind + '"', name, json.dumps(name)[1:-1]):
        assert_law(beginning, b'{"%s":2}' % text.encode(), in_array=False)


@pytest.mark.parametrize("number", [f"{sign}{2**64 * times}" for sign in ("", "-") for times in (1, 2, 10**20)])
@pytest.mark.parametrize("beginning", ["1", "1.5", '1, "x"', "0", "-0", "1.50, 1e400"])
def test_numbers_whose_lowest_64_bits_are_zero_are_no_zeros(number: str, beginning: str) -> None:
    rows = "\n".join(f'{{"a": {value}}}' for value in beginning.split(", "))

    for text in (number, f"{number}.0", f"{number}e0"):
        assert_law(rows.encode(), b'{"a": %s}' % text.encode(), in_array=False)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ['{"a": null}', "{}", '{"b": [null]}', '{"a": {"deep": null}}'])
def test_missing_structs_are_as_many_cells_as_present_ones(missing: str) -> None:
    fields = ", ".join(f'"f{number}": 1' for number in range(1000))
    beginning = f'{{"a": {{"deep": {{{fields}}}}}, "b": [{{{fields}}}]}}'.encode()
    node = Node()
    observe_exactly(JsonPiece(beginning, 0, 1, in_array=False, first=True, last=True, whole=True), node)
    plan = kernel_plan(node)
    assert plan is not None

    few, many = (f"{missing}\n".encode() * count for count in (1000, 5000))
    read, unread = (
        plan.parse(JsonPiece(text, 0, 1, in_array=False, first=True, last=True, whole=True)) for text in (few, many)
    )
    assert isinstance(read, KernelRows)
    assert unread == Doubt()


def assert_law(beginning: bytes, text: bytes, *, in_array: bool) -> None:
    """The kernel, asked for rows like those at the beginning, gives those of the text, or none."""
    by_kernel, exactly = Node(), Node()
    try:
        observe_exactly(JsonPiece(beginning, 0, 1, in_array=False, first=True, last=True, whole=True), by_kernel)
    except DataError:
        return
    observe_exactly(JsonPiece(beginning, 0, 1, in_array=False, first=True, last=True, whole=True), exactly)
    plan, piece = kernel_plan(by_kernel), JsonPiece(text, 0, 1, in_array=in_array, first=True, last=True, whole=True)
    if plan is None:
        return
    rows = plan.parse(piece)
    if isinstance(rows, Doubt):
        return
    rows.batch.validate(full=True)
    batches = [batch for block in blocks_of(piece) for batch in block.as_batches(plan.schema)]
    assert pa.Table.from_batches([rows.batch]) == pa.Table.from_batches(batches, plan.schema)
    rows.observe(by_kernel)
    observe_exactly(piece, exactly)
    assert told(by_kernel) == told(exactly)


def observe_exactly(piece: JsonPiece, node: Node) -> None:
    """Learn from a piece by the exact parser alone."""
    for block in blocks_of(piece):
        block.observe(node)


odd_rows = st.sampled_from(
    [
        '{"a": 1.5}',
        '{"a": "x"}',
        '{"new": 1}',
        '{"b": [2.50]}',
        '{"a": 1, "a": 2}',
        '{"a": 1}x',
        '{"a": tru}',
        "null",
        '{"b": ["}", "\\"},{"]}',
        '{"a": 12345678901234567890}',
    ]
)


@pytest.mark.slow
@quickly
@given(
    st.lists(st.tuples(st.integers(0, 400), odd_rows), min_size=1, max_size=4),
    st.sampled_from([700, 2000, 9000]),
    st.sampled_from(["\n", ",\n", ", "]),
    st.sampled_from(BadRows),
)
def test_a_piece_with_odd_rows_is_divided_at_them(
    odd: list[tuple[int, str]], size: int, between: str, bad_rows: BadRows
) -> None:
    rows = [f'{{"a": {number}, "b": [0.5, {number}.25]}}' for number in range(400)]
    for place, row in odd:
        rows.insert(place, row)
    text = between.join(rows)
    data = (f"[{text}]" if "," in between else text).encode()

    assert read_natively(data, bad_rows, size=size) == read_exactly(data, bad_rows)


@pytest.mark.parametrize("between", ["\n", ","])
def test_a_late_field_makes_few_rows_slow(between: str) -> None:
    rows = [f'{{"a": {number}}}' for number in range(1000)]
    rows[700] = '{"a": 1, "late": {"b": "x"}}'
    text = between.join(rows)
    data = (f"[{text}]" if between == "," else text).encode()

    with exact_pieces() as exactly:
        found = read_natively(data, size=6400)

    # When the file is read again, by what the late row taught, nothing of it is.
    assert exactly == [0, data.index(rows[700].encode())]
    assert found == read_exactly(data)


PLAIN = fast_tests.PLAIN | {
    "mixed": '{"a": 1, "b": [1, "x", {"c": null}], "c": {"d": true}}',
    "exponents": '{"x": 1e5, "y": [1.5e-7, 2.5]}',
}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["{}\n", "{}", "[{}]", "[\n  {}\n]", "{}\r\n"])
@pytest.mark.parametrize("row", PLAIN.values(), ids=PLAIN)
def test_plain_files_are_read_by_the_kernel_after_the_beginning(row: str, layout: str) -> None:
    other = {'x": 2': fast_tests.FLOATS_AND_INTEGERS, '"b": [1, "x"': '{"a": "1", "b": 5, "c": [2]}'}
    rows = [row, *(text for part, text in other.items() if part in row)] * 40
    end = "," if "[" in layout else ""
    begin, _, close = layout.partition("{}")
    separator = end + (close.strip("]") or ("\n" if begin.startswith("[\n") else ""))
    data = (separator.join(rows) if not end else begin + separator.join(rows) + close).encode()

    with exact_pieces() as exactly:
        found = read_natively(data, size=300)

    assert exactly == [0]
    assert found == read_exactly(data)
