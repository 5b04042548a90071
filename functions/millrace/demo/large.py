"""Objects above one ranged read: made from a seed, and compared row by row with what came out of them.

Objects of up to 8 MiB are read by one request. These are 20 MB, so that ranges of one version must fit together, and
what is converted is sent in parts.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

FOLDER = "large"
ROWS = 90_000
"""About 20 MB in each format."""
_SCHEMA = pa.schema(
    [("id", pa.int64()), ("code", pa.string()), ("note", pa.string()), ("amount", pa.float64()), ("paid", pa.bool_())]
)
# Nothing is missing, `""` is an empty text.
_CSV_CELLS = pa_csv.ConvertOptions(
    column_types=_SCHEMA, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
)
_NOTE_BYTES = 96
_MISSING_EVERY, _EMPTY_EVERY = 11, 13


def large_rows(seed: int, rows: int = ROWS) -> pa.Table:
    """Rows of which no two are alike; some notes are missing, others empty, all others have commas and quotes."""
    noise = random.Random(seed).randbytes(rows * _NOTE_BYTES).hex()  # noqa: S311 - seeded data needs no cryptography
    width = 2 * _NOTE_BYTES
    records = []
    for number in range(rows):
        note = _note(number, noise[number * width : (number + 1) * width])
        # Eighths are exact in binary: 4.625 is the same number however it is printed.
        records.append((number, f"{number:08d}", note, number * 37 / 8, number % 3 == 0))
    return pa.table(list(zip(*records, strict=True)), schema=_SCHEMA)


def write_large(folder: Path, seed: int, rows: int = ROWS) -> dict[Path, pa.Table]:
    """One file a format below ``folder``, and the rows that it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    table = large_rows(seed, rows)
    tables = {}
    for name, render in _RENDERERS.items():
        file = folder / name
        file.write_bytes(render(table))
        tables[file] = table
    return tables


def row_differences(expected: pa.Table, key: str, output: bytes) -> list[str]:
    """What an output, in the format of its key's extension, holds other than the rows expected; a line a column."""
    table = _read(key, output)
    if table.num_rows != expected.num_rows:
        distinct = len(pc.unique(table.column("id")))
        return [f"{expected.num_rows:,} rows became {table.num_rows:,}, {distinct:,} of them distinct"]
    return list(_compare_columns(expected, table))


def _compare_columns(expected: pa.Table, table: pa.Table) -> Iterator[str]:
    for name in expected.column_names:
        difference = _column_difference(expected, table, name)
        if difference is not None:
            yield difference


def _column_difference(expected: pa.Table, table: pa.Table, name: str) -> str | None:
    if name not in table.column_names:
        return f"{name} is missing"
    before, after = expected.column(name), table.column(name).cast(_SCHEMA.field(name).type)
    if after.equals(before):
        return None
    row = 0
    while before[row] == after[row]:
        row += 1
    return f"row {row + 1}, {name}: {before[row]} became {after[row]}"


def _read(key: str, output: bytes) -> pa.Table:
    source = io.BytesIO(output)
    if key.endswith(".parquet"):
        return pq.read_table(source)
    if key.endswith(".csv"):
        return pa_csv.read_csv(source, convert_options=_CSV_CELLS)
    options = pa_json.ParseOptions(explicit_schema=_SCHEMA)
    return pa_json.read_json(source, parse_options=options)


def _note(number: int, noise: str) -> str | None:
    if number % _MISSING_EVERY == 0:
        return None
    return "" if number % _EMPTY_EVERY == 0 else f'{noise}, "ü"'


def _csv(table: pa.Table) -> bytes:
    """A missing note is nothing, an empty one is ``""``."""
    lines = [",".join(_SCHEMA.names)]
    for number, code, note, amount, paid in zip(*table.to_pydict().values(), strict=True):
        text = "" if note is None else '"' + str(note).replace('"', '""') + '"'
        lines.append(f"{number},{code},{text},{amount},{str(paid).lower()}")
    return ("\n".join(lines) + "\n").encode()


def _json_lines(table: pa.Table) -> bytes:
    lines = map(json.JSONEncoder(ensure_ascii=False).encode, table.to_pylist())
    return ("\n".join(lines) + "\n").encode()


def _parquet(table: pa.Table) -> bytes:
    """Plain and uncompressed, in groups of rows as a stream would write them."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none", use_dictionary=False, row_group_size=10_000)
    return sink.getvalue()


_RENDERERS: Mapping[str, Callable[[pa.Table], bytes]] = {
    "orders.csv": _csv,
    "events.jsonl": _json_lines,
    "stock.parquet": _parquet,
}
