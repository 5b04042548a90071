"""A JSON file explained: parsed exactly, as it is wherever conversion is in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.explain.facts import Content, Fact
from millrace.engine.explain.json_fields import JsonField
from millrace.engine.explain.text_facts import fact_of_encoding
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json.types import Node, Value, columns_of, fields_of
from millrace.engine.formats.memory import without_collection
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import JSON_ENCODING, Utf8Stream
from millrace.engine.json_paths import PathStep, written
from millrace.engine.options import ReadOptions
from millrace.engine.types import arrow_types
from millrace.errors import DataError

Row = dict[str, Value]
_FEW_DOCUMENTS = 2


def explain_json(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a JSON file."""
    node, top = Node(), JsonField(0)
    rows = 0
    facts: tuple[Fact, ...] = ()
    error = None
    try:
        facts = _facts(source, options)
        with without_collection():
            for block in _blocks(json_reader.rows(source, options), options.work.block):
                columns = columns_of(block)
                node.observe_columns(columns, 0)
                top.observe_columns(columns, range(rows + 1, rows + len(block) + 1))
                rows += len(block)
    except DataError as refused:
        error = refused
    schema = fields_of(node)
    facts += _lists_of_rows(schema, rows, options)
    return Content(facts=facts, rows=rows, schema=schema, columns=tuple(top.explain_fields(schema, rows)), error=error)


def _facts(source: BinaryIO, options: ReadOptions) -> tuple[Fact, ...]:
    stream = Utf8Stream(open_plain(source, options.compression), JSON_ENCODING)
    beginning = b""
    while not beginning and (data := stream.read(options.work.block)):
        beginning = data.lstrip(b" \t\r\n")
    shape = {
        b"": ("nothing", "there is only white space, or nothing"),
        b"[": ("arrays", "the text begins with ["),
    }.get(beginning[:1], ("objects one after the other", "the text does not begin with ["))
    if options.json_records is not None:
        shape = (f"lists at {options.json_records}", "told (json_records)")
    return fact_of_encoding(stream.encoding), Fact("shape", *shape)


def _lists_of_rows(schema: pa.Schema, rows: int, options: ReadOptions) -> tuple[Fact, ...]:
    """A hint where a document or two have lists of objects: these are the rows, perhaps."""
    if options.json_records is not None or rows > _FEW_DOCUMENTS:
        return ()
    names = [field.name for field in schema if _holds_objects(field.type)]
    if not names:
        return ()
    path = written((PathStep(names[0]),))
    return (Fact("hint", f"json_records: {path}", f"{path!r} is a list of objects: to have a row for each, say so"),)


def _holds_objects(kind: pa.DataType) -> bool:
    return arrow_types.is_list(kind) and arrow_types.is_struct(kind.value_type)


def _blocks(rows: Iterator[tuple[Row, int]], most_bytes: int) -> Iterator[list[Row]]:
    """The rows in blocks; those before a bad one are given, too, before the error is raised."""
    block, size = list[Row](), 0
    refused = None
    try:
        for row, length in rows:
            block.append(row)
            size += length
            if size >= most_bytes:
                yield block
                block, size = [], 0
    except DataError as error:
        refused = error
    if block:
        yield block
    if refused:
        raise refused
