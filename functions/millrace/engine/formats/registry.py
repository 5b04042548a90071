"""The formats that Millrace knows: each is one `Format`, registered here once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import (
    BadRow,
    ByteSink,
    Format,
    Learned,
    Reader,
    Records,
    RecordWriter,
    Writer,
    refuse_writing,
)
from millrace.engine.formats.csv import reader as csv_reader
from millrace.engine.formats.csv import writer as csv_writer
from millrace.engine.formats.csv.parts import CsvParts
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json import writer as json_writer
from millrace.engine.formats.json.parts import JsonParts
from millrace.engine.formats.parquet import reader as parquet_reader
from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.parquet.parts import ParquetParts
from millrace.engine.formats.streams.compression import compressible
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions


def _read_by(folder: str) -> Reader:
    """The reader of a format that few files have: its modules are imported when the first of them comes."""

    def read(
        source: BinaryIO,
        options: ReadOptions,
        *,
        learned: Learned | None = None,
        report: Callable[[BadRow], None],
    ) -> Records:
        reader: Reader = import_module(f"millrace.engine.formats.{folder}.reader").read
        return reader(source, options, learned=learned, report=report)

    return read


def _write_by(folder: str) -> Writer:
    """The writer of such a format."""

    def write(sink: ByteSink, into: pa.Schema, options: WriteOptions, /) -> RecordWriter:
        writer: Writer = import_module(f"millrace.engine.formats.{folder}.writer").write
        return writer(sink, into, options)

    return write


CSV = Format(
    name=FileFormat.CSV,
    read=csv_reader.read,
    write=compressible(csv_writer.write),
    render=csv_writer.render,
    parts=CsvParts(),
)
JSON = Format(
    name=FileFormat.JSON,
    read=json_reader.read,
    write=compressible(json_writer.write_lines),
    render=json_writer.render_lines,
    parts=JsonParts(FileFormat.JSON),
)
JSON_DOC = Format(
    name=FileFormat.JSON_DOC,
    read=json_reader.read,
    write=compressible(json_writer.write_document),
    render=json_writer.render_document,
    parts=JsonParts(FileFormat.JSON_DOC),
)
# Parquet compresses inside, and encodes a whole row group at once: its rows cannot be rendered apart.
PARQUET = Format(name=FileFormat.PARQUET, read=parquet_reader.read, write=parquet_writer.write, parts=ParquetParts())
AVRO = Format(name=FileFormat.AVRO, read=_read_by("avro"), write=_write_by("avro"))
ORC = Format(name=FileFormat.ORC, read=_read_by("orc"), write=_write_by("orc"))
EXCEL = Format(name=FileFormat.EXCEL, read=_read_by("excel"), write=refuse_writing(FileFormat.EXCEL))
XML = Format(name=FileFormat.XML, read=_read_by("xml"), write=refuse_writing(FileFormat.XML))
FIXED_WIDTH = Format(
    name=FileFormat.FIXED_WIDTH, read=_read_by("fixed_width"), write=refuse_writing(FileFormat.FIXED_WIDTH)
)
LOG = Format(name=FileFormat.LOG, read=_read_by("log"), write=refuse_writing(FileFormat.LOG))

_ALL = (CSV, JSON, JSON_DOC, PARQUET, AVRO, ORC, EXCEL, XML, FIXED_WIDTH, LOG)
FORMATS: Mapping[FileFormat, Format] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every format, under its name in the configuration."""
