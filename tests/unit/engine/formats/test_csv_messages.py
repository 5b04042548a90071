"""What a refusal says: the row's text, whether all rows are alike, and the option by the name that it has there."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine.options import Face, Quotes
from millrace.errors import DataError
from tests.unit.engine.formats.builders import converted


def message(data: bytes, **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        converted(data, "csv", "json", **options)
    return str(refused.value)


RAGGED = b"a,b\n1,2\n3\n4,5\n"
STRAY = b'a,b\n1,"x, y"\n2,"say "hi" now"\n'
TWO_WAYS = b"1,a;b\n2,c;d\n"
NO_TEXT = b"a,b\n1,\xff\n"
ALL_ALIKE = b"a,b\n1,2,3\n4,5,6\n"


@pytest.mark.parametrize(
    ("data", "face", "advice"),
    [
        (RAGGED, Face.CONFIGURATION, "put bad rows aside with bad_rows: quarantine"),
        (RAGGED, Face.COMMAND, "put bad rows aside with convert --quarantine FILE"),
        (STRAY, Face.CONFIGURATION, "csv_quotes: lenient keeps such characters, csv_quote: none reads"),
        (STRAY, Face.COMMAND, "--quotes lenient keeps such characters, --quote none reads"),
        (STRAY, Face.JOB, '"quotes": lenient keeps such characters, "quote": none reads'),
        (TWO_WAYS, Face.CONFIGURATION, "say which with csv_delimiter"),
        (TWO_WAYS, Face.COMMAND, "say which with --delimiter"),
        (TWO_WAYS, Face.JOB, 'say which with "delimiter"'),
        (NO_TEXT, Face.CONFIGURATION, "say which encoding the file has with csv_encoding"),
        (NO_TEXT, Face.COMMAND, "say which encoding the file has with --encoding"),
        (ALL_ALIKE, Face.CONFIGURATION, "drop the lines above it with skip_lines"),
        (ALL_ALIKE, Face.COMMAND, "drop the lines above it with --skip-lines"),
    ],
)
def test_an_option_has_the_name_that_it_has_where_the_message_is_read(data: bytes, face: Face, advice: str) -> None:
    assert advice in message(data, face=face, has_headers=data is not TWO_WAYS)


def test_a_job_is_not_advised_to_put_rows_aside_which_it_cannot_say() -> None:
    assert message(RAGGED, face=Face.JOB).endswith("; mend the row")


def test_only_what_reads_the_row_is_advised() -> None:
    assert "--quote" not in message(b'a,b\n1,"x, "y" z"\n2,"p, q"\n', face=Face.COMMAND).replace("--quotes", "")
    assert "csv_escape: backslash" not in message(STRAY)
    text = b'a,b,c\n1,"x, y",z\n"2","say \\"hi\\", now","p"x\n' + b'1,"x, y",z\n' * 9
    assert "mend the row" in message(text)


def test_a_line_of_totals_or_a_comment_is_taken_for_one() -> None:
    assert "drop it with csv_skip_footer: 1" in message(b"a,b\n1,2\n3,4\nTotal\n")
    assert "csv_skip_footer" not in message(b"a,b\n1,2\nTotal\n3,4\n")
    assert "set csv_comment: '#'" in message(b"a,b\n1,2\n# old\n3,4\n")


@pytest.mark.slow
def test_all_rows_that_are_alike_are_said_to_be_with_or_without_a_header() -> None:
    assert "every row has 1 field more than the header" in message(ALL_ALIKE)
    assert "every row has 1 field fewer than the first" in message(b"a,b,c\n1,2\n3,4\n", has_headers=False)
    many = b"a,b\n" + b"1,2,3\n" * 1_000_000
    assert "rows have 1 field more than the header" in message(many)


def test_the_row_is_shown_up_to_80_characters_and_escaped() -> None:
    assert "“3\\t\\x07”" in message(b"a,b\n1,2\n3\t\x07\n")
    assert f"“{'x' * 80}…”" in message(b"a,b\n1,2\n" + b"x" * 100 + b"\n")


def test_an_open_quote_is_refused_with_a_way_out() -> None:
    assert "csv_quote: none" in message(b'a,b\n1,"x\n', quotes=Quotes.LENIENT)
