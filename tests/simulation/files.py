"""The files that users write, by their keys: CSV, lines of JSON, or with members: an archive, a workbook of sheets."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache

from tests.unit.engine.formats.workbooks import grid, xlsx

HEADER = b"id,part,version\n"
PARTS = "xyz"
_ROWS = "rows.json"
"""A part of each workbook that says what its sheets hold, to be known without reading their cells."""
_BAD_CELL = ' t="e"><v>#DIV/0!</v>'


def to_file(key: str, rows: Sequence[str], harm: bytes = b"") -> bytes:
    """A file of rows such as ``1,x,7``; a row of two fields is a bad one. ``harm`` is a row as it is."""
    if key.endswith(".zip"):
        return _to_archive(rows, harm)
    if key.endswith(".xlsx"):
        return _to_workbook(_to_sheets(rows), harm)
    if key.endswith(".jsonl"):
        return "".join(map(_to_json_line, rows)).encode() + harm
    return HEADER + "".join(f"{row}\n" for row in rows).encode() + harm


def _to_json_line(row: str) -> str:
    fields = row.split(",")
    if len(fields) != 3:
        return f'{{"id":{fields[0]}\n'
    return f'{{"id":{fields[0]},"part":"{fields[1]}","version":{fields[2]}}}\n'


def _to_archive(rows: Sequence[str], harm: bytes) -> bytes:
    """An archive in which the rows of part ``x`` are the member ``x.csv``; nothing is compressed."""
    members = {f"{part}.csv": to_file(f"{part}.csv", of_part, harm) for part, of_part in _by_part(rows).items()}
    return _pack(members)


def _by_part(rows: Sequence[str]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for row in sorted(rows, key=_part_of):
        parts.setdefault(_part_of(row), []).append(row)
    return parts


def _part_of(row: str) -> str:
    return row.split(",")[1]


def _pack(files: Mapping[str, bytes]) -> bytes:
    """A zip in which nothing is compressed, of the same bytes whenever it is made."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()


@dataclass(frozen=True, slots=True)
class WrittenSheet:
    """A sheet of a user's workbook; None as its rows: it has no cells."""

    name: str
    rows: Sequence[str] | None
    is_shown: bool = True

    @property
    def is_table(self) -> bool:
        """Whether it is one of the workbook's tables."""
        return self.is_shown and self.rows is not None

    def to_cells(self) -> dict[str, str]:
        """The cells; in a row of two fields the third cannot be calculated."""
        if self.rows is None:
            return {}
        cells = grid(tuple(HEADER.decode().strip().split(",")))
        for number, row in enumerate(self.rows, 2):
            fields = row.split(",")
            values = (int(fields[0]), fields[1], *map(int, fields[2:]))
            of_row = {name.replace("1", str(number)): inside for name, inside in grid(values).items()}
            cells |= {f"C{number}": _BAD_CELL} | of_row
        return cells


def _to_sheets(rows: Sequence[str]) -> list[WrittenSheet]:
    """The sheets of one version: the rows of part ``x`` are in ``x``, or in ``x renamed``.

    A part without rows has no sheet or an empty one, and there may be a hidden one; the first may be any of them.
    """
    version = max(int(field) for row in rows for field in row.split(",") if field.isdigit())
    parts, ending = _by_part(rows), "" if version % 3 else " renamed"
    sheets = [WrittenSheet(f"{part}{ending}", of_part) for part, of_part in parts.items()]
    if version % 2:
        sheets += [WrittenSheet(part, None) for part in PARTS if part not in parts]
    if version % 5 == 0:
        sheets.append(WrittenSheet("notes", ["1,w,0"], is_shown=False))
    first = version % len(sheets)
    return [*sheets[first:], *sheets[:first]]


def _to_workbook(sheets: Sequence[WrittenSheet], harm: bytes) -> bytes:
    cells = {sheet.name: sheet.to_cells() for sheet in sheets}
    hidden = {sheet.name: "hidden" for sheet in sheets if not sheet.is_shown}
    with zipfile.ZipFile(io.BytesIO(xlsx(cells, hidden))) as workbook:
        parts = {name: workbook.read(name) for name in workbook.namelist()}
    said = json.dumps([astuple(sheet) for sheet in sheets]).encode()
    return _pack({**parts, _ROWS: said, "harm.csv": harm})


@lru_cache(maxsize=20_000)
def sheets_in(workbook: bytes) -> tuple[WrittenSheet, ...]:
    """What the sheets of a user's workbook hold, in their order."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as package:
        return tuple(WrittenSheet(*fields) for fields in json.loads(package.read(_ROWS)))


def rows_of_sheet(workbook: bytes, sheet: str | None) -> Sequence[str]:
    """The rows of the sheet of that name, or of that number."""
    sheets = sheets_in(workbook)
    named = {str(number): written for number, written in enumerate(sheets, 1)}
    named |= {written.name: written for written in sheets}
    return named[str(sheet)].rows or ()


def from_json_line(line: str) -> str:
    """The row of a line of JSON, as its CSV has it; a bad one has less than three fields."""
    try:
        fields = json.loads(line)
    except ValueError:
        return ""
    return f"{fields['id']},{fields['part']},{fields['version']}"
