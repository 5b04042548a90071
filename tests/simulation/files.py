"""The files that users write, by their keys: CSV, lines of JSON, or an archive with a member for each part."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence

HEADER = b"id,part,version\n"


def to_file(key: str, rows: Sequence[str], harm: bytes = b"") -> bytes:
    """A file of rows such as ``1,x,7``; a row of two fields is a bad one. ``harm`` is a row as it is."""
    if key.endswith(".zip"):
        return _to_archive(rows, harm)
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
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.split(",")[1], []).append(row)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part, rows_of_part in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(f"{part}.csv"), to_file(f"{part}.csv", rows_of_part, harm))
    return packed.getvalue()


def from_json_line(line: str) -> str:
    """The row of a line of JSON, as its CSV has it; a bad one has less than three fields."""
    try:
        fields = json.loads(line)
    except ValueError:
        return ""
    return f"{fields['id']},{fields['part']},{fields['version']}"
