"""Parquet files by hand, whose headers may say what is not so: enough of Thrift's compact protocol to write them."""

from __future__ import annotations

from typing import Any

from millrace.engine.formats.varints import as_varint, as_zigzag

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_BYTE_ARRAY, _REQUIRED, _UTF8 = 6, 0, 0
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
SNAPPY, ZSTD = 1, 6
UNCOMPRESSED = 0


def _value(kind: int, value: Any) -> bytes:
    if kind in {_I32, _I64}:
        return as_zigzag(value)
    if kind == _BINARY:
        return as_varint(len(value)) + bytes(value)
    if kind == _LIST:
        inner, items = value
        head = bytes([len(items) << 4 | inner]) if len(items) < 15 else bytes([0xF0 | inner]) + as_varint(len(items))
        return head + b"".join(_value(inner, item) for item in items)
    return _struct(value)


def _struct(fields: list[tuple[int, int, Any]]) -> bytes:
    out, last = b"", 0
    for number, kind, value in fields:
        out += bytes([(number - last) << 4 | kind]) + _value(kind, value)
        last = number
    return out + b"\0"


def page_header(*, packed: int, unpacked: int, values: int, dictionary: bool = False, encoding: int = _PLAIN) -> bytes:
    """A page's header, of a dictionary or of data."""
    head = [(1, _I32, 2 if dictionary else 0), (2, _I32, unpacked), (3, _I32, packed)]
    if dictionary:
        return _struct([*head, (7, _STRUCT, [(1, _I32, values), (2, _I32, _PLAIN)])])
    described = [(1, _I32, values), (2, _I32, encoding), (3, _I32, _RLE), (4, _I32, _RLE)]
    return _struct([*head, (5, _STRUCT, described)])


def text_file(
    pages: bytes, *, rows: int, codec: int, unpacked: int, dictionary_bytes: int = 0, names: tuple[str, ...] = ("a",)
) -> bytes:
    """A file of columns of required texts, each with these pages, the first ``dictionary_bytes`` their dictionary.

    ``unpacked`` is what the footer says of their size.
    """
    body = b"PAR1"
    chunks = []
    for name in names:
        start = len(body)
        body += pages
        meta: list[tuple[int, int, Any]] = [
            (1, _I32, _BYTE_ARRAY),
            (2, _LIST, (_I32, [_PLAIN, _RLE, _RLE_DICTIONARY])),
            (3, _LIST, (_BINARY, [name.encode()])),
            (4, _I32, codec),
            (5, _I64, rows),
            (6, _I64, unpacked),
            (7, _I64, len(pages)),
            (9, _I64, start + dictionary_bytes),
        ]
        if dictionary_bytes:
            meta.append((11, _I64, start))
        chunks.append([(2, _I64, start), (3, _STRUCT, meta)])
    fields = [
        [(1, _I32, _BYTE_ARRAY), (3, _I32, _REQUIRED), (4, _BINARY, name.encode()), (6, _I32, _UTF8)] for name in names
    ]
    footer = _struct(
        [
            (1, _I32, 1),
            (2, _LIST, (_STRUCT, [[(4, _BINARY, b"schema"), (5, _I32, len(names))], *fields])),
            (3, _I64, rows),
            (4, _LIST, (_STRUCT, [[(1, _LIST, (_STRUCT, chunks)), (2, _I64, unpacked * len(names)), (3, _I64, rows)]])),
        ]
    )
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def dictionary_of_one(length: int, rows: int) -> tuple[bytes, int]:
    """Uncompressed pages in which all rows are one text of that length: a dictionary, and places in it."""
    text = length.to_bytes(4, "little") + b"x" * length
    head = page_header(packed=len(text), unpacked=len(text), values=1, dictionary=True)
    places = b"\x01" + as_varint(rows << 1) + b"\0"
    data = page_header(packed=len(places), unpacked=len(places), values=rows, encoding=_RLE_DICTIONARY)
    return head + text + data + places, len(head) + len(text)
