"""What burns in ``test_under_fire``: small and large objects of four formats."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.configurations import bulk_sync, connection
from tests.e2e.killer_keys import KILLER_ENDING

SOURCE_BUCKET = "fire-source"
TARGET_BUCKET = "fire-target"
TARGETS = {"csv": "parquet", "jsonl": "csv", "json": "json", "parquet": "json-doc"}
"""Format that a source is read as, by the extension of its objects, which is its folder's name, too; and written as."""
_FILTERED = [{"field": "zip", "function": "Equality", "value": "00501"}]


def configuration(objects: int) -> dict[str, Any]:
    """A source and a sync a format, hidden folders shown; bad rows are set aside, one CSV table in twenty filtered."""
    told = {"create_bucket": True, "enable_event_notifications": True, "event_queue_arn": "managed"}
    shown = {"include": ["**", "**/.*/*", "**/_*/*"]}
    sources = [connection(name, f"s3://{SOURCE_BUCKET}/{name}", **told, **shown) for name in TARGETS]
    syncs = [
        bulk_sync(name, to=target, subfolder=name, source_connection=name, bad_rows="quarantine", on_delete="remove")
        for name, target in TARGETS.items()
    ]
    tables = [key(number).partition("/")[2].removesuffix(".csv") for number in range(0, objects, 80)]
    syncs[0]["schemas"] = [{"id": table, "filters": _FILTERED} for table in tables]
    syncs[0]["automatically_add_new_objects"] = "all"
    return {
        "connections": [*sources, connection("lake", f"s3://{TARGET_BUCKET}", create_bucket=True)],
        "bulk_syncs": syncs,
    }


LARGE = range(8, 1_900, 97)
"""These objects have 20 MB, in each format by turns."""
_LARGE_ROWS, _LARGE_NOTE_BYTES = 10_000, 1_000
KILLERS = (50, 1_051)
"""These end the process that opens them; see ``impatient``."""
_HOSTILE = range(3, 940, 19)
"""These have hostile keys."""
_HOSTILE_FOLDERS = (
    *("a b", " lead", "trail ", "trail.", "a+b", "+", "100%", "%2F", "%252e", "=&?#", "a//b", "semi;colon", "a,b"),
    *("Käse ü", "e\u0301", "\u00e9", "日本", "🜁", "new\nline", "tab\there", "'quoted'", '"double"', "back\\slash"),
    *("[a]*?", "**", "{x}", "$(id)", "`id`", "<b>&amp;", "..a", "...", ".hidden", "-rf", "~", "|", "^", "a:b", "@!"),
    *("\u200bzero", "\u202ertl", "\u00a0nbsp", "null", "NaN", "CON", "region=EU", "__HIVE_DEFAULT_PARTITION__"),
    *("-" * 100, "x" * 200, "ü" * 100, "a" * 50 + "/" + "b" * 50),
)


def key(number: int) -> str:
    """The key of an object; every fourth is of the same format."""
    kind = list(TARGETS)[number % len(TARGETS)]
    folder = f"{_HOSTILE_FOLDERS[_HOSTILE.index(number)]}/" if number in _HOSTILE else ""
    ending = KILLER_ENDING if number in KILLERS else ""
    return f"{kind}/{folder}{number:05d}{ending}.{kind}"


def content(number: int, version: int) -> bytes:
    """A few hundred bytes, or 20 MB; one text in seven has a row that cannot be read."""
    choice = random.Random(number * 10 + version)
    is_large = number in LARGE
    count = _LARGE_ROWS if is_large else choice.randrange(1, 9)
    noise = choice.randbytes(count * _LARGE_NOTE_BYTES).hex() if is_large else ""
    width = len(noise) // count
    rows = [
        {
            "id": f"{row:03d}",
            "zip": choice.choice(["00501", "90210", None]),
            "note": f"{number}.{version} ü,{row}{noise[row * width : (row + 1) * width]}",
        }
        for row in range(count)
    ]
    return _RENDERED[list(TARGETS)[number % len(TARGETS)]](rows, bad=number % 7 == 0)


def _csv(rows: list[dict[str, str | None]], *, bad: bool) -> bytes:
    lines = ["id,zip,note", *(f'{row["id"]},{row["zip"] or ""},"{row["note"]}"' for row in rows)]
    return "".join(f"{line}\n" for line in [*lines, *(["9,9,9,too many,fields"] if bad else [])]).encode()


def _lines(rows: list[dict[str, str | None]], *, bad: bool) -> bytes:
    lines = [*map(json.dumps, rows), *(['{"id": "9", "zip"'] if bad else [])]
    return "".join(f"{line}\n" for line in lines).encode()


def _array(rows: list[dict[str, str | None]], *, bad: bool) -> bytes:
    return json.dumps(rows).encode()


def _parquet(rows: list[dict[str, str | None]], *, bad: bool) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


_RENDERED = {"csv": _csv, "jsonl": _lines, "json": _array, "parquet": _parquet}
