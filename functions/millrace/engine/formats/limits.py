"""What a file may ask for, however it is written: where it asks for more, it is refused before memory is taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import pyarrow as pa

from millrace.errors import TooBig

MAX_RECORD_BYTES = 32 * 2**20
"""The longest row as text: several copies of it are in memory, and to JSON it may grow sixfold."""
MAX_VALUES = 2_000_000
"""Commas in a long JSON row: each value is an object in memory, twenty times as large as its text."""
MAX_KEPT_BYTES = 32 * 2**20
"""Rows of a JSON list that wait for a member of their parent which comes behind it."""
MAX_MEMBERS = 250_000
"""Members of a JSON object on the way to rows: each is a step of its own."""
MAX_PARENT_BYTES = 2**16
"""The longest member of a parent as text: every row repeats it."""
MAX_COLUMNS = 20_000
"""Columns of a table, fields within fields counted one by one."""
MAX_CELLS = 2**20
"""Rows of a batch times their columns: where most are missing, little text is many of them."""
MANY_CELLS = 16 * MAX_CELLS
"""Rows of JSON times their columns: beyond it most of them may not be missing."""
MAX_CELLS_A_BYTE = 100
"""Of rows with so many more cells than bytes of text at most one value in 500 is there: `"k":1` takes five bytes."""
MAX_PAGE_BYTES = 64 * 2**20
"""The largest page of a Parquet file, unpacked: it is in memory as a whole."""
MAX_EXPANSION = 1000
"""How many times larger than a Parquet file its values may be, once they are larger than MAX_EXPANDED_BYTES."""
MAX_EXPANDED_BYTES = 4 * 2**30
"""Below it a Parquet file may repeat values as often as it likes: a column of one country is a few bytes."""


def check_columns(count: int, where: str) -> None:
    """Raise TooBig where there are too many; ``where`` begins the error's text."""
    if count > MAX_COLUMNS:
        raise TooBig(
            f"{where} has {count:,} columns; {MAX_COLUMNS:,} are the most of one table: divide it, or make rows of them"
        )


def are_nearly_empty(rows: int, columns: int, size: int) -> bool:
    """Whether rows of JSON, whose text has ``size`` bytes, have too many missing values as columns."""
    cells = rows * columns
    return cells > MANY_CELLS and cells > MAX_CELLS_A_BYTE * size


def refuse_nearly_empty(rows: int, names: int) -> NoReturn:
    """Raise TooBig for objects that would make columns of missing values."""
    raise TooBig(
        f"{rows:,} objects have {names:,} different names together, each but a few of them: as columns"
        " they would be nearly empty; write name and value as two fields"
    )


def leaves(fields: Iterable[pa.Field]) -> int:
    """How many fields there are, those within fields instead of these."""
    return sum(_leaves(field.type) for field in fields)


def _leaves(kind: pa.DataType) -> int:
    if not kind.num_fields:
        return 1
    return sum(_leaves(kind.field(number).type) for number in range(kind.num_fields))
