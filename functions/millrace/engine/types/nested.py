"""Arrays that are within others: the values of structs, maps, lists, dictionaries, run ends and extensions."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types


def find_arrays(array: pa.Array, is_wanted: arrow_types.TypeQuestion) -> Iterator[pa.Array]:
    """The arrays of the types that are wanted: the array itself, or those within it at any depth.

    What is behind a missing struct, map or list, or outside of a slice, is no value and in none of them.
    """
    kind = array.type
    if is_wanted(kind):
        yield array
    elif arrow_types.is_extension(kind):
        yield from find_arrays(array.storage, is_wanted)
    elif arrow_types.is_dictionary(kind):
        yield from find_arrays(array.dictionary, is_wanted)
    elif arrow_types.is_run_end_encoded(kind):
        yield from find_arrays(array.values, is_wanted)
    else:
        for inner in _inner_arrays(array):
            yield from find_arrays(inner, is_wanted)


def _inner_arrays(array: pa.Array) -> list[pa.Array]:
    """The members of structs, the entries of maps, the items of lists; nothing of other values."""
    if arrow_types.is_struct(array.type):
        return list(array.flatten())
    if arrow_types.is_map(array.type):
        return [to_entries(array).flatten()]
    if arrow_types.is_any_list(array.type):
        return [pc.list_flatten(array)]
    return []


def to_entries(maps: pa.MapArray) -> pa.ListArray:
    """Maps as lists of structs of a key and an item."""
    return maps.cast(pa.list_(pa.struct([maps.type.key_field, maps.type.item_field])))
