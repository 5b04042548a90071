"""A delimiter at the end of every row makes no column if nothing is behind it in any; a value there is never lost."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from millrace.engine.explain.any_file import explain_file
from millrace.engine.options import BadRows, FileFormat, ReadOptions
from millrace.errors import RaggedRow
from tests.unit.engine.formats.builders import conversion, converted, small_work, table


def read(data: bytes, **options: Any) -> list[list[str | None]]:
    """The names, and the rows as text."""
    rows = table(converted(data, "csv", "parquet", **{"infer_types": False, **options}))
    return [rows.schema.names, *(list(row.values()) for row in rows.to_pylist())]


ROWS = [["a", "b", "c"], ["1", "x", "7"], ["2", "y", "8"]]


@pytest.mark.slow
@pytest.mark.parametrize("header", ["a,b,c", "a,b,c,"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [5, 2**20])
def test_a_trailing_delimiter_makes_no_column(header: str, delimiter: str, line_end: str, size: int) -> None:
    text = f"{header}\n1,x,7,\n2,y,8,\n".replace(",", delimiter).replace("\n", line_end)

    assert read(text.encode(), work=small_work(size)) == ROWS
    assert read(text.encode("utf-16"), work=small_work(size)) == ROWS
    assert read(text.encode(), delimiter=delimiter, quote="", escape="") == ROWS


def test_nor_does_it_in_a_file_without_a_header() -> None:
    assert read(b"1,x,\n2,y,\n", has_headers=False) == [["column_1", "column_2"], ["1", "x"], ["2", "y"]]


def test_the_only_row_of_a_file_without_a_header_may_have_an_empty_field() -> None:
    assert read(b"1,x,\n", has_headers=False)[1:] == [["1", "x", None]]


def test_nor_does_it_beside_quotes_comments_titles_and_marks_of_the_end() -> None:
    text = b'Report of March\na;b;c\n1;"x;\n";7;\n# z\n2;y;8;\n\x1a'

    assert read(text, comment="#") == [["a", "b", "c"], ["1", "x;\n", "7"], ["2", "y", "8"]]


def test_a_file_of_a_header_alone_may_end_in_a_delimiter() -> None:
    assert read(b"a,b,\n") == [["a", "b"]]


def test_a_single_column_has_one_only_if_the_delimiter_is_known() -> None:
    assert read(b"a\n1;\n2;\n", delimiter=";") == [["a"], ["1"], ["2"]]
    assert read(b"a;\n1;\n2;\n") == [["a"], ["1"], ["2"]]
    with pytest.raises(RaggedRow):
        read(b"note\nhello,\nbye,\n")


@pytest.mark.slow
@pytest.mark.parametrize("size", [16, 2**20])
def test_a_value_far_behind_keeps_the_column_that_the_header_leaves_without_a_name(size: int) -> None:
    text = b"a,b,\n" + b"1,x,\n" * 20_000 + b"2,y,z\n"

    rows = read(text, work=small_work(size))

    assert rows[0] == ["a", "b", "column_3"]
    assert (len(rows), rows[1], rows[-1]) == (20_002, ["1", "x", None], ["2", "y", "z"])


def test_an_empty_text_in_quotes_is_a_value() -> None:
    assert read(b'a,b,\n1,x,\n2,y,""\n')[0] == ["a", "b", "column_3"]


@pytest.mark.slow
@pytest.mark.parametrize(("row", "width"), [(b"2,y,8,9", 4), (b"2,y,8", 3), (b"2,y,", 3), (b"2,y,8,,", 5)])
def test_a_row_that_ends_otherwise_is_refused_with_its_place(row: bytes, width: int) -> None:
    text = b"a,b,c\n" + b"1,x,7,\n" * 20_000 + row + b"\n"

    with pytest.raises(RaggedRow, match=f"has {width} fields where 4 are expected, the last of them empty") as refused:
        read(text)

    assert (refused.value.row, refused.value.byte) == (20_001, len(text) - len(row) - 1)


@pytest.mark.slow
@pytest.mark.kernel
def test_or_put_aside() -> None:
    text = b"a,b,c\n" + b"1,x,7,\n" * 20_000 + b"2,y,8,9\n" + b"3,z,9,\n"

    done = conversion(text, "csv", "json", bad_rows=BadRows.QUARANTINE)

    assert done.quarantine is not None
    bad = json.loads(done.quarantine.getvalue())
    assert (bad["row"], bad["line"], bad["raw"], done.parts[0].rows) == (20_001, 20_002, "2,y,8,9", 20_001)


def test_a_text_that_means_missing_is_no_value() -> None:
    assert read(b"a,b,c\n1,x,7,\n2,y,8,\n" * 1 + b"3,z,9,\n", null_values=("NA",))[-1] == ["3", "z", "9"]
    big = b"a,b,c\n" + b"1,x,7,\n" * 20_000 + b"2,y,8,NA\n"
    assert read(big, null_values=("NA",))[-1] == ["2", "y", "8"]


def test_explain_says_so() -> None:
    explained = explain_file(io.BytesIO(b"a,b\n1,x,\n2,y,\n"), FileFormat.CSV, ReadOptions())

    facts = {fact.name: fact for fact in explained.content.facts}
    assert facts["trailing delimiter"].value == "in every line but the header"
    assert [column.name for column in explained.content.columns] == ["a", "b"]
