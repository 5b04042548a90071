"""Fixed width: what is cut where, what a short line lacks, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.base import BadRow
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import (
    TARGET_FORMATS,
    BadRows,
    Compression,
    FileFormat,
    FixedField,
    ReadOptions,
    Trim,
    WorkSizes,
)
from millrace.errors import DataError, InvalidConfiguration, MisfitLine, TooBig, WrongEncoding
from tests.unit.engine.formats.builders import conversion, converted, small_work

LAYOUT = (
    FixedField(name="id", start=1, length=4),
    FixedField(name="name", start=5, length=6),
    FixedField(name="price", start=12, length=6),
)
ROWS = b"0001Ada   :  1.50\n0002Bob   : 12.25\n"


def rows_of(data: bytes, *, bad: list[BadRow] | None = None, **options: Any) -> list[dict[str, Any]]:
    given: dict[str, Any] = {"fixed_width": LAYOUT, "infer_types": False}
    read = ReadOptions(**given | options)
    aside = bad if bad is not None else []
    records = FORMATS[FileFormat.FIXED_WIDTH].read(io.BytesIO(data), read, report=aside.append)
    return [row for batch in records.batches for row in batch.to_pylist()]


def test_fields_are_cut_at_their_characters_and_lose_their_padding() -> None:
    assert rows_of(ROWS) == [
        {"id": "0001", "name": "Ada", "price": "1.50"},
        {"id": "0002", "name": "Bob", "price": "12.25"},
    ]


def test_types_are_those_that_all_values_have() -> None:
    """0001 stays text: as a number it would lose its zeros."""
    lines = converted(ROWS, "fixed_width", "json", fixed_width=LAYOUT).splitlines()

    assert json.loads(lines[0]) == {"id": "0001", "name": "Ada", "price": 1.5}
    assert b"1.50" in lines[0]


def test_a_type_that_is_demanded_is_kept_to() -> None:
    (row, *_) = rows_of(ROWS, column_types={"id": "integer"})

    assert row["id"] == 1


def test_a_value_that_has_not_the_demanded_type_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match="row 2 at byte 18: 'Bob'") as refused:
        rows_of(ROWS.replace(b"Ada", b" 12"), column_types={"name": "integer"})

    assert refused.value.row == 2


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_ends_a_line(end: bytes) -> None:
    assert rows_of(ROWS.replace(b"\n", end)) == rows_of(ROWS)


def test_a_last_line_needs_no_line_end_if_it_is_complete() -> None:
    assert rows_of(ROWS.rstrip(b"\n")) == rows_of(ROWS)


def test_what_a_short_line_lacks_is_missing() -> None:
    assert rows_of(b"0001\n0002Bo\n") == [
        {"id": "0001", "name": None, "price": None},
        {"id": "0002", "name": "Bo", "price": None},
    ]


def test_a_short_last_line_without_its_end_may_be_cut_off() -> None:
    with pytest.raises(MisfitLine, match=r"row 2 at byte 18 has 16 characters and no line end, where 17 .*whole"):
        rows_of(ROWS[:-2])


@pytest.mark.parametrize("end", [b"\x1a", b"\x00\x00\x00\n", b"   \n", b"\n\n", b"\r\n"])
def test_blank_lines_and_what_fills_a_last_block_are_no_rows(end: bytes) -> None:
    assert rows_of(ROWS + end) == rows_of(ROWS)


def test_blanks_are_missing_and_null_values_too() -> None:
    assert rows_of(b"0001      :   N/A\n", null_values=("N/A",)) == [{"id": "0001", "name": None, "price": None}]


@pytest.mark.parametrize(("trim", "value"), [(Trim.BOTH, "a b"), (Trim.RIGHT, " a b"), (Trim.NONE, " a b  ")])
def test_padding_is_what_the_field_says(trim: Trim, value: str) -> None:
    field = FixedField(name="text", start=2, length=6, trim=trim)

    assert rows_of(b"x a b  x\n", fixed_width=(field,)) == [{"text": value}]
    assert rows_of(b"x a b  x", fixed_width=(field,)) == [{"text": value}]


def test_tabs_are_no_padding() -> None:
    field = FixedField(name="text", start=1, length=3)

    assert rows_of(b"\ta \n", fixed_width=(field,)) == [{"text": "\ta"}]


def test_positions_count_characters_in_any_encoding() -> None:
    text = "0001Zoé   :  1.50\n"
    expected = [{"id": "0001", "name": "Zoé", "price": "1.50"}]

    assert rows_of(text.encode()) == expected
    assert rows_of(text.encode("latin-1"), encoding="latin-1") == expected
    assert rows_of(text.encode("utf-16")) == expected


def test_lines_of_one_number_of_bytes_but_not_of_characters_are_refused() -> None:
    """They are padded by bytes: every field behind the é would be cut one character too far to the left."""
    with pytest.raises(MisfitLine, match=r"each of 3 lines has 18 bytes, and from 17 to 18 characters"):
        rows_of("0001Zoé  :  1.50x\n0002Bob   :  1.50x\n0003Eve   :  1.50x\n".encode())


def test_a_byte_that_is_no_text_is_refused_with_its_place() -> None:
    with pytest.raises(WrongEncoding, match="0xe9 at offset 24") as refused:
        rows_of(ROWS.replace(b"Bob", b"B\xe9b").replace(b"0002B", b"0002 B"))

    assert (refused.value.row, refused.value.byte) == (2, 24)


def test_bad_lines_are_put_aside_with_their_text_and_counted() -> None:
    bad: list[BadRow] = []
    data = b"\n" + ROWS[:18] + b"0\xff02Bob\n" + ROWS[18:]

    assert len(rows_of(data, bad=bad, bad_rows=BadRows.QUARANTINE)) == 2
    assert [(one.line, one.row, one.byte) for one in bad] == [(3, 2, 19)]
    assert bad[0].raw_base64 is not None


def test_rows_add_up_when_some_are_put_aside() -> None:
    done = conversion(ROWS + b"\xff\n", "fixed_width", "csv", fixed_width=LAYOUT, bad_rows=BadRows.QUARANTINE)

    assert (done.rows.read, done.rows.written, done.rows.quarantined) == (3, 2, 1)


@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_it_becomes_every_format(target: FileFormat) -> None:
    assert conversion(ROWS, "fixed_width", target, fixed_width=LAYOUT).rows.written == 2


def test_it_is_read_compressed() -> None:
    assert rows_of(gzip.compress(ROWS), compression=Compression.GZIP) == rows_of(ROWS)


def test_lines_before_the_rows_are_skipped() -> None:
    assert rows_of(b"REPORT 7\n" + ROWS, skip_lines=1) == rows_of(ROWS)


def test_an_empty_file_has_columns_and_no_rows() -> None:
    assert converted(b"", "fixed_width", "csv", fixed_width=LAYOUT) == b"id,name,price\n"


def test_names_that_are_given_twice_are_numbered() -> None:
    fields = (FixedField(name="a", start=1, length=1), FixedField(name="a", start=2, length=1))

    assert rows_of(b"xy\n", fixed_width=fields) == [{"a": "x", "a_2": "y"}]


def test_without_a_layout_it_is_not_read() -> None:
    with pytest.raises(InvalidConfiguration, match="fixed_width: a file of fixed width has no header"):
        rows_of(ROWS, fixed_width=())


def test_fields_may_not_share_a_character() -> None:
    fields = (FixedField(name="b", start=4, length=2), FixedField(name="a", start=1, length=4))

    with pytest.raises(InvalidConfiguration, match=r"'b' starts at character 4, inside of 'a', which has 1 to 4"):
        rows_of(ROWS, fixed_width=fields)


def test_a_line_that_does_not_end_is_refused() -> None:
    with pytest.raises(TooBig, match="byte 0"):
        rows_of(b"x" * 2**20, work=WorkSizes(block=2**16, longest_record=2**17))


def test_blocks_of_any_size_give_the_same_rows() -> None:
    data = ROWS * 50 + b"0003\n" + ROWS * 50

    assert rows_of(data, work=small_work(64)) == rows_of(data)


def test_explain_shows_layout_and_gaps() -> None:
    read = ReadOptions(fixed_width=LAYOUT)

    content = explain_file(io.BytesIO(ROWS), FileFormat.FIXED_WIDTH, read).content

    assert content.error is None
    assert content.rows == 2
    assert [column.type for column in content.columns] == ["text", "text", "decimal(18,2)"]
    assert {fact.name: fact.value for fact in content.facts} == {
        "encoding": "utf-8",
        "layout": "id 1-4, name 5-10, price 12-17",
        "not read": "11-11",
    }


TEXTS = st.text(st.characters(exclude_characters=" \r\n\x00\x1a", exclude_categories=["Cs"]), min_size=1, max_size=6)


@pytest.mark.slow
@pytest.mark.kernel
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=20))
def test_whatever_is_padded_comes_back(values: list[tuple[str, str]]) -> None:
    fields = (FixedField(name="a", start=1, length=6), FixedField(name="b", start=8, length=6))
    lines = [f"{first:<6}|{second:>6}\n" for first, second in values]
    data = "".join(lines).encode("utf-16")

    assert rows_of(data, fixed_width=fields) == [{"a": first, "b": second} for first, second in values]
