"""Row groups of a run whose output is Parquet: so large, and so few, that all of their descriptions fit into memory.

A footer describes each column of each row group by some 105 bytes. One invocation joins the footers of all parts.
Measured with 100 columns, for each GB of values: 0.64 MB of footer if row groups have 16 MB, 0.17 MB if they have 64.
A child that writes the latter takes 310 MB with one processor and 370 with two, its rows among them.
"""

from __future__ import annotations

import pyarrow as pa

from millrace.engine.options import FileFormat, WriteOptions
from millrace.errors import TooBig

LARGE_BYTES = 32 * 2**30
"""An object from which on row groups are larger: below it, a footer of 100 columns has 20 MB at most."""
LARGE_GROUP_BYTES = 64 * 2**20
"""Four times the usual size, so that a footer is a fourth."""
MOST_FOOTER_BYTES = 256 * 2**20
"""It is in memory as pieces, as a whole and as the parts of an upload, beside the clients and Arrow."""
_CHUNK_BYTES = 105
"""Of a footer, for each column of a row group: its offsets, sizes and statistics."""


def group_bytes_of(size: int) -> int:
    """How large the row groups are that the parts of an object of so many bytes write."""
    return LARGE_GROUP_BYTES if size > LARGE_BYTES else WriteOptions().group_bytes


def count_leaves(schema: pa.Schema) -> int:
    """The columns that Parquet has for a schema: ``a: list<struct<b, c>>`` are two."""
    return sum(_count_leaves_of(field.type) for field in schema)


def _count_leaves_of(kind: pa.DataType) -> int:
    inner = getattr(kind, "num_fields", 0)
    return sum(_count_leaves_of(kind.field(number).type) for number in range(inner)) if inner else 1


def demand_small_footer(size: int, rows: int, parts: int, leaves: int, write: WriteOptions) -> None:
    """Raise TooBig for an object of so many bytes, as text, whose Parquet footer nobody could put together.

    Worked example: 10 TB with 100 columns are 149,000 row groups of 64 MB, and 1.6 GB of footer.
    """
    groups = parts + max(size // write.group_bytes, rows // write.group_rows)
    footer = groups * leaves * _CHUNK_BYTES
    if footer <= MOST_FOOTER_BYTES:
        return
    raise TooBig(
        f"as one {FileFormat.PARQUET} file it would have about {groups:,} row groups of {leaves:,} columns, which take"
        f" {footer:,} bytes to describe; {MOST_FOOTER_BYTES:,} are the most. Divide the source into smaller objects,"
        " select fewer fields, or write csv or json"
    )
