"""Columns as text, vectorised: plain cells for CSV, JSON values for JSON; nested values recurse."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from millrace.errors import UnsupportedType
from millrace.printing import form_of, is_raw_json, joined, plain
from millrace.schema import unique_names

_HARMLESS = bytes(set(range(0x20, 0x100)) - set(b'"\\'))
_LINE_ENDS = ("\u0085", "\u2028", "\u2029")
"""What some tools take for line ends: escaped in JSON, like what must be."""
_SHORT_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
PART_BYTES = 8 * 2**20
_t = pa.types


def cells(array: pa.Array, field: pa.Field) -> pa.Array:
    """A column as text, missing as missing; nested values as JSON."""
    if _is_nested(array.type):
        return _restore_missing(json_values(array, field), array)
    return plain(array, form_of(field))


def json_values(array: pa.Array, field: pa.Field) -> pa.Array:
    """A column as JSON values, missing as ``null``."""
    return pc.fill_null(_json(array, field), "null")


def parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in parts whose text stays small; whatever a value's type, its text is within some times its bytes."""
    if not batch.num_rows:
        return
    names = sum(len(name) + 4 for name in batch.schema.names)
    a_row = max(1, batch.nbytes // batch.num_rows) * 4 + names
    size = max(1, PART_BYTES // a_row)
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def json_rows(batch: pa.RecordBatch, schema: pa.Schema, *, before: str, after: str) -> pa.Array:
    """Rows as JSON objects, each between ``before`` and ``after``."""
    if not len(schema):
        return pa.array([before + "{}" + after] * batch.num_rows, pa.string())
    return _objects(batch.columns, list(schema), before=before, after=after)


def _objects(columns: list[pa.Array], fields: list[pa.Field], *, before: str = "", after: str = "") -> pa.Array:
    pieces: list[object] = []
    names = unique_names([field.name for field in fields])
    for place, (name, column, field) in enumerate(zip(names, columns, fields, strict=True)):
        opening = before + "{" if place == 0 else ","
        pieces += [pa.scalar(opening + _text(name) + ":"), json_values(column, field)]
    return pc.binary_join_element_wise(*pieces, pa.scalar("}" + after), "")


def _json(array: pa.Array, field: pa.Field) -> pa.Array:
    kind = array.type
    if is_raw_json(field):
        return _raw_json(plain(array))
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.bool8":
        return plain(array)
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        return _json(array.storage, pa.field(field.name, array.storage.type))
    if _t.is_dictionary(kind):
        return _json(array.dictionary_decode(), field)
    if _t.is_run_end_encoded(kind):
        return _json(pc.run_end_decode(array), field)
    if _t.is_struct(kind):
        return _structs(array)
    if _t.is_map(kind):
        return _maps(array)
    if _is_list(kind):
        return _lists(array, pc.list_flatten(array), pc.list_value_length(array), kind.value_field)
    texts = plain(array, form_of(field))
    if _t.is_integer(kind) or _t.is_boolean(kind) or _t.is_decimal(kind):
        return texts
    if _t.is_floating(kind):
        return _numbers(array, texts)
    return _strings(texts)


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        _t.is_list(kind)
        or _t.is_large_list(kind)
        or _t.is_fixed_size_list(kind)
        or _t.is_list_view(kind)
        or _t.is_large_list_view(kind)
    )


def _is_nested(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _is_nested(kind.storage_type)
    return bool(_t.is_struct(kind) or _t.is_map(kind) or _is_list(kind) or _t.is_union(kind))


def _restore_missing(texts: pa.Array, array: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_valid(array), texts, pa.scalar(None, pa.string())) if array.null_count else texts


def _numbers(array: pa.Array, texts: pa.Array) -> pa.Array:
    """JSON has no NaN and no infinities: they become the strings "NaN", "Infinity" and "-Infinity"."""
    finite = pc.is_finite(array.cast(pa.float64()))
    if pc.all(finite).as_py() is not False:
        return texts
    return pc.if_else(finite, texts, pc.binary_join_element_wise('"', texts, '"', ""))


def _strings(texts: pa.Array) -> pa.Array:
    data = bytes(joined(texts))
    found = {chr(byte) for byte in data.translate(None, _HARMLESS)}
    if not data.isascii():
        found.update(character for character in _LINE_ENDS if character.encode() in data)
    if found & {"\\", '"'}:
        texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    for character in sorted(found - {"\\", '"'}):
        texts = pc.replace_substring(texts, character, _SHORT_ESCAPES.get(character, f"\\u{ord(character):04x}"))
    return pc.binary_join_element_wise('"', texts, '"', "")


def _raw_json(texts: pa.Array) -> pa.Array:
    """Texts that are JSON values, as they are, on one line; what is none after all becomes a string."""
    return pa.array([None if text is None else _one_json(text) for text in texts.to_pylist()], pa.string())


def _one_json(text: str) -> str:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _text(text)
    return _on_one_line(text)


def _text(text: str) -> str:
    return _on_one_line(json.dumps(text, ensure_ascii=False))


def _on_one_line(value: str) -> str:
    value = value.replace("\n", " ").replace("\r", " ")
    for character in _LINE_ENDS:
        value = value.replace(character, f"\\u{ord(character):04x}")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _structs(array: pa.Array) -> pa.Array:
    fields = list(array.type)
    if not fields:
        return _restore_missing(pa.array(["{}"] * len(array), pa.string()), array)
    return _restore_missing(_objects(array.flatten(), fields), array)


def _lists(array: pa.Array, items: pa.Array, lengths: pa.Array, item: pa.Field) -> pa.Array:
    texts = pc.binary_join(_regroup(json_values(items, item), lengths), ",")
    return _restore_missing(pc.binary_join_element_wise("[", texts, "]", ""), array)


def _regroup(texts: pa.Array, lengths: pa.Array) -> pa.Array:
    ends = pc.cumulative_sum(pc.fill_null(lengths.cast(pa.int64()), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends]).cast(pa.int32())
    return pa.ListArray.from_arrays(offsets, texts)


def _maps(array: pa.Array) -> pa.Array:
    """Maps as objects; keys that are no text are printed as text. A key that comes twice in a map is refused."""
    if _is_nested(array.type.key_type):
        raise UnsupportedType(f"maps with keys of the type {array.type.key_type} cannot become JSON objects")
    entries = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    flat = pc.list_flatten(entries)
    keys, values = (
        flat.flatten() if len(flat) else (pa.array([], array.type.key_type), pa.array([], array.type.item_type))
    )
    names = plain(keys, form_of(array.type.key_field))
    lengths = pc.list_value_length(entries)
    _check_keys(names, lengths)
    pairs = pc.binary_join_element_wise(_strings(names), ":", json_values(values, array.type.item_field), "")
    texts = pc.binary_join(_regroup(pairs, lengths), ",")
    return _restore_missing(pc.binary_join_element_wise("{", texts, "}", ""), array)


def _check_keys(names: pa.Array, lengths: pa.Array) -> None:
    for keys in _regroup(names, lengths).to_pylist():
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UnsupportedType(f"a map has the key {twice!r} twice; a JSON object would lose one of its values")
