"""A JSON file explained: parsed exactly, as it is wherever conversion is in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from millrace.engine.explain.facts import Content, Fact
from millrace.engine.explain.json_fields import JsonField
from millrace.engine.explain.text_facts import fact_of_encoding
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json.types import Node, Value, columns_of, fields_of
from millrace.engine.formats.memory import without_collection
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import JSON_ENCODING, Utf8Stream
from millrace.engine.options import ReadOptions
from millrace.errors import DataError

Row = dict[str, Value]


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
    return Content(facts=facts, rows=rows, schema=schema, columns=tuple(top.explain_fields(schema, rows)), error=error)


def _facts(source: BinaryIO, options: ReadOptions) -> tuple[Fact, ...]:
    stream = Utf8Stream(open_plain(source, options.compression), JSON_ENCODING)
    beginning = b""
    while not beginning and (data := stream.read(options.work.block)):
        beginning = data.lstrip(b" \t\r\n")
    shape = {
        b"": ("nothing", "there is only white space, or nothing"),
        b"[": ("one array", "the text begins with ["),
    }.get(beginning[:1], ("objects one after the other", "the text does not begin with ["))
    return fact_of_encoding(stream.encoding), Fact("shape", *shape)


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
