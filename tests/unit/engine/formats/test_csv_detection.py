"""Dialects are found by evidence, or the file is refused; no value loses a quote, and no row goes missing."""

from __future__ import annotations

import io
from typing import Any

import pytest

from millrace.engine.formats.csv.opening import begin
from millrace.engine.formats.csv.text_rows import texts
from millrace.engine.options import BadRows, Quotes, ReadOptions
from millrace.errors import AmbiguousDialect, DataError, RaggedRow, StrayQuote, TruncatedFile
from tests.unit.engine.formats.builders import conversion, converted, small_work, table


def rows(data: bytes, **options: Any) -> list[list[str]]:
    """All records, none of them a header, as text."""
    options = {"has_headers": False, "infer_types": False, **options}
    batches = table(converted(data, "csv", "parquet", **options)).to_pylist()
    return [[value if value is not None else "" for value in row.values()] for row in batches]


def refusal(data: bytes, **options: Any) -> DataError:
    with pytest.raises(DataError) as refused:
        converted(data, "csv", "json", **options)
    return refused.value


DETECTED = {
    "decimal commas, no header": ("1,5;2,5\n3,5;4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
    "decimal commas, one line": ("1,5;2,5\n", [["1,5", "2,5"]]),
    "decimal commas, tab": ("1,5\t2,5\n3,5\t4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
    "decimal commas, bar": ("x|1,5|2,5\r\ny|3,5|4,5\r\n", [["x", "1,5", "2,5"], ["y", "3,5", "4,5"]]),
    "thousands": ("id;sum\n1;1.234,56\n2;7.890,12\n", [["id", "sum"], ["1", "1.234,56"], ["2", "7.890,12"]]),
    "a comma in each header": ("Day;Sum, EUR\n2026-03-01;1,5\n", [["Day", "Sum, EUR"], ["2026-03-01", "1,5"]]),
    "places behind a tab": ("1\tParis, France\n2\tRome, Italy\n", [["1", "Paris, France"], ["2", "Rome, Italy"]]),
    "names before a semicolon": ("Doe, Jane;5\nRoe, Rick;6\n", [["Doe, Jane", "5"], ["Roe, Rick", "6"]]),
    "prose on both sides": ("Hi, all;Doe, J\nBye, all;Roe, R\n", [["Hi, all", "Doe, J"], ["Bye, all", "Roe, R"]]),
    "times": ("12:30:45;1,5\n12:31:00;2,5\n", [["12:30:45", "1,5"], ["12:31:00", "2,5"]]),
    "lists of semicolons": ("id,tags\n1,a;b\n2,c;d\n", [["id", "tags"], ["1", "a;b"], ["2", "c;d"]]),
    "lists of numbers": ("id,v\n1,10;20;30\n2,40;50;60\n", [["id", "v"], ["1", "10;20;30"], ["2", "40;50;60"]]),
    "JSON, semicolon": ('id;j\n1;{"a":1,"b":2}\n2;{"a":3,"b":4}\n',
        [["id", "j"], ["1", '{"a":1,"b":2}'], ["2", '{"a":3,"b":4}']]),
    "JSON, tab": ('1\t{"a":1,"b":2}\n2\t{"a":3,"b":4}\n', [["1", '{"a":1,"b":2}'], ["2", '{"a":3,"b":4}']]),
    "JSON in quotes": ('1,"{""a"":1,""b"":2}"\n2,"{""a"":3}"\n', [["1", '{"a":1,"b":2}'], ["2", '{"a":3}']]),
    "a comma in every cell": ("City, Country\nParis, France\n", [["City", " Country"], ["Paris", " France"]]),
    "one column": ("id\n1\n2\n", [["id"], ["1"], ["2"]]),
    "one column of prose": ("text\nhello; world\nfoo; bar\nbaz\n", [["text"], ["hello; world"], ["foo; bar"], ["baz"]]),
    "one column in quotes": ('"a;b"\n"c;d"\n', [["a;b"], ["c;d"]]),
    "quoted rows below a plain header": ('a;b\n"1";"x;y"\n', [["a", "b"], ["1", "x;y"]]),
    "quoted line ends": ('a;b\r\n"1\r\n2";x\r\n', [["a", "b"], ["1\r\n2", "x"]]),
    "apostrophes need a comma": ("id,name\n1,'Doe, Bob'\n2,Al\n", [["id", "name"], ["1", "Doe, Bob"], ["2", "Al"]]),
    "apostrophes throughout": ("'id','name'\n'1','Al'\n", [["id", "name"], ["1", "Al"]]),
    "apostrophes doubled": ("id,name\n1,'O''Neil'\n2,Al\n", [["id", "name"], ["1", "O'Neil"], ["2", "Al"]]),
    "apostrophes escaped": ("id,name\n1,'O\\'Neil'\n2,Al\n", [["id", "name"], ["1", "O'Neil"], ["2", "Al"]]),
    "apostrophes of names": ("id,name\n1,O'Neil\n2,'tis\n", [["id", "name"], ["1", "O'Neil"], ["2", "'tis"]]),
    "escaped quotes": ('id,note\n1,"say \\"hi\\" now"\n', [["id", "note"], ["1", 'say "hi" now']]),
    "escaped delimiters": ("id,at\n1,Paris\\, France\n", [["id", "at"], ["1", "Paris, France"]]),
    "paths in quotes": ('id,p\n1,"C:\\dir\\"\n2,"x"\n', [["id", "p"], ["1", "C:\\dir\\"], ["2", "x"]]),
    "plain paths": ("id,p,n\n1,C:\\dir\\,5\n", [["id", "p", "n"], ["1", "C:\\dir\\", "5"]]),
    "quotes of a name": ('1\t"Big" Bob\n2\t"A" and "B"\n', [["1", '"Big" Bob'], ["2", '"A" and "B"']]),
    "inches": ('id,size\n1,12" pipe\n2,3"\n', [["id", "size"], ["1", '12" pipe'], ["2", '3"']]),
    "inner quotes": ('id,note\n1,"He said "hi" to me"\n', [["id", "note"], ["1", '"He said "hi" to me"']]),
    "trailing delimiters below a header": ("a;b\n1,5;2;\n", None),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (_, expected) in DETECTED.items() if expected])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_dialect_is_found(name: str, line_end: str) -> None:
    text, expected = DETECTED[name]

    found = rows(text.replace("\r\n", "\n").replace("\n", line_end).encode())

    assert [[value.replace("\r\n", "\n") for value in row] for row in found] == [
        [value.replace("\r\n", "\n") for value in row] for row in expected or ()
    ]


@pytest.mark.parametrize("repeat", [1, 20])
@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("1,a;b\n2,c;d\n", "csv_delimiter"),
        ("a,b;c,d\n1,2;3,4\n", "csv_delimiter"),
        ("id,name\n1,'Bob'\n2,'Al'\n", "csv_quote"),
        ("1,C:\\tmp\\,5\n2,C:\\x\\,6\n", "csv_escape"),
        ("Report\na;b\nc;d\n", "csv_delimiter"),
    ],
)
def test_a_file_that_can_be_read_in_two_ways_is_refused_with_both(text: str, option: str, repeat: int) -> None:
    body = text if repeat == 1 or text.startswith(("Report", "id")) else text * repeat

    error = refusal(body.encode(), has_headers=False)

    assert isinstance(error, AmbiguousDialect)
    assert " or " in str(error)
    assert option in str(error)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("1,a;b\n2,c;d\n", {"delimiter": ","}, [["1", "a;b"], ["2", "c;d"]]),
        ("1,a;b\n2,c;d\n", {"delimiter": ";"}, [["1,a", "b"], ["2,c", "d"]]),
        ("1,'Bob'\n2,'Al'\n", {"quote": "'"}, [["1", "Bob"], ["2", "Al"]]),
        ("1,'Bob'\n2,'Al'\n", {"quote": '"'}, [["1", "'Bob'"], ["2", "'Al'"]]),
        ("1,x\\,5\n2,y\\,6\n", {"escape": ""}, [["1", "x\\", "5"], ["2", "y\\", "6"]]),
        ("1,x\\,5\n2,y\\,6\n", {"escape": "\\"}, [["1", "x,5"], ["2", "y,6"]]),
        ('1,"a" b\n', {"quote": ""}, [["1", '"a" b']]),
        ('1^"a^b"\n', {"delimiter": "^"}, [["1", "a^b"]]),
    ],
)
def test_an_option_restricts_what_is_looked_for(text: str, options: dict[str, Any], expected: list[list[str]]) -> None:
    assert rows(text.encode(), **options) == expected


@pytest.mark.parametrize(
    ("text", "row", "width"),
    [
        ("March 1, 2026;100;paid;\nMarch 2, 2026;200;paid;\nMarch 3, 2026;300;\nMarch 4, 2026;400;paid;\n", 3, 3),
        ("a,b\n1,2\n3\n4,5\n", 3, 1),
        ('a,b,c\n1,"x,y"\n1,2,3\n', 2, 2),
        ("a;b;c\n1;2\n3;4;5\n", 2, 2),
        ("Anna\nBob;1;2\nEve;3;4\nUli;5;6\n", 2, 3),
        ("name\nSmith, John\nDoe, Jane\n", 2, 2),
    ],
)
def test_ragged_rows_are_ragged_by_the_likely_delimiter(text: str, row: int, width: int) -> None:
    error = refusal(text.encode(), has_headers=False)

    assert (type(error), error.row) == (RaggedRow, row)
    assert f"has {width} field{'s' if width > 1 else ''} where" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["sep=;", '"sep=;"', "SEP=;", "Sep=;", "'sep=;'"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_line_that_names_the_delimiter_is_no_row(mark: str, encoding: str, line_end: str) -> None:
    text = line_end.join([mark, "a;b", "1,5;2", ""])

    assert rows(text.encode(encoding)) == [["a", "b"], ["1,5", "2"]]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("sep=\t\n1,5\t2,5\n", {}, [["1,5", "2,5"]]),
        ("sep=^\na^b\n", {}, [["a", "b"]]),
        ("sep=,\na,b;c\n", {}, [["a", "b;c"]]),
        ("sep=;\na;b\n1;2\n", {"skip_lines": 1}, [["a", "b"], ["1", "2"]]),
        ("title\nsep=;\na;b\n", {"skip_lines": 1}, [["a", "b"]]),
        ("sep=x\n1\n", {}, [["sep=x"], ["1"]]),
        ("sep=;;\n1;2;3\n", {}, [["sep=", "", ""], ["1", "2", "3"]]),
        ("sep=;", {}, []),
    ],
)
def test_only_a_line_that_is_exactly_so_names_the_delimiter(
    text: str, options: dict[str, Any], expected: list[list[str]]
) -> None:
    assert rows(text.encode(), **options) == expected


@pytest.mark.parametrize(
    ("data", "row"),
    [
        (b'a,"', None), (b'a,"b', None), (b'"a', None), (b'a,b\n1,"x', 1), (b'a,b\n1,2\n"x,2\n3,4\n', 2),
        (b'id,note\n1,"Big', 1),
    ],
)  # fmt: skip
def test_a_record_that_the_end_leaves_in_quotes_is_truncated(data: bytes, row: int | None) -> None:
    error = refusal(data)

    assert (type(error), error.row) == (TruncatedFile, row)


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (b'a,b\n1,"x, y"\n2,"He said "hi" to me"\n', "csv_quotes: lenient"),
        (b'a,b\n"1","x"\n"2","y"\n"3","z "z" z"\n', "csv_quotes: lenient"),
        (b'a, b\n1, "Paris, France"\n', "mend the row, or put bad rows aside with bad_rows: quarantine"),
        (b'{"a":1,"b":2}\n{"a":3,"b":4}\n', "csv_quotes: lenient"),
        (b'a,b\n1,x "y, z"\n2,"p, q" r\n', "mend the row, or put bad rows aside with bad_rows: quarantine"),
    ],
)
def test_a_quote_where_csv_has_none_is_refused_with_a_way_out(data: bytes, way: str) -> None:
    """Only an option that gives the row its width is advised."""
    error = refusal(data)

    assert isinstance(error, StrayQuote)
    assert error.byte is not None
    assert str(error).count(way) == 1


def test_lenient_quotes_are_characters_unless_they_close_a_field() -> None:
    data = b'a,b\n1,"x, "y" z"\n2,"say ""hi"""\n3,12" pipe\n4,""\n5,\n6,"l1\nl2 "q""\n'

    assert rows(data, quotes=Quotes.LENIENT) == [
        ["a", "b"], ["1", 'x, "y" z'], ["2", 'say "hi"'], ["3", '12" pipe'], ["4", ""], ["5", ""], ["6", 'l1\nl2 "q"'],
    ]  # fmt: skip
    assert isinstance(refusal(b'a,b\n1,"x\n', quotes=Quotes.LENIENT), TruncatedFile)


@pytest.mark.parametrize("size", [4, 2**20])
def test_lenient_quotes_take_no_row_for_their_text(size: int) -> None:
    data = b'a,b,c\n1,"a" ,x\n2,"b",y\n3,"c" "d" ,e\n4,"p\nq",z\n'

    assert rows(data, quotes=Quotes.LENIENT, work=small_work(size))[1:] == [
        ["1", '"a" ', "x"], ["2", "b", "y"], ["3", '"c" "d" ', "e"], ["4", "p\nq", "z"],
    ]  # fmt: skip
    for text in (b'a,b,c\n1,"Big Bob,x\n2,y,z\n3,"b",w\n', b'a,b,c\n3,"c" "d" ,"e"\n'):
        assert isinstance(refusal(text, quotes=Quotes.LENIENT, work=small_work(size)), DataError)


@pytest.mark.slow
def test_a_contradiction_far_behind_the_sample_is_refused_with_its_row() -> None:
    head = b"a,b\n" + b'1,"x, y"\n' * 8_000

    error = refusal(head + b'2,"z" w\n')

    assert (type(error), error.row) == (StrayQuote, 8_001)
    aside = conversion(head + b'2,"z" w\n3,4\n', "csv", "json", bad_rows=BadRows.QUARANTINE)
    assert (aside.rows.read, aside.rows.quarantined) == (8_002, 1)


@pytest.mark.slow
def test_a_header_longer_than_the_sample_has_its_delimiter() -> None:
    names = [f"column {number}" for number in range(6000)]
    data = (";".join(names) + "\n" + ";".join("1,5" for _ in names) + "\n").encode()

    opened = texts(begin, io.BytesIO(data), ReadOptions(), lambda _bad: None)

    assert opened is not None
    assert opened[0].names == tuple(names)


@pytest.mark.slow
@pytest.mark.parametrize("quote_at", range(65_530, 65_537, 2))
def test_quoted_line_ends_where_the_sample_ends_are_no_trouble(quote_at: int) -> None:
    line = b"1;2,5;3\n"
    head = line * (quote_at // len(line))
    padding = b'1;2,5;"' + b"x" * (quote_at - len(head)) + b'\n;,\n"\n'

    found = rows(head + padding + line * 3)

    assert {len(row) for row in found} == {3}


@pytest.mark.parametrize(
    ("text", "nulls", "expected"),
    [
        ('1,\\N\n2,"a\\"b"\n3,N\n', ("\\N",), [None, 'a"b', "N"]),
        ('1,\\N\n2,"\\N"\n3,x\\,\\N\n', ("\\N",), [None, "N", "x,N"]),
        ("1,NA\n2,\\NA\n3,N\\A\n", ("NA",), [None, "NA", "NA"]),
        ('1,NULL\n2,"x,NULL,y"\n3,\n', ("NULL",), [None, "x,NULL,y", None]),
        ('1,NULL\n2,"NULL"\n3,NULLS\n', ("NULL", "NULLS"), [None, "NULL", None]),
    ],
)
def test_null_values_are_compared_with_the_field_as_it_is_written(
    text: str, nulls: tuple[str, ...], expected: list[str | None]
) -> None:
    data = converted(text.encode(), "csv", "parquet", has_headers=False, escape="\\", null_values=nulls)

    assert table(data).column(1).to_pylist() == expected


def test_all_rows_that_are_alike_are_said_to_be() -> None:
    assert "every row has 1 field more than the header" in str(refusal(b"a,b\n1,2,3\n4,5,6\n"))
    assert "“1\\t”" in str(refusal(b"a,b\n1\t\n"))
    assert "1 field where 2 are expected" in str(refusal(b"a,b\n1,2\n3\n"))
    assert "3 fields where 1 is expected" in str(refusal(b"a\n1,2,3\n4\n"))


ESCAPED = b'id,v\n1,"a\\"b, c"\n2,plain\n'
"""Quotes alone say that this file has backslash escapes."""


@pytest.mark.parametrize("unsure", ["\\N", "C:\\temp", "a\\tb", "\\0", '"\\N"', "\\\\\\N"])
def test_a_found_escape_before_a_letter_is_refused(unsure: str) -> None:
    """A null marker, a path and a tab would lose their backslash without a word."""
    error = refusal(ESCAPED + f"3,{unsure}\n".encode() + b"4,x\n" * 3)

    assert isinstance(error, AmbiguousDialect)
    assert (error.row, error.byte) == (3, len(ESCAPED))
    assert "can be read in more ways than one" in str(error)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"null_values": ("\\N",)}, ['a"b, c', "plain", None]),
        ({"escape": "\\"}, ['a"b, c', "plain", "N"]),
    ],
)
def test_what_the_refusal_of_an_escape_advises_reads_the_file(
    options: dict[str, Any], expected: list[str | None]
) -> None:
    assert table(converted(ESCAPED + b"3,\\N\n", "csv", "parquet", **options)).column(1).to_pylist() == expected


def test_an_escaped_escape_or_sign_is_sure() -> None:
    data = ESCAPED + b"3,C:\\\\temp\\, here\n"

    assert table(converted(data, "csv", "parquet")).column(1).to_pylist() == ['a"b, c', "plain", "C:\\temp, here"]


def test_a_row_with_an_unsure_escape_is_put_aside_alone() -> None:
    read = converted(ESCAPED + b"3,\\N\n4,x\n", "csv", "csv", bad_rows=BadRows.QUARANTINE)

    assert read.splitlines()[1:] == [b'1,"a""b, c"', b"2,plain", b"4,x"]
