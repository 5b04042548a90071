"""Comments, footers and marks of a file's end: none of them is a row, and errors keep the file's rows and lines."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from typing import Any

import pytest

from millrace.engine.formats.csv.endings import FooterlessText
from millrace.engine.options import BadRows, Compression
from millrace.errors import DataError, InvalidConfiguration, RaggedRow, TooBig
from tests.unit.engine.formats.builders import conversion, converted, small_work, table

AB = [["a", "b"], ["1", "x"], ["2", "y"]]


def read(data: bytes, **options: Any) -> list[list[str | None]]:
    """The names, and the rows as text."""
    rows = table(converted(data, "csv", "parquet", **{"infer_types": False, **options}))
    return [rows.schema.names, *(list(row.values()) for row in rows.to_pylist())]


END_MARKS = ["\x1a", "\x1a\n", "\0\0\0", "   ", "   \n", " \n\n", "\n\n  \t\n\x1a", "\0\n\x1a\n"]


@pytest.mark.slow
@pytest.mark.parametrize("mark", END_MARKS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "|"])
@pytest.mark.parametrize("size", [4, 9, 2**20])
def test_a_mark_of_the_end_is_no_row(mark: str, line_end: str, delimiter: str, size: int) -> None:
    text = ("a,b\n1,x\n2,y\n".replace(",", delimiter) + mark).replace("\n", line_end)

    assert read(text.encode(), work=small_work(size)) == AB


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252", "utf-8-sig"])
def test_a_mark_of_the_end_is_no_row_in_any_encoding(encoding: str) -> None:
    assert read("a,b\n1,x\n2,y\n\x1a".encode(encoding), encoding=encoding) == AB


def test_a_mark_of_the_end_is_no_row_in_a_compressed_file() -> None:
    data = b"a,b\n1,x\n2,y\n\x1a"

    assert read(gzip.compress(data), compression=Compression.GZIP) == AB
    assert read(bz2.compress(data), compression=Compression.BZIP2) == AB


def test_tabs_alone_are_a_row_of_empty_fields_where_tabs_divide() -> None:
    assert read(b"a\tb\tc\n1\t2\t3\n\t\t\n") == [["a", "b", "c"], ["1", "2", "3"], [None, None, None]]


def test_blanks_are_a_value_of_a_single_column() -> None:
    assert read(b"a\n1\n  \n") == [["a"], ["1"], ["  "]]
    assert read(b"a\n1\n\x1a") == [["a"], ["1"]]


@pytest.mark.parametrize("data", [b"\x1a", b"  \n", b"\0\0\0\0", b"\n\n\x1a"])
def test_marks_of_the_end_alone_are_an_empty_file(data: bytes) -> None:
    assert read(data) == [[]]


def test_a_mark_within_the_rows_is_a_row() -> None:
    with pytest.raises(RaggedRow):
        read(b"a,b\n1,x\n\x1a\n2,y\n")


def test_a_value_of_blanks_in_the_last_row_stays() -> None:
    assert read(b"a,b\n1,   \n") == [["a", "b"], ["1", "   "]]
    assert read(b"a,b\n1,  ") == [["a", "b"], ["1", "  "]]
    assert read(b'a,b\n1,"x\n  "\n') == [["a", "b"], ["1", "x\n  "]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("size", [5, 13, 2**20])
def test_comments_are_no_rows(line_end: str, encoding: str, size: int) -> None:
    text = '#Version "1\n\n# é, b\na,b\n#\n1,x\n#"quoted, and "open\n2,y\n#end'.replace("\n", line_end)

    assert read(text.encode(encoding), comment="#", encoding=encoding, work=small_work(size)) == AB


def test_a_comment_may_begin_with_several_characters() -> None:
    assert read(b"-- x\na,b\n1,x\n-- y\n2,y\n", comment="--") == AB


def test_a_comment_is_a_whole_line_and_not_the_end_of_one() -> None:
    assert read(b'a,b\n1,x # y\n2,"\n# y"\n', comment="#") == [["a", "b"], ["1", "x # y"], ["2", "\n# y"]]


def test_comments_leave_the_rows_and_lines_of_errors() -> None:
    text = "# a\nid,n\n" + "1,2\n" * 100 + "# b\n3\n"

    done = conversion(text.encode(), "csv", "json", bad_rows=BadRows.QUARANTINE, comment="#", work=small_work(64))

    assert done.quarantine is not None
    bad = json.loads(done.quarantine.getvalue())
    assert (bad["row"], bad["line"], bad["byte"], bad["raw"]) == (101, 104, len(text) - 2, "3")


def test_a_file_of_comments_alone_is_empty() -> None:
    assert read(b"# a\n# b\n" * 30_000, comment="#") == [[]]


@pytest.mark.parametrize("comment", ["#\n", ";x"])
def test_a_comment_that_cannot_be_one_is_refused(comment: str) -> None:
    with pytest.raises(InvalidConfiguration, match="comment"):
        read(b"a;b\n", comment=comment, delimiter=";")


FOOTERS = ["Total,2", "Total: 2 rows", 'Total "2', "Total,2\n\n\n", "Total,2\n\x1a", ""]


@pytest.mark.slow
@pytest.mark.parametrize("footer", FOOTERS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [3, 16, 2**20])
def test_a_footer_is_no_row(footer: str, line_end: str, size: int) -> None:
    text = f"a,b\n1,x\n2,y\n{footer}" if footer else "a,b\n1,x\n2,y\n3,z"

    assert read(text.replace("\n", line_end).encode(), skip_footer=1, work=small_work(size)) == AB


def test_a_footer_may_be_longer_than_a_line_and_than_the_file() -> None:
    assert read(b"a,b\n1,x\n2,y\n\nTotal,2\n", skip_footer=2) == AB
    assert read(b"a,b\n1,x\n2,y\n\nTotal,2\nEnd", skip_footer=3) == AB
    assert read(b"a,b\nTotal,2\n", skip_footer=5) == [[]]
    assert read(b"a,b\nTotal,2\n", skip_footer=1) == [["a", "b"]]


@pytest.mark.slow
def test_a_footer_of_a_large_file_is_held_back_alone() -> None:
    rows = b"".join(b"%d,x\n" % number for number in range(300_000))

    done = conversion(b"a,b\n" + rows + b"Total,300000\n", "csv", "json", skip_footer=1)

    assert done.parts[0].rows == 300_000


def test_a_footer_that_cuts_a_quoted_field_is_refused() -> None:
    with pytest.raises(DataError):
        read(b'a,b\n1,"x\ny"\n', skip_footer=1)


def test_a_footer_as_long_as_the_memory_allows_is_the_longest() -> None:
    class Zeros(io.RawIOBase):
        start = 0

        def read(self, size: int = -1) -> bytes:
            return b"\0" * size

    with pytest.raises(TooBig, match="footer"):
        FooterlessText(Zeros(), 1, most=2**16).read(2**12)


@pytest.mark.parametrize("text", ["a,b\n1,x\\", "a,b\\", "a,b\n1,x\\\\\\"])
def test_an_escape_of_nothing_at_the_end_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        read(text.encode(), escape="\\")


def test_an_escaped_escape_at_the_end_is_a_value() -> None:
    assert read(b"a,b\n1,x\\\\", escape="\\") == [["a", "b"], ["1", "x\\"]]
    assert read(b"a,b\\\n\n1,x\n", escape="\\")[0] == ["a", "b\n"]
