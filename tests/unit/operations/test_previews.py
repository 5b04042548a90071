"""The first rows of a file, as they are shown."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import TARGET_FORMATS, BadRows, FileFormat, ReadOptions, WriteOptions
from millrace.errors import MillraceError, TruncatedFile, UsageError
from millrace.operations.previews import MOST_CHARACTERS, MOST_COLUMNS, PREVIEW_ROWS, preview_file, read_quarantined
from tests.unit.engine.formats.builders import Memory


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


def test_an_empty_file_is_shown_as_one_without_columns() -> None:
    preview = preview_file(io.BytesIO(b""), "a.csv")

    assert (preview.names, preview.kinds, preview.cells, preview.columns) == ((), (), (), 0)


@pytest.mark.parametrize("name", TARGET_FORMATS)
def test_each_format_that_is_written_is_shown(name: FileFormat) -> None:
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    sink = Memory()
    writer = FORMATS[name].write(sink, schema, WriteOptions())
    writer.write(pa.RecordBatch.from_pylist([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}], schema=schema))
    writer.close()

    preview = preview_file(io.BytesIO(sink.getvalue()), "export", file_format=name)

    assert preview.cells == (("1", "Ada"), ("2", "Grace"))
    assert (preview.names, preview.columns, preview.notes) == (("id", "name"), 2, ())


def test_the_first_fifty_columns_are_shown_and_all_are_counted() -> None:
    header, row = ",".join(f"c{number}" for number in range(53)), ",".join(map(str, range(53)))
    preview = preview_file(io.BytesIO(f"{header}\n{row}\n".encode()), "a.csv")

    assert (preview.names[-1], len(preview.kinds), preview.columns) == ("c49", MOST_COLUMNS, 53)
    assert preview.cells == (tuple(map(str, range(MOST_COLUMNS))),)


def test_a_value_of_exactly_the_most_characters_is_whole() -> None:
    text = "x" * MOST_CHARACTERS
    rows = preview_file(io.BytesIO(f"a\n{text}\n{text}y\n".encode()), "a.csv").cells

    assert rows == ((text,), (text[:-1] + "…",))


def test_lists_and_structs_are_json_whatever_is_in_them() -> None:
    """A date and a decimal have no form in JSON: they are text there."""
    sink = io.BytesIO()
    nested = {"day": dt.date(2026, 11, 29), "sum": Decimal("1.50"), "is": False}
    pq.write_table(pa.table({"a": [nested], "b": [[1, None]], "c": [False]}), sink)

    (row,) = preview_file(io.BytesIO(sink.getvalue()), "a.parquet").cells

    assert row == ('{"day": "2026-11-29", "sum": "1.50", "is": false}', "[1, null]", "false")


def test_the_first_three_rows_that_are_put_aside_have_a_note() -> None:
    data = b"a,b\n1,2\n" + b"ragged\n" * 5
    preview = preview_file(
        io.BytesIO(data), "a", file_format=FileFormat.CSV, read=ReadOptions(bad_rows=BadRows.QUARANTINE)
    )

    assert preview.cells == (("1", "2"),)
    assert [note.partition(":")[0] for note in preview.notes] == [f"row {row} is put aside" for row in (2, 3, 4)]


@pytest.mark.parametrize("name", ["a.zip", "a.pdf", "noextension"])
def test_what_is_no_table_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(UsageError):
        preview_file(io.BytesIO(b"x"), name)


def test_what_cannot_be_read_says_why() -> None:
    with pytest.raises(MillraceError):
        preview_file(io.BytesIO(b"PAR1 no parquet"), "a.parquet")
    with pytest.raises(TruncatedFile):
        preview_file(io.BytesIO(b'{"a": \n'), "a.jsonl")


def test_of_quarantined_rows_the_first_are_shown_and_long_texts_are_cut() -> None:
    lines = [json.dumps({"line": number, "raw": "y" * (1999 + number)}) for number in range(5)]
    rows = read_quarantined(io.BytesIO("\n".join(lines).encode()), most=3)

    assert [row.line for row in rows] == [0, 1, 2]
    assert [row.raw for row in rows] == ["y" * 1999, "y" * 2000, "y" * 1999 + "…"]
    assert (rows[0].file, rows[0].row, rows[0].byte, rows[0].reason) == (None, None, None, "")


def test_a_line_that_is_no_json_is_left_out_and_those_behind_it_are_shown() -> None:
    rows = read_quarantined(io.BytesIO(b'{"line": 1}\nno json\n{"line": 3}\n'))

    assert [row.line for row in rows] == [1, 3]


def test_quarantined_rows_come_with_their_text_and_a_cut_line_is_left_out() -> None:
    good = json.dumps({"source": "a.csv", "line": 3, "row": 2, "byte": 9, "reason": "ragged", "raw": "y" * 5000})
    rows = read_quarantined(io.BytesIO(f'{good}\n{{"line": 4, "ro'.encode()))

    (row,) = rows
    assert (row.file, row.line, row.row, row.byte, row.reason) == ("a.csv", 3, 2, 9, "ragged")
    assert (len(row.raw), row.raw[-1]) == (2000, "…")
