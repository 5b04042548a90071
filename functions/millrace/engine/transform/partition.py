"""Batches divided by the values of one field, and the directories of the parts, named as Hive names them."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.transform.values import TextColumn
from millrace.errors import KeyTooLong, UnknownField

MISSING = "__HIVE_DEFAULT_PARTITION__"
"""The directory's value if the field is missing."""
MAX_SEGMENT_BYTES = 255
"""The longest name of a directory: what file systems take, of the 1,024 bytes that a key may have."""
_SPECIAL = re.compile(r"""[\x00-\x1f\x7f"#%'*/:=?\\{}\[\]^]""")


def split(batch: pa.RecordBatch, field: str) -> list[tuple[str | None, pa.RecordBatch]]:
    """The batch in parts, one a value of the field, each with the value's text (None: missing).

    The parts come in the order of their first rows, and rows keep their order.
    """
    position = batch.schema.get_field_index(field)
    if position < 0:
        raise UnknownField(f"the rows have no field {field!r} to divide them by", column=field)
    texts = TextColumn(batch.column(position), batch.schema.field(position)).texts
    encoded = pc.dictionary_encode(texts, null_encoding="encode")
    values = encoded.dictionary.to_pylist()
    if len(values) <= 1:
        return [(value, batch) for value in values]
    # One stable sort by the value's code, then slices: rows a, b, a have the codes 0, 1, 0 and are taken as 0, 2, 1.
    ordered = batch.take(pc.array_sort_indices(encoded.indices))
    counts = pc.value_counts(encoded.indices)
    sizes = dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
    parts, start = [], 0
    for code, value in enumerate(values):
        parts.append((value, ordered.slice(start, sizes[code])))
        start += sizes[code]
    return parts


def directory(field: str, value: str | None) -> str:
    """The directory ``<field>=<value>`` of a value; two values never share one. raise KeyTooLong if it is too long."""
    segment = f"{_escape(field)}={_escape_value(value)}"
    if (size := len(segment.encode())) > MAX_SEGMENT_BYTES:
        raise KeyTooLong(
            f"the partition {segment[:60]}… would be a directory of {size:,} bytes; at most {MAX_SEGMENT_BYTES} are"
            f" possible: choose a partition_key with shorter values than {field!r} has",
            column=field,
        )
    return segment


def _escape_value(value: str | None) -> str:
    if value is None:
        return MISSING
    if value == MISSING:  # a text that looks like it: its first character is escaped, so that the two stay apart
        return f"%5F{value[1:]}"
    return _escape(value)


def _escape(text: str) -> str:
    return _SPECIAL.sub(_percent_code, text)


def _percent_code(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
