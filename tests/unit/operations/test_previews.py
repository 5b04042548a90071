"""The first rows of a file, as they are shown."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.options import FileFormat, ReadOptions
from millrace.errors import MillraceError, TruncatedFile, UsageError
from millrace.operations.previews import MOST_CHARACTERS, PREVIEW_ROWS, preview_file, read_quarantined


def test_rows_of_a_csv_are_read_as_conversion_reads_them() -> None:
    preview = preview_file(io.BytesIO(b"id,zip,note\n1,00501,\n"), "in/a.csv")

    assert (preview.names, preview.kinds) == (("id", "zip", "note"), ("int64", "text", "text"))
    assert preview.cells == (("1", "00501", None),)


def test_options_of_the_sync_count() -> None:
    preview = preview_file(
        io.BytesIO(b"a report\nid;zip\n1;2\n"),
        "export",
        file_format=FileFormat.CSV,
        read=ReadOptions(skip_lines=1, delimiter=";"),
    )

    assert preview.names == ("id", "zip")


def test_only_the_first_rows_are_shown() -> None:
    text = "a\n" + "".join(f"{number}\n" for number in range(1000))

    assert len(preview_file(io.BytesIO(text.encode()), "a.csv").cells) == PREVIEW_ROWS


def test_nested_values_are_json_and_long_ones_are_cut() -> None:
    line = json.dumps({"a": {"b": [1, "ü"]}, "c": "x" * 500, "d": True}) + "\n"
    (row,) = preview_file(io.BytesIO(line.encode()), "a.jsonl").cells

    assert row[1] == "x" * (MOST_CHARACTERS - 1) + "…"
    assert row[2] == "true"
    assert "ü" in str(row[0])


def test_parquet_is_shown_with_its_types() -> None:
    sink = io.BytesIO()
    table = pa.table({"a": pa.array([1, None], pa.int32()), "b": pa.array([b"\xff", None])})
    pq.write_table(table, sink)
    sink.seek(0)

    preview = preview_file(sink, "a.parquet")

    assert preview.kinds[0] == "int32"
    assert preview.cells == (("1", "/w=="), (None, None))


def test_a_file_without_rows_has_columns_all_the_same() -> None:
    preview = preview_file(io.BytesIO(b"a,b\n"), "a.csv")

    assert (preview.names, preview.cells) == (("a", "b"), ())


@pytest.mark.parametrize("name", ["a.zip", "a.pdf", "noextension"])
def test_what_is_no_table_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UsageError):
        preview_file(io.BytesIO(b"x"), name)


def test_what_cannot_be_read_says_why() -> None:
    with pytest.raises(MillraceError):
        preview_file(io.BytesIO(b"PAR1 no parquet"), "a.parquet")
    with pytest.raises(TruncatedFile):
        preview_file(io.BytesIO(b'{"a": \n'), "a.jsonl")


def test_quarantined_rows_come_with_their_text_and_a_cut_line_is_left_out() -> None:
    good = json.dumps({"source": "a.csv", "line": 3, "row": 2, "byte": 9, "reason": "ragged", "raw": "y" * 5000})
    rows = read_quarantined(io.BytesIO(f'{good}\n{{"line": 4, "ro'.encode()))

    (row,) = rows
    assert (row.file, row.line, row.row, row.byte, row.reason) == ("a.csv", 3, 2, 9, "ragged")
    assert (len(row.raw), row.raw[-1]) == (2000, "…")
