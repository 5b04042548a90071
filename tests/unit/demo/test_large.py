"""The rows of large objects are made the same every time, and a comparison notices whatever happened to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from millrace.demo.large import row_differences, write_large

ROWS = 200
Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[bytes, pa.Table]]:
    return {file.name: (file.read_bytes(), rows) for file, rows in write_large(tmp_path, 1, ROWS).items()}


def test_the_same_seed_makes_the_same_bytes(files: dict[str, tuple[bytes, pa.Table]], tmp_path: Path) -> None:
    again = {file.name: file.read_bytes() for file in write_large(tmp_path / "again", 1, ROWS)}
    other = {file.name: file.read_bytes() for file in write_large(tmp_path / "other", 2, ROWS)}

    assert again == {name: content for name, (content, _) in files.items()}
    assert all(other[name] != content for name, content in again.items())


@pytest.mark.parametrize("name", ["orders.csv", "events.jsonl", "stock.parquet"])
def test_each_file_holds_its_rows(files: dict[str, tuple[bytes, pa.Table]], name: str) -> None:
    content, rows = files[name]
    notes = rows.column("note")

    assert row_differences(rows, name, content) == []
    assert notes.null_count > 0
    assert pc.sum(pc.equal(notes, "")).as_py() > 0
    assert len(pc.unique(rows.column("id"))) == ROWS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "200 rows became 199, 199 of them distinct"),
        (lambda lines: [*lines[:-50], *lines[:50]], "row 151, id: 150 became 0"),
        (lambda lines: [*lines, lines[0]], "200 rows became 201, 200 of them distinct"),
        (lambda lines: [*lines[:7], lines[8], lines[7], *lines[9:]], "row 8, id: 7 became 8"),
        (lambda lines: [lines[0], lines[1].replace(b'"note": "', b'"note": "x'), *lines[2:]], "row 2, note: "),
        (lambda lines: [lines[0].replace(b"null", b'""'), *lines[1:]], "row 1, note: None became "),
        (lambda lines: [line.replace(b"note", b"Note") for line in lines], "note"),
    ],
    ids=["lost", "spliced", "doubled", "swapped", "altered", "null-became-empty", "renamed"],
)
def test_a_difference_is_noticed(files: dict[str, tuple[bytes, pa.Table]], change: Change, said: str) -> None:
    content, rows = files["events.jsonl"]
    changed = b"".join(change(content.splitlines(keepends=True)))

    found = row_differences(rows, "events.jsonl", changed)

    assert found
    assert said in found[0]
