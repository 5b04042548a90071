"""How values of many megabytes are written to Parquet: Arrow would copy each of them ten times.

Arrow copies the least and the greatest value for each page and for each chunk, and leaves what is longer than 4 KB out
of the file all the same. A text of 30 MB is written in 250 MB of memory with statistics and a dictionary, and in 70 MB
without.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types

LARGE_BATCH = 8 * 2**20
"""Smaller batches have no value that is worth a look."""
_LONG = 2**20
_OF_KNOWN_WIDTH = (arrow_types.is_null, arrow_types.is_primitive, arrow_types.is_decimal)
_OF_MEASURED_LENGTH = (
    arrow_types.is_string,
    arrow_types.is_large_string,
    arrow_types.is_binary,
    arrow_types.is_large_binary,
    arrow_types.is_fixed_size_binary,
)


def spare_memory(table: pa.Table) -> dict[str, Any]:
    """Arguments of ``pyarrow.parquet.ParquetWriter`` for rows that may have long values; none if they have not."""
    short = [name for name, column in zip(table.column_names, table.columns, strict=True) if _is_short(column)]
    if len(short) == table.num_columns:
        return {}
    arguments: dict[str, Any] = {"write_statistics": short}
    if table.num_rows == 1:  # with more rows the long value may come again
        arguments["use_dictionary"] = False
    return arguments


def _is_short(column: pa.ChunkedArray) -> bool:
    """Whether no value is long, as far as one look tells: what is inside others is not looked at."""
    if arrow_types.is_one_of(column.type, _OF_KNOWN_WIDTH):
        return True
    if not arrow_types.is_one_of(column.type, _OF_MEASURED_LENGTH):  # views, and what holds other values
        return False
    return (pc.max(pc.binary_length(column)).as_py() or 0) < _LONG
