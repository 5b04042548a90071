"""NaN and infinities before rows become JSON, which has no numbers for them: found, or made missing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types
from millrace.engine.types.nested import find_arrays, to_entries


def find_column(batch: pa.RecordBatch) -> str | None:
    """The name of the first column with a NaN or an infinity in it, at any depth; None if no column has one."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not all(map(_is_finite, find_arrays(column, arrow_types.is_floating))):
            return str(name)
    return None


def make_missing(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with null in place of each NaN and infinity; how nested values are laid out in memory may change."""
    if find_column(batch) is None:
        return batch
    columns = list(map(_without_non_finite, batch.columns))
    fields = [field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))


def _is_finite(values: pa.Array) -> bool:
    # Arrow has no is_finite for half floats.
    return pc.all(pc.is_finite(values.cast(pa.float64()))).as_py() is not False


def _without_non_finite(array: pa.Array) -> pa.Array:
    kind = array.type
    if all(map(_is_finite, find_arrays(array, arrow_types.is_floating))):
        return array
    if arrow_types.is_floating(kind):
        return pc.if_else(pc.is_finite(array.cast(pa.float64())), array, pa.scalar(None, kind))
    if isinstance(kind, pa.BaseExtensionType):
        return _without_non_finite(array.storage)
    if arrow_types.is_dictionary(kind):
        return _without_non_finite(array.dictionary_decode())
    if arrow_types.is_run_end_encoded(kind):
        return _without_non_finite(pc.run_end_decode(array))
    return _without_non_finite_inside(array)


def _without_non_finite_inside(array: pa.Array) -> pa.Array:
    if arrow_types.is_struct(array.type):
        members = list(map(_without_non_finite, array.flatten()))
        fields = [field.with_type(member.type) for field, member in zip(array.type, members, strict=True)]
        return pa.StructArray.from_arrays(members, fields=fields, mask=array.is_null())
    if arrow_types.is_map(array.type):
        return _map_without_non_finite(array)
    items = _without_non_finite(pc.list_flatten(array))
    return pa.ListArray.from_arrays(_offsets_of(array), items, mask=array.is_null())


def _map_without_non_finite(array: pa.MapArray) -> pa.MapArray:
    lists = to_entries(array)
    keys, items = pc.list_flatten(lists).flatten()
    # A map is missing if its first offset is; a mask is not taken.
    offsets = _offsets_of(lists)
    missing = pa.concat_arrays([array.is_null(), pa.array([False])])
    offsets = pc.if_else(missing, pa.scalar(None, pa.int32()), offsets)
    return pa.MapArray.from_arrays(offsets, keys, _without_non_finite(items))


def _offsets_of(array: pa.Array) -> pa.Array:
    # Lists of 2, no list and 1 item end at 2, 2 and 3: flattening leaves out what is behind missing lists.
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array).cast(pa.int32()), 0))
    return pa.concat_arrays([pa.array([0], pa.int32()), ends])
