"""CSV files as the world writes them: dialects, headers, encodings, broken rows."""

from __future__ import annotations

import base64
import io
import json
from functools import partial
from typing import Any

import pytest

from millrace.engine.formats.csv import reader as csv_reader
from millrace.engine.options import BadRows, ReadOptions, WorkSizes
from millrace.errors import (
    DataError,
    InvalidConfiguration,
    RaggedRow,
    TooBig,
    TruncatedFile,
    ValueDoesNotFit,
    WrongEncoding,
)
from tests.unit.engine.formats.builders import cells, conversion, converted, small_work, table


def rows(data: bytes, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table(converted(data, "csv", "parquet", **options)).to_pylist()
    return found


def refusal(data: bytes, **options: Any) -> DataError:
    with pytest.raises(DataError) as refused:
        converted(data, "csv", "json", **options)
    return refused.value


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("a,b", ["a", "b"]),
        ("a,a", ["a", "a_2"]),
        ("a,a,a_2", ["a", "a_3", "a_2"]),
        ("a,,", ["a", "column_2", "column_3"]),
        (",column_1", ["column_1_2", "column_1"]),
        (" a ,A", [" a ", "A"]),
        ('"a,b","c""d"', ["a,b", 'c"d']),
        ('"a\nb",c', ["a\nb", "c"]),
        ("x" * 100_000 + ",b", ["x" * 100_000, "b"]),
    ],
)
def test_no_name_of_a_header_is_lost(header: str, names: list[str]) -> None:
    data = (header + "\n" + ",".join("1" for _ in names) + "\n").encode()

    assert list(rows(data)[0]) == names
    assert cells(converted(data, "csv", "csv").decode())[0] == names


def test_without_headers_columns_are_numbered() -> None:
    assert rows(b"1,x\n2,y\n", has_headers=False) == [
        {"column_1": 1, "column_2": "x"},
        {"column_1": 2, "column_2": "y"},
    ]


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("target", "expected"), [("csv", b""), ("json", b""), ("json-doc", b"[]\n"), ("parquet", None)]
)
def test_an_empty_file_has_no_rows_and_no_columns(data: bytes, target: str, expected: bytes | None) -> None:
    output = converted(data, "csv", target)

    assert output == expected if expected is not None else table(output).shape == (0, 0)


@pytest.mark.parametrize("data", [b"a,b", b"a,b\n", b"a,b\r\n\r\n"])
def test_a_header_alone_keeps_its_columns(data: bytes) -> None:
    assert table(converted(data, "csv", "parquet")).schema.names == ["a", "b"]
    assert converted(data, "csv", "csv") == b"a,b\n"


def test_lines_are_skipped_before_the_header_whatever_stands_in_them() -> None:
    assert rows(b'report "of\r\n2026,,,\ra,b\n1,2\n', skip_lines=2) == [{"a": 1, "b": 2}]
    assert rows(b"only\n", skip_lines=5) == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected_outside_of_quotes(delimiter: str) -> None:
    others = "".join(other for other in ",;|\t" if other != delimiter)
    data = f'a{delimiter}b\n1{delimiter}"{others * 3}"\n2{delimiter}x\n'

    assert rows(data.encode()) == [{"a": 1, "b": others * 3}, {"a": 2, "b": "x"}]


def test_decimal_commas_do_not_hide_the_semicolon() -> None:
    assert rows(b"a;b\n1,5;2,5\n3,5;4,5\n") == [{"a": "1,5", "b": "2,5"}, {"a": "3,5", "b": "4,5"}]


def test_quote_and_escape_are_as_told() -> None:
    assert rows(b"a,b\n'x,y','it''s'\n", quote="'") == [{"a": "x,y", "b": "it's"}]
    assert rows(b'a,b\n"x,y\n', quote="") == [{"a": '"x', "b": "y"}]
    assert rows(b'a,b\nx\\,y,"q\\"r"\n', escape="\\") == [{"a": "x,y", "b": 'q"r'}]


@pytest.mark.parametrize(
    ("name", "value"), [("delimiter", ",,"), ("delimiter", "§"), ("quote", "\n"), ("encoding", "hex")]
)
def test_an_impossible_dialect_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidConfiguration, match=name):
        converted(b"a\n1\n", "csv", "json", **{name: value})


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_any_line_end_ends_a_record(ending: str, last: str) -> None:
    data = ending.join(["a,b", "1,x", '2,"y\nz"']) + (ending if last else "")

    assert rows(data.encode()) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y\nz"}]


def test_blank_lines_are_missing_values_of_a_single_column_and_nothing_elsewhere() -> None:
    assert rows(b"a\n1\n\n2\n\n") == [{"a": 1}, {"a": None}, {"a": 2}, {"a": None}]
    assert converted(b"a\n1\n\n2\n\n", "csv", "csv") == b"a\n1\n\n2\n\n"
    assert rows(b"a,b\n1,2\n\n\n3,4\n\n") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


@pytest.mark.parametrize("block", [1, 7, 64])
def test_a_record_longer_than_a_block_is_read_whole(block: int) -> None:
    text = "a long text,\r\nof several lines " * 50
    data = f'a,b\r\n1,"{text}"\r\n2,x\r\n'.encode()

    assert rows(data, work=WorkSizes(block=block)) == [{"a": 1, "b": text}, {"a": 2, "b": "x"}]


def test_a_record_longer_than_memory_allows_is_refused() -> None:
    work = WorkSizes(block=2**14, longest_record=2**16)

    error = refusal(b'a,b\n1,2\n3,"' + b"x" * 2**18, work=work)

    assert isinstance(error, TooBig)


@pytest.mark.parametrize(
    ("data", "kind", "row", "byte"),
    [
        (b"a,b\n1,2\n3\n4,5\n", RaggedRow, 2, 8),
        (b"a,b\n1,2,3", RaggedRow, 1, 4),
        (b"a,b\n\n1,2\n1,2,3\n", RaggedRow, 2, 9),
        (b'a,b\n1,2\n"x,2\n3,4\n', TruncatedFile, 2, 8),
        (b"a,b\n1,2\n3,\xff\n", WrongEncoding, 2, 10),
        (b"\xef\xbb\xbfa,b\n1,2\n3\n", RaggedRow, 2, 11),
    ],
)
def test_a_bad_row_is_refused_with_its_place(data: bytes, kind: type[DataError], row: int, byte: int) -> None:
    error = refusal(data)

    assert (type(error), error.row, error.byte) == (kind, row, byte)


@pytest.mark.parametrize("block", [1, 20, 2**20])
def test_the_place_of_a_bad_row_does_not_depend_on_blocks(block: int) -> None:
    data = b"a,b\n" + b"1,2\r\n" * 100 + b"1,2,3\r\n" + b"1,2\r\n"

    error = refusal(data, work=WorkSizes(block=block))

    assert (error.row, error.byte) == (101, 504)


def test_bad_rows_are_put_aside_where_that_is_wanted() -> None:
    data = b'a,b\n1,2\n3\n\xff,1\n"x\ny",5,6\n5,6\n"7,8\n9,9\n'

    done = conversion(data, "csv", "json", bad_rows=BadRows.QUARANTINE)

    assert done.parts[0].sink.getvalue() == b'{"a":1,"b":2}\n{"a":5,"b":6}\n'
    assert done.quarantine is not None
    aside = [json.loads(line) for line in done.quarantine.getvalue().splitlines()]
    assert [(bad["line"], bad["row"], bad["byte"], bad["raw"]) for bad in aside] == [
        (3, 2, 8, "3"),
        (4, 3, 10, "\\xff,1"),
        (5, 4, 14, '"x\ny",5,6'),
        (8, 6, 28, '"7,8\n9,9'),
    ]
    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (6, 2, 4)


def test_what_was_put_aside_is_a_convertible_object_with_the_rows_very_bytes() -> None:
    aside = conversion(
        b'a,b\n1\n\xff,1,\\xff\n"x\ny",5,6\n1,2\n', "csv", "json", bad_rows=BadRows.QUARANTINE
    ).quarantine
    assert aside is not None

    told = table(converted(aside.getvalue(), "json", "parquet")).to_pylist()

    assert [base64.b64decode(bad["raw_base64"]) if bad["raw_base64"] else bad["raw"].encode() for bad in told] == [
        b"1",
        b"\xff,1,\\xff",
        b'"x\ny",5,6',
    ]


def test_a_file_of_bad_rows_alone_still_has_its_columns() -> None:
    done = conversion(b"a,b\n1\n2\n", "csv", "csv", bad_rows=BadRows.QUARANTINE)

    assert done.parts[0].sink.getvalue() == b"a,b\n"
    assert (done.rows.read, done.rows.quarantined) == (2, 2)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marked_encodings_and_utf_16_are_seen(encoding: str) -> None:
    assert rows("name,city\nJörg,Köln\nAda,London\n".encode(encoding))[0] == {"name": "Jörg", "city": "Köln"}


def test_other_encodings_are_as_told() -> None:
    data = "a,b\né,ü\n".encode("latin-1")

    assert rows(data, encoding="latin-1") == [{"a": "é", "b": "ü"}]
    error = refusal(data)
    assert (type(error), error.byte) == (WrongEncoding, 4)


def test_a_byte_that_is_not_of_the_encoding_is_refused_with_its_offset() -> None:
    error = refusal(b"a,b\n1,\x81\n", encoding="cp1252")

    assert (type(error), error.byte) == (WrongEncoding, 6)


def test_null_values_are_missing_only_as_told_and_unquoted() -> None:
    assert rows(b'a,b\n1,NA\n2,"NA"\n', null_values=("NA",)) == [{"a": 1, "b": None}, {"a": 2, "b": "NA"}]


def test_a_null_value_at_the_end_of_a_file_of_one_column_is_a_row() -> None:
    assert rows(b"a\n7\n0", null_values=("0",), escape="\\") == [{"a": 7}, {"a": None}]


def test_bytes_that_are_no_text_are_refused_where_rows_end_in_a_delimiter() -> None:
    with pytest.raises(WrongEncoding):
        rows(b"a,b,\n1,2,\n\xff,2,\n")


def test_types_are_not_looked_for_where_that_is_wanted() -> None:
    assert rows(b"a,b\n1,true\n", infer_types=False) == [{"a": "1", "b": "true"}]


@pytest.mark.parametrize(
    ("wanted", "texts", "found"),
    [
        ("integer", ["007", "-1"], "[7,-1]"),
        ("decimal", ["1.5", "10.25", "2"], "[1.50,10.25,2.00]"),
        ("float", ["1", "2.50"], "[1.0,2.5]"),
        ("boolean", ["TRUE", "false", "1"], "[true,false,true]"),
        ("date", ["2024-01-01"], '["2024-01-01"]'),
        ("timestamp", ["2024-01-01 10:00", "2024-01-01T10:00:00.5"], None),
        ("text", ["1", "2"], '["1","2"]'),
    ],
)
def test_a_column_has_the_type_that_is_demanded(wanted: str, texts: list[str], found: str | None) -> None:
    data = ("a\n" + "".join(f"{text}\n" for text in texts)).encode()

    output = converted(data, "csv", "json", column_types={"a": wanted}).decode()

    values = [line.removeprefix('{"a":').removesuffix("}") for line in output.splitlines()]
    assert f"[{','.join(values)}]" == (found or '["2024-01-01T10:00:00.000000","2024-01-01T10:00:00.500000"]')


@pytest.mark.parametrize(
    ("wanted", "bad"), [("integer", "1.5"), ("integer", "0x1F"), ("float", "1e400"), ("boolean", "yes"), ("date", "x")]
)
def test_a_value_that_does_not_fit_is_refused_with_row_and_column(wanted: str, bad: str) -> None:
    good = {"boolean": "true", "date": "2024-01-01"}.get(wanted, "1")

    error = refusal(f"z,a\n1,{good}\n2,{bad}\n".encode(), column_types={"a": wanted})

    assert (type(error), error.row, error.column) == (ValueDoesNotFit, 2, "a")
    assert repr(bad) in str(error)


def test_values_that_do_not_fit_are_put_aside_where_that_is_wanted() -> None:
    done = conversion(
        b"a,b\n1,x\nz,y\n3\n4,w\n", "csv", "json", column_types={"a": "integer"}, bad_rows=BadRows.QUARANTINE
    )

    assert done.parts[0].sink.getvalue() == b'{"a":1,"b":"x"}\n{"a":4,"b":"w"}\n'
    assert done.quarantine is not None
    assert sorted(json.loads(line)["row"] for line in done.quarantine.getvalue().splitlines()) == [2, 3]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        ("decimal", ["1.5", "2.25", "12345678901234567890", "1.5"]),
        ("decimal", ["9" * 70, "0." + "1" * 20]),
        ("timestamp", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456789Z"]),
    ],
)
def test_what_is_demanded_has_room_for_every_value_however_late(wanted: str, texts: list[str]) -> None:
    data = ("a\n" + "".join(f"{text}\n" for text in texts)).encode()
    convert_with = partial(converted, data, "csv", "json", column_types={"a": wanted}, bad_rows=BadRows.QUARANTINE)

    assert convert_with(work=small_work(8)) == convert_with()


def test_a_file_without_a_column_whose_type_is_demanded_is_read_without_it() -> None:
    assert rows(b"a\n1\n", column_types={"zz": "float"}) == [{"a": 1}]


@pytest.mark.parametrize("number", ["12345678901234567890.25", "0.1234567890123456789", "9007199254740993", "1e-400"])
def test_a_float_that_would_lose_digits_is_refused_with_its_row(number: str) -> None:
    error = refusal(f"id,a\n1,10.10\n2,{number}\n".encode(), column_types={"a": "float"})

    assert (type(error), error.row, error.column) == (ValueDoesNotFit, 2, "a")
    assert "demand decimal" in str(error)


def test_a_float_that_keeps_its_digits_is_one() -> None:
    texts = ["0.30000000000000004", "1e5", "-1.50E+3", "123456789012345680", "NaN", ""]

    found = rows(("id,a\n" + "".join(f"1,{text}\n" for text in texts)).encode(), column_types={"a": "float"})

    assert [str(row["a"]) for row in found] == [
        "0.30000000000000004", "100000.0", "-1500.0", "1.2345678901234568e+17", "nan", "None",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["0x1F", "1_000", "+1", " 5 ", "1,000", "٣", "1e5", "1.", ".5"])
def test_what_would_not_be_printed_back_stays_text(text: str) -> None:
    assert rows(f"id;a\n1;{text}\n".encode()) == [{"id": 1, "a": text}]


def test_a_ragged_row_is_refused_with_both_counts() -> None:
    assert "row 2 at byte 12 has 3 fields where 4 are expected" in str(refusal(b"a,b,c,d\n,,,\n1,2,3\n"))


def test_missing_and_empty_are_two_things() -> None:
    data = b'a,b\n,""\n"",\n'

    assert rows(data) == [{"a": None, "b": ""}, {"a": "", "b": None}]
    assert converted(data, "csv", "csv") == data


def test_a_nul_is_a_character_like_others() -> None:
    assert rows(b'a,b\n1\x00,"x\x00y"\n') == [{"a": "1\x00", "b": "x\x00y"}]


@pytest.mark.slow
def test_ten_thousand_columns_are_all_read() -> None:
    names = [f"c{place}" for place in range(10_000)]
    values = [str(place) if place % 2 else f"t{place}" for place in range(10_000)]
    data = "\n".join([",".join(names), ",".join(values), ",".join(values)]).encode()

    records = csv_reader.read(io.BytesIO(data), ReadOptions(), report=print)
    found = [row for batch in records.batches for row in batch.to_pylist()]

    assert len(found) == 2
    assert list(found[1]) == names
    assert list(map(str, found[1].values())) == values


@pytest.mark.slow
@pytest.mark.parametrize(
    "late",
    [b"2.5,x,2024-01-02\n", b"x,x,x\n", b"1,,\n", b"1,x\n", b"12345678901234567890,1,2024-01-02\n", b'"1",""\n'],
)
def test_one_processor_reads_what_several_read(late: bytes) -> None:
    data = b"a,b,c\n" + b'1,"x ""y""\nz",2024-01-01\n' * 40 + late + b"7,w,2024-01-03\n" * 3

    results = []
    for count in (1, 2, 5):
        work = WorkSizes(processors=count, block=64, csv_sample=128)
        done = conversion(data, "csv", "json", bad_rows=BadRows.QUARANTINE, work=work)
        aside = done.quarantine.getvalue() if done.quarantine else b""
        results.append((done.parts[0].sink.getvalue(), aside, done.rows))

    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("said", ["cp1252", "latin-1", "utf-8", "ascii", "shift_jis"])
def test_a_byte_order_mark_outweighs_what_is_said(mark: str, said: str) -> None:
    """One bucket with files of many tools: in cp1252 the marks would be text, and each zero a character."""
    assert (
        converted("id;name\n1;Jörg €\n".encode(mark), "csv", "json", encoding=said)
        == '{"id":1,"name":"Jörg €"}\n'.encode()
    )
