"""A file with one more reading than meets the eye is refused with both, and each advice reads it."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine.options import Face
from millrace.errors import AmbiguousDialect
from tests.unit.engine.formats.builders import converted, table


def read(text: str, **options: Any) -> list[list[str | None]]:
    """The names, and the rows as text."""
    rows = table(converted(text.encode(), "csv", "parquet", infer_types=False, **options))
    return [rows.schema.names, *(list(row.values()) for row in rows.to_pylist())]


TABLE = [["id", "name"], ["1", "Ann"], ["2", "Bob"]]


@pytest.mark.parametrize("delimiter", ["^", "~", ":", "!", "\x01", "\x07", "\x1f"])
def test_a_rarer_delimiter_is_named_and_reads_the_file(delimiter: str) -> None:
    text = "id|name\n1|Ann\n2|Bob\n".replace("|", delimiter)

    with pytest.raises(AmbiguousDialect, match=r"2 fields: “1 \| Ann”.*\(1 field: .*csv_delimiter"):
        read(text)
    assert read(text, delimiter=delimiter) == TABLE


@pytest.mark.parametrize(
    "text",
    [
        "time\n12:30\n13:45\n",
        "note\nhello!\nbye!\n",
        "a^b\nc\n",
        "12:30\n13:45\n",
        "2^8\n",
        "id\n1\n",
        "~/a\n~/b\n",
    ],
)
def test_one_column_of_values_with_such_characters_is_one_column(text: str) -> None:
    has_headers = text[0].isalpha()

    assert all(len(row) == 1 for row in read(text, has_headers=has_headers))


@pytest.mark.parametrize("has_headers", [True, False])
def test_numbers_in_two_columns_or_with_a_decimal_comma(*, has_headers: bool) -> None:
    text = "1,50\n2,75\n-13,05\n"

    with pytest.raises(AmbiguousDialect, match=r"2 fields: “2 \| 75”.*\(1 field: “2,75”"):
        read(text, has_headers=has_headers)
    assert read(text, has_headers=False, delimiter=";")[1:] == [["1,50"], ["2,75"], ["-13,05"]]
    assert read(text, has_headers=False, delimiter=",")[1:] == [["1", "50"], ["2", "75"], ["-13", "05"]]


def test_numbers_of_other_lengths_are_two_columns() -> None:
    assert read("1,50\n2,7\n", has_headers=False)[1:] == [["1", "50"], ["2", "7"]]


@pytest.mark.parametrize("lines", [["2429,07", "1892,15;90546"], ["1892,15;90546", "2429,07"], ["7,5"] * 9 + ["7,5;3"]])
@pytest.mark.parametrize("has_headers", [True, False])
def test_a_cell_that_is_no_value_shows_another_delimiter(lines: list[str], *, has_headers: bool) -> None:
    """The comma gives each line two fields; by semicolon all are numbers, and a line lacks a field."""
    with pytest.raises(AmbiguousDialect, match=r"delimiter ','.* delimiter ';'"):
        read("\n".join(lines) + "\n", has_headers=has_headers)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_within_csv_is_refused(delimiter: str) -> None:
    text = '"id|name"\n"1|Ann"\n"2|Bob"\n'.replace("|", delimiter)

    with pytest.raises(AmbiguousDialect, match="each line is one field in quotes"):
        read(text)
    assert read(text, delimiter=",") == [[row.replace("|", delimiter)] for row in ("id|name", "1|Ann", "2|Bob")]
    assert read(text.replace(delimiter, delimiter + " "))[0] == [f"id{delimiter} name"], "prose"


PADDED = {
    "a title": ["Report;;;"],
    "two words": ["Sales report;;;"],
    "an empty line behind": ["Report;;;", ";;;"],
    "two lines": ["Report;;;", "March 2026;;;"],
    "names and values": ["Customer;ACME;;", "Created;2026-03-01;;", ";;;"],
    "empty lines alone": [";;;", ";;;"],
    "a title in quotes": ['"Report; of March";;;'],
    "all in quotes": ['"Report";"";"";""'],
    "blanks": ["Report; ; ; "],
    "in the middle": [";;Report;"],
    "on the right": [";;;Report"],
}
BELOW = ["id;city;amount;x", "1;Ulm;2.50;a", "2;Rome;3.50;b"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PADDED)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_title_of_a_spreadsheet_is_no_row(name: str, delimiter: str, line_end: str) -> None:
    text = line_end.join((*PADDED[name], *BELOW, "")).replace(";", delimiter)

    assert read(text) == [row.split(";") for row in BELOW]
    assert read(text, delimiter=delimiter, quote='"', escape="") == [row.split(";") for row in BELOW]


def test_a_title_above_rows_that_end_in_a_delimiter() -> None:
    assert read("Report;;;\nid;a;b;\n1;2;3;\n4;5;6;\n") == [["id", "a", "b"], ["1", "2", "3"], ["4", "5", "6"]]


HEADERS = {
    "the first is named": "id;;;\n1;Ulm;2,50;a\n2;Rome;3,50;b\n",
    "the last is not named": "id;name;\n1;Ulm;2,50\n2;Rome;3,50\n",
    "the last of words is not named": "city;name;\nUlm;Ann;x\nRome;Bob;5\n",
    "the first is not named": ";name;amount\n1;Ulm;2,50\n2;Rome;3,50\n",
    "an index has no name": ";total units\na;low\nb;5\nc;6\n",
    "a trailing delimiter": "id;name;\n1;Ulm;\n2;Rome;\n",
    "the middle is not named": "id;;name\n1;x;Ann\n2;y;Bob\n",
    "a row of words lacks values, too": "id;name;\nA;Ann;\nB;Bob;x\n5;Eve;y\n6;Al;z\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lacks_names_is_a_header(name: str) -> None:
    first = HEADERS[name].partition("\n")[0].split(";")

    assert [said for said in read(HEADERS[name])[0] if said in first] == [said for said in first if said]
    assert len(read(HEADERS[name])) == HEADERS[name].count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "Report;;\nid;city;land\na;Ulm;DE\nb;Rome;IT\n",
        "name;;\nAnn;Ulm;x\nBob;Rome;5\n",
        "2026;;\nid;a;b\n1;2;3\n4;5;6\n",
    ],
)
def test_a_title_that_may_be_the_header_is_refused(text: str) -> None:
    """Words below do not say whether the first line is a title or the name of the first column."""
    with pytest.raises(AmbiguousDialect, match=r"title above .* names 1 of 3 fields: .*skip_lines: 1.*: false"):
        read(text)
    with pytest.raises(AmbiguousDialect, match=r"--skip-lines 1.* --no-headers"):
        read(text, face=Face.COMMAND)
    assert len(read(text, skip_lines=1)) == text.count("\n") - 1
    assert len(read(text, has_headers=False)) == text.count("\n") + 1


def test_rows_without_a_header_that_lack_values_stay() -> None:
    rows = "Ann;;\n1;2;3\n4;5;6\n"

    assert len(read(rows, has_headers=False)) == 4
    assert read("Readings of May;;\n2026-05-01;on;1\n2026-05-02;off;2\n", has_headers=False)[1:] == [
        ["2026-05-01", "on", "1"],
        ["2026-05-02", "off", "2"],
    ]


@pytest.mark.parametrize(
    ("delimiter", "shorter"),
    [("||", "|"), ("|^|", "|"), ("~|~", "|"), ("@|@", "|"), ("<|>", "|"), ("#;#", ";"), ("\t|\t", "\t"), (";~;", ";")],
)
def test_a_delimiter_of_several_characters_is_named_and_the_shorter_one_can_be_told(
    delimiter: str, shorter: str
) -> None:
    """One character of it divides each line, too: `1~|~Ann` would become `1~` and `~Ann`."""
    text = "id+name+city\n1+Ann+Rome\n2+Bob+\n".replace("+", delimiter)

    with pytest.raises(AmbiguousDialect, match=r"3 fields: “1 \| Ann \| Rome”.*csv_delimiter"):
        read(text)
    divided = [line.split(shorter) for line in text.splitlines()]
    rows = read(text, delimiter=shorter)[1:]
    assert [[cell or "" for cell in row] for row in rows] == divided[1:]


def test_a_delimiter_of_several_characters_divides_wide_rows_and_quoted_fields() -> None:
    wide = "".join("||".join(f"{row}c{column}" for column in range(300)) + "\n" for row in range(3))
    quoted = '"id"||"name"\n"1"||"Ann"\n'

    for text in (wide, quoted):
        with pytest.raises(AmbiguousDialect, match=r"'\|\|'"):
            read(text)


@pytest.mark.parametrize(
    "text",
    [
        "id||name\n1|a|Ann\n2||Bob\n",
        "id;;name\n1;;Ann\n",
        "id\t\tname\n1\t\tAnn\n",
        "id, name\n1, Ann\n",
        "id|note|name\n1|*|Ann\n2|*|Bob\n",
        "a~|b\n1|~2\n",
        "id|price\n1*|*2\n3|4\n",
        "'id'|'name'\n'1'|'Ann'\n",
        "[id],[name]\n[1],[Ann]\n",
    ],
)
def test_marks_beside_a_delimiter_in_some_rows_alone_are_values(text: str) -> None:
    delimiter = next(mark for mark in "|;\t," if mark in text)

    assert len(read(text)) == text.count("\n")
    assert len(read(text)[1]) == text.split("\n")[1].count(delimiter) + 1


@pytest.mark.parametrize(
    "text", ["1||Ann\n2||Bob\n", "<a@b.com>,<c@d.com>\n<e@f.com>,<g@h.com>\n", "-1.,-2.\n-3.,-4.\n"]
)
def test_without_a_header_more_marks_are_values(text: str) -> None:
    assert len(read(text, has_headers=False)) == 3
