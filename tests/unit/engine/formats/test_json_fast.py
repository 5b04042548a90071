"""Arrow's parser reads JSON where it is proven to read what the exact parser would: nobody can tell which one did."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.base import BadRow, Learned, Widened
from millrace.engine.formats.json import exact as json_exact
from millrace.engine.formats.json import fast as json_fast
from millrace.engine.formats.json import feed as json_feed
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json.types import Node, Number
from millrace.engine.options import BadRows, ReadOptions
from millrace.errors import DataError, MalformedFile, TruncatedFile, WrongEncoding
from tests.properties import examples
from tests.unit.engine.formats.builders import small_work

quickly = settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def find_no_plan(_node: Node) -> None:
    """No plan at all: Arrow's parser has no part in the reading."""


def read(
    data: bytes,
    bad_rows: BadRows = BadRows.FAIL,
    *,
    size: int = 2**20,
    find_plan: json_reader.FindPlan = json_fast.plan,
) -> tuple[Any, ...]:
    """What reading gives: schema, rows and what was put aside, or the error."""
    learned: Learned | None = None
    options = ReadOptions(bad_rows=bad_rows, work=small_work(size))
    while True:
        aside = list[BadRow]()
        try:
            records = json_reader.read(
                io.BytesIO(data), options, learned=learned, report=aside.append, find_plan=find_plan
            )
            batches = list(records.batches)
        except Widened as widened:
            learned = widened.learned
        except DataError as error:
            return type(error), str(error), error.row, error.byte
        else:
            for batch in batches:
                batch.validate(full=True)
            table = pa.Table.from_batches(batches, records.schema)
            rows = repr(table.to_pylist()) if table.num_columns else table.num_rows
            return records.schema.to_string(show_field_metadata=True), rows, aside


def read_exactly(data: bytes, bad_rows: BadRows = BadRows.FAIL) -> tuple[Any, ...]:
    """What reading gives if Arrow's parser has no part in it."""
    return read(data, bad_rows, find_plan=find_no_plan)


def known(data: bytes, *, size: int = 2**20, find_plan: json_reader.FindPlan = json_fast.plan) -> object:
    """What is known of the types of all of a file's fields."""
    node = Node()
    for _ in json_reader.observe(io.BytesIO(data), ReadOptions(work=small_work(size)), node, find_plan=find_plan):
        pass
    return told(node)


def told(node: Node | None) -> object:
    if node is None or (len(node.kinds) > 1 and not node.is_numeric):
        return node and "mixed"
    fields = [(name, told(child)) for name, child in node.children.items()]
    return sorted(map(str, node.kinds)), node.low, node.high, node.numbers, fields, told(node.item)


@contextmanager
def exact_pieces() -> Iterator[list[int]]:
    """Gives the offsets of the pieces that the exact parser reads."""
    offsets, exactly = list[int](), json_exact.ExactParser.rows

    def counted(parser: json_exact.ExactParser, piece: json_feed.JsonPiece) -> Any:
        offsets.append(piece.byte)
        return exactly(parser, piece)

    with mock.patch.object(json_exact.ExactParser, "rows", counted):
        yield offsets


numbers = st.one_of(
    st.integers(-999, 999).map(str),
    st.decimals(-99, 99, places=2).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(["1", "1.0", "1.10", "1e5", "-0", "-0.0", "-0.00", "0.0000001", "0.30000000000000004", '"1.5"']),
)
texts = st.sampled_from(["", "x", '"', "\\", "}{", "},{", "}\n{", '"a": 1', "é", "\u2028", "\0", "😀", "[1, -0]"]).map(
    json.dumps
) | st.sampled_from([r'"\u0061"', r'"\/"', '"é"', r'"\ud83d\ude00"'])
scalars = st.sampled_from([numbers, numbers, texts, st.sampled_from(["true", "false"]), st.just("null")])


def listed(items: Any) -> Any:
    return st.lists(items, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]")


def an_object(fields: dict[str, Any]) -> Any:
    optional = st.fixed_dictionaries({}, optional={name: st.just("null") | value for name, value in fields.items()})
    return optional.map(lambda row: "{" + ",".join(f"{name}:{value}" for name, value in row.items()) + "}")


names = st.sampled_from(['"a"', '"price"', '"é"', r'"\u0061b"', '"a/b"', r'"a\/b"', '"n\\"a"', '""'])
columns = st.recursive(
    scalars,
    lambda inner: inner.map(listed) | st.dictionaries(names, inner, max_size=2).map(an_object),
    max_leaves=3,
)
rows_of_a_file = st.dictionaries(names, columns, min_size=1, max_size=3).flatmap(
    lambda fields: st.lists(an_object(fields), min_size=1, max_size=12)
)
layouts = st.sampled_from(
    ["{}".join(["", ""]), "\n", "", ",", " ,\n ", "null\n", "\n5\n", "\nnull\n", "\n{}\n", '\n{"new": 1.50}\n']
)


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(rows_of_a_file, layouts, st.sampled_from([5, 40, 150]), st.sampled_from(BadRows))
def test_nobody_can_tell_which_parser_read_a_file(rows: list[str], between: str, size: int, bad_rows: BadRows) -> None:
    text = between.join(rows * 2)
    data = (f" [{text}]" if "," in between and "{" not in between else text).encode()

    assert read(data, bad_rows, size=size) == read_exactly(data, bad_rows)


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(rows_of_a_file, st.sampled_from(["\n", ","]), st.sampled_from([5, 40, 150]))
def test_both_parsers_know_the_same_of_types(rows: list[str], between: str, size: int) -> None:
    text = between.join(rows * 2)
    data = (f"[{text}]" if between == "," else text).encode()

    try:
        found = known(data, size=size)
    except DataError:
        return
    assert found == known(data, find_plan=find_no_plan)


PLAIN = {
    "integers and texts": '{"id": 12, "name": "Zoë } \\n {", "ok": true, "none": null}',
    "floats": '{"ratio": 0.25, "x": 1.0, "y": -3.125}',
    "floats and integers": '{"x": 2, "y": [1.5, 2]}',
    "money": '{"price": 10.10, "tax": -0.05}',
    "floats of seventeen digits": '{"x": 0.30000000000000004, "y": [1.2345678901234567, 2.5], "z": 1.5}',
    "large integers": '{"id": 12345678901234567890}',
    "nested": '{"a": {"b": [{"c": 1.5, "d": []}, null], "e": {}}, "f": [[1], [2, 3]]}',
    "escaped names": r'{"a\/b": 1.5, "\u00e9": 2.50, "q\"": "x"}',
}
FLOATS_AND_INTEGERS = '{"x": 2.5, "y": [1, 2]}'


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["{}\n", "{}", "[{}]", "[\n  {}\n]", "{}\r\n"])
@pytest.mark.parametrize("row", PLAIN.values(), ids=PLAIN)
def test_plain_files_are_read_by_arrow_but_for_the_beginning(row: str, layout: str) -> None:
    rows = [row, FLOATS_AND_INTEGERS if '"x": 2' in row else row] * 40
    end = "," if "[" in layout else ""
    begin, _, close = layout.partition("{}")
    separator = end + (close.strip("]") or ("\n" if begin.startswith("[\n") else ""))
    data = (separator.join(rows) if not end else begin + separator.join(rows) + close).encode()

    with exact_pieces() as exactly:
        found = read(data, size=300)

    assert exactly == [0]
    assert found == read_exactly(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then"),
    [
        (
            "1.5",
            ["2", "-0", "1.50", "1.0", "-0.0", "1e5", "2.5E0", "0.00000012", "1e400", "1e-400", "NaN", "-Infinity"],
        ),
        ("1.5", ["0.30000000000000004", "1.2345678901234567890", "123456789012345678.5", "100000000000000000000.0"]),
        ("[1.5, 2]", ["[1.50]", "[1.0]", "[1, -0]", "[1e5]", "[[1.5]]", "[null, 1.0]", "[1000000000000000]"]),
        ("[[1.5]]", ["[[2]]", "[[], [2.50]]", "[[1.5], [2.5, -0]]", "[null, [1e5]]", '[["1.5"]]']),
        ("10.10", ["10.1", "10.100", "10", "1e1", '"10.10"', "-0.00", "10.10e0", "123456789012345678.10", "1e-2"]),
        ("[10.10]", ["[10.1]", "[10.100]", '["10.10"]', '[10.10, "10.10"]', "[10.10, 10]", "[-0.00]"]),
        ("12345678901234567890", ['"1"', "1.0", "1e3", "-0", "-1", "1" + "0" * 40]),
        ("7", ["-0", "7.0", "7e0", "9223372036854775808", "-9223372036854775809", "true", '"7"', "null"]),
        ('"x"', ["1", r'"\ud800"', r'"\u0000"', '"\0"', '"\n"']),
        ("{}", ['{"x": 1}', '{"x": null}', "null"]),
        ("[]", ["[null, null]", "[{}]", "[1.10]"]),
        ("null", ["{}", "1.10", "[]"]),
    ],
)
@pytest.mark.parametrize("layout", ["\n", ","])
def test_what_contradicts_the_beginning_is_never_misread(first: str, then: list[str], layout: str) -> None:
    for value in then:
        row = '{"a/b": %s, "b": {"s": "x"}}'
        text = layout.join([row % first] * 20 + [row % value] + [row % first] * 3)
        data = (f"[{text}]" if layout == "," else text).encode()

        assert read(data, size=200) == read_exactly(data), value


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("ab", r"\u0061b"), ("é", r"\u00E9"), ("é", r"\u00e9"), ("a/b", r"a\/b"), ("😀", r"\ud83D\uDE00")],
)
def test_names_are_known_however_they_are_written(name: str, spelt: str) -> None:
    data = "\n".join([f'{{"{name}": 1.25}}'] * 30 + [f'{{"{spelt}": 1.250}}']).encode()

    assert read(data, size=100) == read_exactly(data)


def many(row: bytes, *, array: bool) -> bytes:
    """A file of many blocks, with a row far behind."""
    rows = [b'{"a": %d, "b": [1.5]}' % number for number in range(100, 300)] + [row, b'{"a": 1}']
    return b"[" + b",\n".join(rows) + b"]" if array else b"\n".join(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "kind", "behind"),
    [
        (b'{"a": 1, "a": 2}', MalformedFile, 0),
        (b'{"b": [], "b": null}', MalformedFile, 0),
        (rb'{"a": "\ud800"}', MalformedFile, 0),
        (b'{"a": "x\xff"}', WrongEncoding, 8),
        (b'{"a": 1}x', MalformedFile, 8),
        (b'{"a": 01}', MalformedFile, 7),
        (b'{"a": NaN}', MalformedFile, 0),
        (b"null", MalformedFile, 0),
        (b"[]", MalformedFile, 0),
        (b'{"a": 1}\0', MalformedFile, 8),
    ],
)
@pytest.mark.parametrize("array", [False, True], ids=["lines", "array"])
def test_trouble_far_behind_is_told_with_its_place(row: bytes, kind: type[DataError], behind: int, array: bool) -> None:  # noqa: FBT001 # given
    data = many(row, array=array)

    found = read(data, size=300)

    assert (found[0], found[3]) == (kind, data.index(row) + behind)
    assert found == read_exactly(data)


@pytest.mark.slow
@pytest.mark.parametrize("array", [False, True], ids=["lines", "array"])
def test_half_a_file_is_refused_wherever_it_stops(array: bool) -> None:  # noqa: FBT001 # given
    data = many(b'{"a": 5}', array=array)

    for end in range(len(data) - 8, len(data)):
        found = read(data[:end], size=300)
        assert found == read_exactly(data[:end])
        assert not array or found[0] is TruncatedFile


@pytest.mark.slow
@pytest.mark.kernel
def test_a_field_that_comes_late_costs_one_exact_reading_of_its_block() -> None:
    data = b"\n".join([b'{"a": 1.5}'] * 500 + [b'{"b": {"c": 1}}'] + [b'{"a": 2.5}'] * 500)

    with exact_pieces() as exactly:
        found = read(data, size=300)

    assert len(exactly) == 2
    assert found == read_exactly(data)


def test_bad_elements_are_put_aside_where_they_end() -> None:
    bad = [
        rb'{"a":1,"a":2}',
        rb"[1, {}]",
        rb'{"a":"\ud800"}',
        rb'{"a":-Infinity}',
        b"null",
        b'{"a":"]\xff"}',
    ]
    data = b'[{"a":"1"},\n' + b",".join(row + b',{"a":"2"}' for row in bad) + b"]"

    for size in (5, 30, 2**20):
        _, rows, aside = read(data, BadRows.QUARANTINE, size=size)
        assert rows == repr([{"a": "1"}] + [{"a": "2"}] * len(bad))
        assert [(one.line, one.row, one.byte) for one in aside] == [
            (2, 2 + 2 * place, data.index(row)) for place, row in enumerate(bad)
        ]
        assert aside[0].raw == '{"a":1,"a":2}'
        assert aside[-1].raw == r'{"a":"]\xff"}'


@pytest.mark.parametrize("row", [b'{"a":}', b'{"a":1', b'{"a":"x}', b"nul", b'{"a" 1}'])
def test_an_array_is_refused_where_it_is_not_certain_what_ends_a_row(row: bytes) -> None:
    for size in (5, 2**20):
        found = read(b'[{"a":1},' + row + b',{"a":2}]', BadRows.QUARANTINE, size=size)
        assert issubclass(found[0], DataError)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["}", "{", '},{"', '}\n{"', '},{"id": 1', "}}}}", "{{{{"])
def test_braces_in_texts_only_cost_time(text: str) -> None:
    rows = [{"id": number, "text": text * (number % 3), "inner": [{"id": 1}, {"id": 2}]} for number in range(60)]

    for data in (json.dumps(rows), "".join(map(json.dumps, rows)), json.dumps(rows, indent=1)):
        assert read(data.encode(), size=300) == read_exactly(data.encode())


class FaultyText(io.BytesIO):
    """A source whose line goes dead after some bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 3000:
            raise ConnectionResetError("the line went dead")
        return super().read(size)


@pytest.mark.parametrize(
    ("row", "error"), [(b'{"a": 1, "a": 2}', MalformedFile), (b'{"a": 3}', ConnectionResetError)], ids=["bad", "good"]
)
def test_what_comes_first_is_told_however_far_is_read_ahead(row: bytes, error: type[Exception]) -> None:
    data = b"\n".join([b'{"a": 1}'] * 290 + [row] + [b'{"a": 2}'] * 200)

    options = ReadOptions(work=small_work(300))
    with pytest.raises(error):
        list(json_reader.read(FaultyText(data), options, report=lambda _bad: None).batches)


@pytest.mark.slow
@pytest.mark.parametrize(("names", "searched"), [(200, True), (1001, False)])
def test_so_many_names_are_searched_for(names: int, searched: bool) -> None:  # noqa: FBT001 # given
    node = Node()
    node.observe_columns({f"field {number}": [Number("1.25")] for number in range(names)}, 0)

    assert (json_fast.plan(node) is not None) == searched
