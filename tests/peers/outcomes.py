"""What became of an input's values: read the target back exactly, and hold it against what the source says."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.peers.inputs import Input, json_text
from tests.peers.tools import convert

KEPT, REFUSED = "kept", "refused"
UNREADABLE = "kept in a form that pyarrow does not read"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)")
_SHOWN = 40


def outcome(tool: str, given: Input, folder: Path) -> str:
    """``kept``, ``refused``, or what became of the first value that changed."""
    source, target = folder / f"source.{given.extension}", folder / f"{tool}.parquet"
    given.write(source)
    if convert(tool, source, target):
        return REFUSED
    try:
        read = pq.ParquetFile(target).read()
    except pa.ArrowNotImplementedError:
        return UNREADABLE
    return _judged(given, read)


def _judged(given: Input, read: pa.Table) -> str:
    for name, said in given.columns.items():
        at = read.column_names.index(name) if name in read.column_names else None
        if at is None:
            return f"there is no {_short(name)}" + (
                f": {', '.join(map(_short, read.column_names))}" if given.renamed else ""
            )
        if changed := _first_change(said, read.column(at), is_json=given.extension == "jsonl"):
            return changed
    return f"{KEPT} as {', '.join(map(json_text, read.column_names))}" if given.renamed else KEPT


def _first_change(said: Sequence[str | None], column: pa.ChunkedArray, *, is_json: bool) -> str:
    if len(column) != len(said):
        return f"{len(column):,} rows of {len(said):,}"
    texts = _texts(column, said, is_json=is_json)
    for expected, found in zip(said, texts, strict=True):
        if _form(expected) != _form(found):
            return f"{_shown(expected)} → {_shown(found)}"
    return ""


def _texts(column: pa.ChunkedArray, said: Sequence[str | None], *, is_json: bool) -> list[str | None]:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0)
    texts = [_text(value, values.type) for value in _plain(values)]
    bare = not any(text and re.fullmatch(r"-?\d+\.0", text) for text in said)
    if pa.types.is_floating(values.type) and bare:  # a double of whole numbers alone may be printed without a point
        texts = [text and text.removesuffix(".0") for text in texts]
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    all_text = all(text is None or text.startswith('"') for text in said)
    return [_as_json(text) for text in texts] if is_json and is_text and all_text else texts


def _as_json(text: str | None) -> str | None:
    return None if text is None else json.dumps(text)


def _plain(values: pa.Array) -> list[Any]:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        zone = values.type.tz
        naive = (
            values.cast(pa.timestamp(values.type.unit, "UTC")).cast(pa.timestamp(values.type.unit)) if zone else values
        )
        mark = {None: "", "UTC": "Z", "+00:00": "Z"}.get(zone, f" {zone}")
        return [None if text is None else f"{text}{mark}" for text in naive.cast(pa.string()).to_pylist()]
    if pa.types.is_temporal(values.type) and not pa.types.is_duration(values.type):
        return values.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    return values.to_pylist()  # type: ignore[no-any-return]


def _text(value: Any, kind: pa.DataType) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return f"base64 {base64.b64encode(value).decode()}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value)
    if pa.types.is_map(kind):
        return json_text(dict(value))
    return json_text(value)


def _form(text: str | None) -> str | None:
    """A time's text without what says nothing: its separator, and zeros at the end of its fraction."""
    match = _TIME.fullmatch(text) if text else None
    if match is None:
        return text
    fraction = (match[3] or "").rstrip("0")
    return f"{match[1]} {match[2]}.{fraction}{match[4]}"


def _short(text: str) -> str:
    return f"`{text}`" if len(text) <= _SHOWN else f"`{text[:_SHOWN]}…`"


def _shown(text: str | None) -> str:
    return "missing" if text is None else _short(text) if text else "empty"
