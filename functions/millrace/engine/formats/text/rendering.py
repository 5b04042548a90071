"""Columns as text, vectorised: plain cells for CSV, JSON values for JSON; nested values recurse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.formats.text.joining import RowTexts, TextPiece, choice, count_up, gather_rows, joined_rows
from millrace.engine.formats.text.small_numbers import NumberTable, find_places
from millrace.engine.names import unique_names
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import ending_apart, form_of, is_raw_json, joined, plain, with_form
from millrace.errors import UnsupportedType

_FIRST_HARMLESS = 0x20
_FIRST_OF_LINE_ENDS = 0xC2
_LINE_ENDS = {re.compile(b"\xc2"): ("\u0085",), re.compile(b"\xe2"): ("\u2028", "\u2029")}
"""What some tools take for line ends, by their first byte: escaped in JSON, like what must be."""
_SHORT_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_QUOTED_FOR = '[",\r\n]'
# One search over the bytes of a whole column, which are in one buffer; nearly always it finds nothing, and no text is
# touched.
_SEARCH = {character: re.compile(re.escape(character.encode())).search for character in '"\\,\r\n'}
PART_BYTES = 16 * 2**20
_SAMPLE = 256
Pieces = list[TextPiece]


def cells(array: pa.Array, field: pa.Field) -> pa.Array:
    """A column as text, missing as missing; nested values as JSON."""
    if _holds_values(array.type):
        return _restore_missing(json_values(array, field), array)
    return plain(array, form_of(field))


def json_values(array: pa.Array, field: pa.Field) -> pa.Array:
    """A column as JSON values, missing as ``null``."""
    return joined_rows(_json(array, field), len(array))


def csv_values(array: pa.Array, field: pa.Field) -> pa.Array:
    """A column as fields of CSV, missing as nothing."""
    return joined_rows(_render_once_each(_csv, array, field), len(array))


def parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in parts whose text stays small; whatever a value's type, its text is within some times its bytes."""
    if not batch.num_rows:
        return
    names = sum(len(name) + 4 for name in batch.schema.names)
    a_row = max(1, batch.nbytes // batch.num_rows) * 4 + names
    size = max(1, PART_BYTES // a_row)
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def json_rows(batch: pa.RecordBatch, schema: pa.Schema, *, before: str, after: str) -> Iterator[pa.Array]:
    """Rows as JSON objects, each between ``before`` and ``after``; some rows after the other."""
    pieces = _object(zip(batch.columns, schema, strict=True))
    return gather_rows([before, *pieces, after], batch.num_rows)


def csv_rows(batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.Array]:
    """Rows as lines of CSV, each with its line end; some rows after the other."""
    pieces: Pieces = []
    for column, field in zip(batch.columns, schema, strict=True):
        pieces += [*_render_once_each(_csv, column, field), ","]
    return gather_rows([*pieces[:-1], "\n"], batch.num_rows)


def quote_texts(texts: pa.Array) -> Pieces:
    """RowTexts as CSV holds them: in quotes where they would be misread without."""
    doubled = _contains(texts, '"')
    lengths = pc.binary_length(texts)
    # \n and \r are not looked for one by one: the least byte of all says whether there may be one.
    special = doubled or _contains(texts, ",") or _extremes(texts)[0] <= ord("\r")
    if not special and pc.min(lengths).as_py() != 0:
        return [RowTexts(texts)]
    needs = pc.equal(lengths, 0)
    if special:
        needs = pc.or_(needs, pc.match_substring_regex(texts, _QUOTED_FOR))
    quote = choice(pc.fill_null(needs, fill_value=False), "", '"')
    if doubled:
        texts = pc.replace_substring(texts, '"', '""')
    return [quote, RowTexts(texts), quote]


def _csv(array: pa.Array, field: pa.Field) -> Pieces:
    if _holds_values(array.type) or not _is_plain(array.type):
        return quote_texts(cells(array, field))
    texts, ending = ending_apart(array, form_of(field))
    return [RowTexts(texts), *_where_valid(array, ending)]


def _where_valid(array: pa.Array, text: str) -> Pieces:
    if not array.null_count or not text:
        return [text]
    return [choice(array.is_valid(), "", text)]


def _object(members: Iterable[tuple[pa.Array, pa.Field]]) -> Pieces:
    columns = list(members)
    pieces: Pieces = []
    names = unique_names([field.name for _, field in columns])
    separator = ""
    for name, (column, field) in zip(names, columns, strict=True):
        pieces += [separator, quote_name(name) + ":", *_json(column, field)]
        separator = ","
    return ["{", *pieces, "}"]


def _json(array: pa.Array, field: pa.Field) -> Pieces:
    return _render_once_each(_json_of_each, array, field)


def _json_of_each(array: pa.Array, field: pa.Field) -> Pieces:
    """A column's pieces, each value rendered: wrappers are taken off first, then come containers, then texts."""
    if is_raw_json(field):
        return _or_null(_raw_json(plain(array)))
    if arrow_types.is_extension(array.type):
        return _json_of_extension(array, field)
    if arrow_types.is_encoded(array.type):
        return _json(_decode_values(array), field)
    if _holds_values(array.type):
        return _json_of_container(array)
    return _json_of_scalars(array, field)


def _json_of_extension(array: pa.Array, field: pa.Field) -> Pieces:
    match array.type.extension_name:
        case "arrow.bool8":
            return _or_null(plain(array))
        case "arrow.uuid":
            return _json_of_scalars(array, field)
        case _:
            return _json(array.storage, pa.field(field.name, array.storage.type))


def _decode_values(array: pa.Array) -> pa.Array:
    if arrow_types.is_dictionary(array.type):
        return array.dictionary_decode()
    return pc.run_end_decode(array)


def _json_of_container(array: pa.Array) -> Pieces:
    if arrow_types.is_struct(array.type):
        return _structs(array)
    if arrow_types.is_map(array.type):
        return _maps(array)
    if arrow_types.is_union(array.type):
        return _strings(plain(array))  # printing refuses it, in the words for every type without a text
    return _lists(array, pc.list_flatten(array), pc.list_value_length(array), array.type.value_field)


def _json_of_scalars(array: pa.Array, field: pa.Field) -> Pieces:
    texts, ending = ending_apart(array, form_of(field))
    if arrow_types.is_floating(array.type):
        return _numbers(array, texts)
    if arrow_types.is_number(array.type) or arrow_types.is_boolean(array.type):
        return _or_null(texts)
    return _strings(texts, ending)


def _render_once_each(render: Callable[[pa.Array, pa.Field], Pieces], array: pa.Array, field: pa.Field) -> Pieces:
    """A column's pieces; each value is rendered once where values repeat."""
    if isinstance(array, pa.DictionaryArray) and len(array.dictionary) <= len(array):
        values = pa.concat_arrays([array.dictionary, pa.nulls(1, array.type.value_type)])
        chosen = pc.fill_null(array.indices.cast(pa.int32()), len(values) - 1)
        return [RowTexts(joined_rows(render(values, field), len(values)), chosen)]
    if len(array) >= _SAMPLE and (small := find_places(array)) is not None:
        return [RowTexts(_texts_of_numbers(render, small.numbers, form_of(field)), small.chosen)]
    if not _repeats(array):
        return render(array, field)
    # As bits: 0.0 and -0.0 are two values, and NaN is one.
    bits = array.view(_BITS.get(array.type, array.type))
    encoded = bits.dictionary_encode(null_encoding="encode")
    values = encoded.dictionary.view(array.type)
    return [RowTexts(joined_rows(render(values, field), len(values)), encoded.indices)]


@lru_cache(maxsize=32)
def _texts_of_numbers(render: Callable[[pa.Array, pa.Field], Pieces], numbers: NumberTable, form: str) -> pa.Array:
    """The texts of a table of numbers: of their type and form alone, whatever the column."""
    values = numbers.values()
    return joined_rows(render(values, with_form(pa.field("", numbers.kind), form)), len(values))


_BITS = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}
_CAN_REPEAT = (
    arrow_types.is_string,
    arrow_types.is_large_string,
    arrow_types.is_binary,
    arrow_types.is_boolean,
    arrow_types.is_integer,
    arrow_types.is_floating,
    arrow_types.is_decimal128,
    arrow_types.is_decimal256,
    arrow_types.is_timestamp,
    arrow_types.is_date32,
    arrow_types.is_time,
)
"""The types of which Arrow makes dictionaries."""
_WITHOUT_QUOTES = (arrow_types.is_primitive, arrow_types.is_decimal, arrow_types.is_null)


@lru_cache
def _can_repeat(kind: pa.DataType) -> bool:
    return arrow_types.is_one_of(kind, _CAN_REPEAT)


def _repeats(array: pa.Array) -> bool:
    """Whether, as far as a sample tells, a column has less than half as many values as rows."""
    rows = len(array)
    if rows < _SAMPLE or not _can_repeat(array.type):
        return False
    sample = array.slice(max(0, rows - _SAMPLE) // 2, _SAMPLE)
    size, distinct = len(sample), pc.count_distinct(sample, mode="all").as_py()
    # A sample of n = 256 rows of a column with V equally frequent values draws about n^2 / 2V of them twice. Of
    # 100,000 rows with 20,000 values about 1.6 rows of the sample repeat: 256 * 256 <= 100,000 * 1.6, so they repeat
    # more than once. With 100,000 values it is 0.3 rows, most often none: rendering each row is then the cheaper way.
    return bool(distinct * 2 <= size or size * size <= rows * (size - distinct))


_holds_values = lru_cache(arrow_types.holds_values)


@lru_cache
def _is_plain(kind: pa.DataType) -> bool:
    """Whether no value's text can need quotes."""
    return arrow_types.is_one_of(kind, _WITHOUT_QUOTES)


def _restore_missing(texts: pa.Array, array: pa.Array) -> pa.Array:
    if not array.null_count:
        return texts
    return pc.if_else(pc.is_valid(array), texts, pa.scalar(None, pa.string()))


def _or_null(texts: pa.Array) -> Pieces:
    if texts.null_count:
        texts = pc.fill_null(texts, "null")
    return [RowTexts(texts)]


def _numbers(array: pa.Array, texts: pa.Array) -> Pieces:
    """JSON has no NaN and no infinities: they become the strings "NaN", "Infinity" and "-Infinity"."""
    finite = pc.fill_null(pc.is_finite(array.cast(pa.float64())), fill_value=True)
    if pc.all(finite).as_py() is not False:
        return _or_null(texts)
    quote = choice(finite, '"', "")
    return [quote, *_or_null(texts), quote]


def _strings(texts: pa.Array, ending: str = "") -> Pieces:
    if not texts.null_count:
        return ['"', RowTexts(_escape(texts)), ending + '"']
    valid = texts.is_valid()
    return [choice(valid, "null", '"'), RowTexts(_escape(texts)), choice(valid, "", ending + '"')]


def _escape(texts: pa.Array) -> pa.Array:
    # The backslash first: the ones that are put before quotes must not be doubled again.
    for character in ("\\", '"'):
        if _contains(texts, character):
            texts = pc.replace_substring(texts, character, "\\" + character)
    least, most = _extremes(texts)
    # One pass for each control character that is there, the least first: in most columns there is none, and thirty
    # passes that look for each would be made for nothing.
    while least < _FIRST_HARMLESS:
        character = chr(least)
        texts = pc.replace_substring(texts, character, _SHORT_ESCAPES.get(character, f"\\u{least:04x}"))
        least, _ = _extremes(texts)
    if most < _FIRST_OF_LINE_ENDS:
        return texts
    return _without_line_ends(texts)


def _without_line_ends(texts: pa.Array) -> pa.Array:
    for begins, characters in _LINE_ENDS.items():
        if begins.search(joined(texts)):
            for character in characters:
                texts = pc.replace_substring(texts, character, f"\\u{ord(character):04x}")
    return texts


def _extremes(texts: pa.Array) -> tuple[int, int]:
    """The least and the greatest byte of all texts; harmless ones where there is none."""
    data = pa.py_buffer(joined(texts))
    if not data.size:
        return _FIRST_HARMLESS, _FIRST_HARMLESS
    ends = pc.min_max(pa.Array.from_buffers(pa.uint8(), data.size, [None, data])).as_py()
    return ends["min"], ends["max"]


def _contains(texts: pa.Array, character: str) -> bool:
    """Whether an ASCII character stands in the bytes of all texts, looked for at once."""
    return _SEARCH[character](joined(texts)) is not None


def _raw_json(texts: pa.Array) -> pa.Array:
    """RowTexts that are JSON values, as they are, on one line; what is none after all becomes a string."""
    checked = pa.array(map(_json_or_string, texts.to_pylist()), pa.string())
    for character in ("\n", "\r"):
        if _contains(checked, character):
            checked = pc.replace_substring(checked, character, " ")
    return _without_line_ends(checked)


def _json_or_string(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        _decode(text)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)
    return text


def quote_name(text: str) -> str:
    """A name as JSON holds it."""
    text = json.dumps(text, ensure_ascii=False)
    for characters in _LINE_ENDS.values():
        for character in characters:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant).decode


def _structs(array: pa.Array) -> Pieces:
    pieces = _object(zip(array.flatten(), array.type, strict=True))
    if not array.null_count:
        return pieces
    return _or_null(_restore_missing(joined_rows(pieces, len(array)), array))


def _lists(array: pa.Array, items: pa.Array, lengths: pa.Array, item: pa.Field) -> Pieces:
    return _bracket_groups("[", _json(items, item), lengths, "]", array)


def _bracket_groups(opening: str, items: Pieces, lengths: pa.Array, closing: str, array: pa.Array) -> Pieces:
    """Groups of items with commas between them, each group in brackets."""
    ends = _ends(lengths)
    texts = _groups(items, ends)
    if not array.null_count:
        return [opening, RowTexts(texts), closing]
    valid = array.is_valid()
    return [choice(valid, "null", opening), RowTexts(texts), choice(valid, "", closing)]


def _ends(lengths: pa.Array) -> pa.Array:
    """Where each group begins among all items, and where the last one ends."""
    ends = pc.cumulative_sum(pc.fill_null(lengths.cast(pa.int64()), 0))
    return pa.concat_arrays([pa.array([0], pa.int64()), ends]).cast(pa.int32())


def _groups(items: Pieces, ends: pa.Array) -> pa.Array:
    count = ends[-1].as_py()
    if not count:
        return pa.array([""] * (len(ends) - 1), pa.string())
    group = pc.list_parent_indices(pa.ListArray.from_arrays(ends, count_up(count)))
    one_before = pa.concat_arrays([pa.array([-1], group.type), group.slice(0, count - 1)])
    comma = choice(pc.equal(group, one_before), "", ",")
    # The items' texts are in one buffer already, one after the other: a group is the range from its first item to its
    # last, and only new offsets are made.
    _, offsets, data = joined_rows([comma, *items], count).buffers()
    bounds = pa.Array.from_buffers(pa.int32(), count + 1, [None, offsets]).take(ends)
    return pa.Array.from_buffers(pa.string(), len(ends) - 1, [None, bounds.buffers()[1], data])


def _maps(array: pa.Array) -> Pieces:
    """Maps as objects; keys that are no text are printed as text. A key that comes twice in a map is refused."""
    if _holds_values(array.type.key_type):
        raise UnsupportedType(f"maps with keys of the type {array.type.key_type} cannot become JSON objects")
    entries = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    flat = pc.list_flatten(entries)
    keys, values = pa.array([], array.type.key_type), pa.array([], array.type.item_type)
    if len(flat):
        keys, values = flat.flatten()
    names = plain(keys, form_of(array.type.key_field))
    lengths = pc.list_value_length(entries)
    _check_keys(names, lengths)
    members = [*_strings(names), ":", *_json(values, array.type.item_field)]
    return _bracket_groups("{", members, lengths, "}", array)


def _check_keys(names: pa.Array, lengths: pa.Array) -> None:
    if not len(names):
        return
    numbers = names.dictionary_encode().indices.cast(pa.int64())
    group = pc.list_parent_indices(pa.ListArray.from_arrays(_ends(lengths), numbers))
    # A map's number and a key's as one number: of 5 names in all, key 3 in map 2 is 13. What comes twice is a key twice
    # in one map.
    pairs = pc.value_counts(pc.add(pc.multiply(group, len(names)), numbers))
    if pc.max(pairs.field("counts")).as_py() > 1:
        twice = pairs.field("values")[pc.index(pairs.field("counts"), pc.max(pairs.field("counts"))).as_py()]
        name = names[pc.index(numbers, pa.scalar(twice.as_py() % len(names), pa.int64())).as_py()].as_py()
        raise UnsupportedType(f"a map has the key {name!r} twice; a JSON object would lose one of its values")
