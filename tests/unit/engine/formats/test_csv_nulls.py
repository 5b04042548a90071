"""What is missing and what is the empty text where quotes cannot say which."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine.options import BadRows
from tests.unit.engine.formats.builders import converted, small_work, table

UNLOADED = b"1|\\N|x\n2||y\n3|N|\\N\n"


def read(data: bytes, **options: Any) -> list[list[str | None]]:
    options = {"has_headers": False, "infer_types": False, "delimiter": "|", "quote": "", **options}
    return [list(row.values()) for row in table(converted(data, "csv", "parquet", **options)).to_pylist()]


@pytest.mark.parametrize("escape", ["", "\\"])
@pytest.mark.parametrize("nulls", [("\\N",), ("\\N", "n/a")])
@pytest.mark.parametrize("bad_rows", BadRows)
def test_a_null_marker_leaves_the_empty_text(escape: str, nulls: tuple[str, ...], bad_rows: BadRows) -> None:
    data = UNLOADED
    if bad_rows is BadRows.QUARANTINE:
        data += b"only one field\n"  # all rows of the block are then read one by one

    rows = read(data, escape=escape, null_values=nulls, bad_rows=bad_rows)

    assert rows == [["1", None, "x"], ["2", "", "y"], ["3", "N", None]]


@pytest.mark.parametrize("escape", ["", "\\"])
def test_the_empty_text_may_be_a_null_marker_too(escape: str) -> None:
    assert read(UNLOADED, escape=escape, null_values=("\\N", "")) == [
        ["1", None, "x"],
        ["2", None, "y"],
        ["3", "N", None],
    ]


def test_without_a_marker_or_with_quotes_nothing_is_missing() -> None:
    assert read(b"1||x\n") == [["1", None, "x"]]
    assert read(b'1|""|x\n2||NA\n', quote='"', null_values=("NA",)) == [["1", "", "x"], ["2", None, None]]


@pytest.mark.parametrize("text", ["\0null", "\0null\0", "null", "a\0nullb"])
def test_no_text_of_the_file_is_taken_for_a_mark(text: str) -> None:
    data = f"1|{text}|\\N\n2||y\n".encode()

    assert read(data, escape="\\", null_values=("\\N",)) == [["1", text, None], ["2", "", "y"]]
    assert read(data, escape="\\", null_values=("\\N",), work=small_work(8))[0] == ["1", text, None]


def test_empty_texts_behind_a_trailing_delimiter_make_no_column() -> None:
    assert read(b"1|a|\n2||\n3|\\N|\n", null_values=("\\N",)) == [["1", "a"], ["2", ""], ["3", None]]


def test_blank_lines_of_one_column_are_empty_texts() -> None:
    assert read(b"a\n\n\\N\nb\n", null_values=("\\N",)) == [["a"], [""], [None], ["b"]]
