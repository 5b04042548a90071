"""Files that are more than a part: made from a number, the same bytes each time."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.demo.large import large_rows

_CITIES = ("Köln", 'the "old" town', "line\nend", "a,b", "", "Zürich")


def rows_of(seed: int, rows: int) -> pa.Table:
    """Rows whose texts have quotes, commas and line ends; the last tenth has fractions and codes that the rest lacks.

    So a part's own types are not the table's: ``amount`` is whole numbers in all parts but the last.
    """
    table = large_rows(seed, rows)
    late = rows - rows // 10
    amounts = [number + (0.5 if number >= late else 0) for number in range(rows)]
    codes = [f"x{number:05d}" if number >= late else str(number % 1000 + 1) for number in range(rows)]
    cities = [f"{_CITIES[number % len(_CITIES)]}{number % 7}" for number in range(rows)]
    table = table.set_column(1, "code", pa.array(codes))
    table = table.set_column(3, "amount", pa.array(amounts))
    return table.append_column("city", pa.array(cities))


def csv_of(table: pa.Table) -> bytes:
    """Every text in quotes, with its line ends."""
    lines = [",".join(table.column_names)]
    lines += [",".join(map(_cell, row.values())) for row in table.to_pylist()]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return f"{value:g}" if value < 100_000 else f"{value:.1f}".removesuffix(".0")


def lines_of(table: pa.Table) -> bytes:
    """JSON lines."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in _natural(table)).encode()


def array_of(table: pa.Table) -> bytes:
    """One JSON array."""
    return ("[\n" + ",\n".join(json.dumps(row) for row in _natural(table)) + "\n]\n").encode()


def _natural(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows whose whole numbers are written as such, and an object within each."""
    for row in table.to_pylist():
        amount = row["amount"]
        row["amount"] = int(amount) if amount == int(amount) else amount
        row["place"] = {"city": row.pop("city"), "tags": [row["id"] % 3]}
        yield row


def parquet_of(table: pa.Table) -> bytes:
    """Plain and uncompressed, in row groups of a few hundred kilobytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none", use_dictionary=False, row_group_size=1_000)
    return sink.getvalue()


def gzip_of(table: pa.Table) -> bytes:
    """CSV in one member of gzip."""
    return gzip.compress(csv_of(table), 1, mtime=0)


RENDERERS: Mapping[str, Callable[[pa.Table], bytes]] = MappingProxyType(
    {"csv": csv_of, "jsonl": lines_of, "json": array_of, "parquet": parquet_of, "csv.gz": gzip_of}
)
"""By extension."""
