"""JSON files as the world writes them, and those that are none."""

from __future__ import annotations

import json

import pytest

from millrace.engine.options import BadRows, WorkSizes
from millrace.errors import DataError, MalformedFile, TruncatedFile, UnsupportedType, WrongEncoding
from tests.unit.engine.formats.builders import conversion, converted, small_work, table


@pytest.fixture(params=[3, 2**20], ids=["small blocks", "large blocks"])
def work(request: pytest.FixtureRequest) -> WorkSizes:
    """Blocks that cut everything, and blocks that cut nothing."""
    return small_work(request.param)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}\n{"a":2}\n',
        b'{"a":1}\r\n\r\n  {"a":2}',
        b'{"a":1}{"a":2}',
        b'{"a":1} {"a":2}',
        b'{\n "a": 1\n}\n{\n "a": 2\n}\n',
        b'[{"a":1},{"a":2}]',
        b' [\n{"a":1}\n,\n{"a":2}\n]\n',
        b'\xef\xbb\xbf{"a":1}\n{"a":2}',
        '[{"a":1},{"a":2}]'.encode("utf-16"),
        b'[{"a":1}]\n[{"a":2}]\n',
        b'[{"a":1}][][ ] [{"a":2}][]',
        b'[{"a":1},\n{"a":2}]\n[]',
    ],
)
def test_objects_are_rows_in_lines_and_in_an_array(data: bytes, work: WorkSizes) -> None:
    assert converted(data, "json", "json", work=work) == b'{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize("data", [b"", b" \n", b"[]", b" [ ]\n"])
@pytest.mark.parametrize(
    ("target", "expected"), [("csv", b""), ("json", b""), ("json-doc", b"[]\n"), ("parquet", None)]
)
def test_no_objects_are_no_rows(data: bytes, target: str, expected: bytes | None) -> None:
    output = converted(data, "json", target)

    assert output == expected if expected is not None else table(output).shape == (0, 0)


@pytest.mark.parametrize(
    ("data", "kind", "row", "byte"),
    [
        (b'{"a":1}\n{"a":2', TruncatedFile, 2, 14),
        (b'{"a":1}\n{"a":"x', TruncatedFile, 2, 15),
        (b'{"a":1}\n{"a":tru', TruncatedFile, 2, 16),
        (b'[{"a":1},{"a":2}', TruncatedFile, 3, 16),
        (b"[", TruncatedFile, 1, 1),
        (b'{"a":"\xc3', TruncatedFile, 1, 6),
        (b'{"a":1}\n5\n', MalformedFile, 2, 8),
        (b'"x"', MalformedFile, 1, 0),
        (b"[1]", MalformedFile, 1, 1),
        (b"nul", TruncatedFile, 1, 3),
        (rb'{"a":"\u12', TruncatedFile, 1, 10),
        (b"nope", MalformedFile, 1, 0),
        (b'{"a":1},{"a":2}', MalformedFile, 2, 7),
        (b'[{"a":1},]', MalformedFile, 2, 9),
        (b'[{"a":1} {"a":2}]', MalformedFile, 2, 9),
        (b'[{"a":1}] {"a":2}', MalformedFile, 2, 10),
        (b'{"a":1}\n{"a":1,"a":2}', MalformedFile, 2, 8),
        (b'{"b":{"a":1,"a":2}}', MalformedFile, 1, 0),
        (b'{"a":NaN}', MalformedFile, 1, 0),
        (b'{"a":-Infinity}', MalformedFile, 1, 0),
        (b'{"a":01}', MalformedFile, 1, 6),
        (b"{'a':1}", MalformedFile, 1, 1),
        (b'{"a":"\n"}', MalformedFile, 1, 6),
        (rb'{"a":1}{"a":"\ud800"}', MalformedFile, 2, 7),
        (rb'{"\udc00":1}', MalformedFile, 1, 0),
        (b'{"a":' + b"[" * 100_000, MalformedFile, 1, 0),
        (b'{"a":1}\n{"a":"\xff"}', WrongEncoding, 2, 14),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(
    data: bytes, kind: type[DataError], row: int, byte: int, work: WorkSizes
) -> None:
    with pytest.raises(DataError) as refused:
        converted(data, "json", "json", work=work)

    error = refused.value
    assert (type(error), error.row, error.byte) == (kind, row, byte)


def test_bad_lines_are_put_aside_where_that_is_wanted() -> None:
    data = b'{"a":1}\n{"a":\n{"a":2}\n5\n{"a":"\xff"}\n{"a":3,"a":3}\n{"a":4}'

    done = conversion(data, "json", "json", bad_rows=BadRows.QUARANTINE)

    assert done.parts[0].sink.getvalue() == b'{"a":1}\n{"a":2}\n{"a":4}\n'
    assert done.quarantine is not None
    aside = [json.loads(line) for line in done.quarantine.getvalue().splitlines()]
    assert [(bad["line"], bad["row"], bad["byte"], bad["raw"]) for bad in aside] == [
        (2, 2, 8, '{"a":'),
        (4, 4, 22, "5"),
        (5, 5, 24, r'{"a":"\xff"}'),
        (6, 6, 34, '{"a":3,"a":3}'),
    ]
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (7, 3, 4)


def test_a_broken_array_is_refused_even_where_bad_rows_are_put_aside() -> None:
    with pytest.raises(MalformedFile):
        conversion(b'[{"a":1},{"a":]', "json", "json", bad_rows=BadRows.QUARANTINE)


@pytest.mark.slow
def test_a_field_first_seen_late_is_a_column(work: WorkSizes) -> None:
    data = b'{"a":1}\n' * 500 + b'{"b":{"c":"x"}}\n'

    rows = table(converted(data, "json", "parquet", work=work)).to_pylist()

    assert rows[0] == {"a": 1, "b": None}
    assert rows[-1] == {"a": None, "b": {"c": "x"}}


def test_a_field_of_mixed_types_is_json_text_outside_of_json(work: WorkSizes) -> None:
    data = b'{"a":1}\n{"a":"x"}\n{"a":[1.0, {"b":1e5}]}\n{"a":null}\n'

    assert table(converted(data, "json", "parquet", work=work))["a"].to_pylist() == [
        "1",
        '"x"',
        '[1.0,{"b":1e5}]',
        None,
    ]
    assert converted(data, "json", "csv", work=work) == b'a\n1\n"""x"""\n"[1.0,{""b"":1e5}]"\n\n'


def test_rows_without_any_field_are_refused_where_they_would_vanish() -> None:
    assert converted(b"{}\n{}\n", "json", "json-doc") == b"[\n{},\n{}\n]\n"
    for target in ("csv", "parquet"):
        with pytest.raises(UnsupportedType, match="no field"):
            converted(b"{}\n{}\n", "json", target)


def test_an_object_of_thousands_of_names_is_kept_as_json_text() -> None:
    inner = ",".join(f'"k{n}":{n}' for n in range(3000))
    data = f'{{"a":{{{inner}}}}}\n'.encode()

    assert table(converted(data, "json", "parquet"))["a"].to_pylist() == [f"{{{inner}}}"]
    assert converted(data, "json", "json") == data


def test_output_is_one_line_for_tools_that_know_more_line_ends() -> None:
    data = '{"a":"\u2028\u2029\u0085"}\n'.encode()

    assert converted(data, "json", "json") == b'{"a":"\\u2028\\u2029\\u0085"}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_is_unicode_whatever_the_encoding_of_csv_is(encoding: str) -> None:
    data = '{"id":1,"name":"José €"}\n'.encode(encoding)

    assert converted(data, "json", "json", encoding="cp1252").decode() == '{"id":1,"name":"José €"}\n'


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("before", [b"", b'{"a":"x"}\n'])
def test_what_is_behind_a_very_long_row_is_at_its_place(before: bytes) -> None:
    """The text of a long row is let go before its rows are used."""
    long = b'{"a":"' + "é".encode() * 2**22 + b'"}\n'

    with pytest.raises(MalformedFile) as raised:
        converted(before + long + b'{"a":1,"a":2}\n{"a":3}\n', "json", "json")

    assert raised.value.row == 2 + before.count(b"\n")
    assert raised.value.byte == len(before) + len(long)
    assert converted(before + long + b'{"a":"y"}\n', "json", "json") == before + long + b'{"a":"y"}\n'
