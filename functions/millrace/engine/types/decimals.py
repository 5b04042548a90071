"""Decimals that have more digits than their type: files hold such, and Arrow reads them without a word."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from millrace.engine.types import arrow_types
from millrace.engine.types.nested import find_arrays
from millrace.errors import UnsupportedType


def require_precision(column: pa.Array, name: str, *, beyond: int = 0) -> None:
    """Look at the decimals of a column, nested ones too, whose type has more than ``beyond`` digits.

    A Parquet file may say decimal(20,0) and hold 10^30: a writer that keeps 20 digits would cut it to another number.

    Raises: UnsupportedType for a number of more digits than its type.
    """
    if not _has_decimals(column.type, beyond):
        return
    for decimals in find_arrays(column, arrow_types.is_decimal):
        if decimals.type.precision <= beyond:
            continue
        try:
            decimals.validate(full=True)
        except pa.ArrowInvalid as error:
            raise UnsupportedType(
                f"the column {name!r} has a number of more digits than its type says: {error}", column=name
            ) from error


@lru_cache(maxsize=256)
def _has_decimals(kind: pa.DataType, beyond: int) -> bool:
    if arrow_types.is_decimal(kind):
        return bool(kind.precision > beyond)
    if arrow_types.is_extension(kind):
        return _has_decimals(kind.storage_type, beyond)
    if arrow_types.is_encoded(kind):
        return _has_decimals(arrow_types.value_type(kind), beyond)
    return any(_has_decimals(kind.field(number).type, beyond) for number in range(kind.num_fields))
