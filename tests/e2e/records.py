"""Read a file's rows without Millrace's own readers, and compare what they say."""

from __future__ import annotations

import base64
import datetime
import gzip
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]


def read(key: str, content: bytes, *, skip_lines: int = 0) -> list[Row]:
    """The rows of a file, by its extension; in CSV a field that is not there is None and ``""`` is empty."""
    if key.endswith(".gz"):
        return read(key.removesuffix(".gz"), gzip.decompress(content), skip_lines=skip_lines)
    if key.endswith(".csv"):
        return csv_rows(content.decode().split("\n", skip_lines)[-1])
    return next(reader for extension, reader in _READERS.items() if key.endswith(extension))(content)


def csv_rows(text: str) -> list[Row]:
    """Rows of CSV, parsed by hand, because the standard library does not tell nothing from ``""``."""
    delimiter = max(",;\t|", key=text.partition("\n")[0].count)
    header, *rows = _csv_records(text, delimiter)
    names = [
        f"{name}#{header[:number].count(name)}" if name in header[:number] else name
        for number, name in enumerate(header)
    ]
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _csv_records(text: str, delimiter: str) -> list[list[str | None]]:
    records: list[list[str | None]] = [[]]
    position = 0
    while position < len(text):
        value, position = _csv_field(text, position, delimiter)
        records[-1].append(value)
        if text[position : position + 1] != delimiter:
            position += 2 if text.startswith("\r\n", position) else 1
            records.append([])
            continue
        position += 1
        if position == len(text) or text[position] in "\r\n":
            records[-1].append(None)
            position += 2 if text.startswith("\r\n", position) else 1
            records.append([])
    return [record for record in records if record]


def _csv_field(text: str, start: int, delimiter: str) -> tuple[str | None, int]:
    if not text.startswith('"', start):
        end = start
        while end < len(text) and text[end] not in f"{delimiter}\r\n":
            end += 1
        return text[start:end] or None, end
    end, value = start + 1, ""
    while True:
        quote = text.index('"', end)
        value += text[end:quote]
        if not text.startswith('""', quote):
            return value, quote + 1
        value, end = value + '"', quote + 2


def _json_lines(content: bytes) -> list[Row]:
    return [json.loads(line, parse_float=Decimal) for line in content.decode().split("\n") if line]


def _json_array(content: bytes) -> list[Row]:
    rows: list[Row] = json.loads(content, parse_float=Decimal)
    return rows


def _parquet(content: bytes) -> list[Row]:
    table = pq.read_table(io.BytesIO(content))
    rows: list[Row] = table.select([name for name in table.column_names if _fits_python(table[name])]).to_pylist()
    return rows


def _fits_python(column: pa.ChunkedArray) -> bool:
    """Whether Python's own dates, which end with the year 9999, can hold the column's."""
    try:
        column.to_pylist()
    except OverflowError:
        return False
    return True


_READERS: Mapping[str, Callable[[bytes], list[Row]]] = {
    ".jsonl": _json_lines,
    ".json": _json_array,
    ".parquet": _parquet,
}


def differences(source: Sequence[Row], target: Sequence[Row]) -> list[str]:
    """Every place where the target says something else than the source, at most ten; [] where they agree.

    Columns whose names the source has twice are compared by their position.
    """
    if len(source) != len(target):
        return [f"{len(source)} rows became {len(target)}"]
    if any("#" in name for name in (source or [{}])[0]):
        source, target = _by_position(source), _by_position(target)
    found = (
        f"row {number}, {name}: {said.get(name)!r} became {says.get(name)!r}"
        for number, (said, says) in enumerate(zip(source, target, strict=True), start=1)
        for name in {**said, **says}
        if not same(said.get(name), says.get(name))
    )
    return list(islice(found, 10))


def _by_position(rows: Sequence[Row]) -> list[Row]:
    return [{str(number): value for number, value in enumerate(row.values())} for row in rows]


def same(said: Any, says: Any) -> bool:
    """Whether two values say the same, each as its format says it."""
    match said, says:
        case None, _:
            return says is None or says == {} or (isinstance(says, dict) and not any(_there(v) for v in says.values()))
        case dict(), dict():
            return all(same(said.get(name), says.get(name)) for name in {**said, **says})
        case list(), list():
            return len(said) == len(says) and all(same(a, b) for a, b in zip(said, says, strict=True))
        case (dict() | list(), str()):
            return same(said, json.loads(says, parse_float=Decimal))
        case bytes(), str():
            return base64.b64encode(said).decode() == says
        case str(), str():
            # A field of mixed types becomes JSON text.
            return said == says or json.dumps(said, ensure_ascii=False) == says
        case bool(), bool():
            return said is says
        case (bool(), str()) | (str(), bool()):
            return str(said).lower() == str(says).lower()
        case (datetime.date() | datetime.datetime(), str()):
            return _moment(says) == _moment(said.isoformat())
        case (str(), datetime.date() | datetime.datetime()):
            return _moment(said) == _moment(says.isoformat())
        case (float(), _) | (_, float()):
            return _number(said) is not None and math.isclose(float(said), float(says), rel_tol=0, abs_tol=0)
        case (str(), int() | Decimal()) | (int() | Decimal(), str()):
            return _plain(said) == _plain(says)
    return bool(said == says)


def _there(value: Any) -> bool:
    return value not in (None, [], {})


def _moment(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
