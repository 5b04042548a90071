"""The formats that Millrace knows: each is one `Format`, registered here once.

A conversion has two of them: the modules of a format are imported when the first file of it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import (
    BadRow,
    ByteSink,
    Format,
    Learned,
    Reader,
    Records,
    RecordWriter,
    Render,
    Text,
    Writer,
    refuse_writing,
)
from millrace.engine.formats.streams.compression import compressible
from millrace.engine.options import FileFormat, ReadOptions, WriteOptions
from millrace.engine.parts.base import FormatParts


def _load(module: str, name: str) -> Any:
    """What a module of a format has under a name."""
    return getattr(import_module(f"millrace.engine.formats.{module}"), name)


def _read_by(folder: str) -> Reader:
    """The reader of a format."""

    def read(
        source: BinaryIO,
        options: ReadOptions,
        *,
        learned: Learned | None = None,
        report: Callable[[BadRow], None],
    ) -> Records:
        reader: Reader = _load(f"{folder}.reader", "read")
        return reader(source, options, learned=learned, report=report)

    return read


def _write_by(folder: str, name: str = "write") -> Writer:
    """The writer of a format."""

    def write(sink: ByteSink, into: pa.Schema, options: WriteOptions, /) -> RecordWriter:
        writer: Writer = _load(f"{folder}.writer", name)
        return writer(sink, into, options)

    return write


def _render_by(folder: str, name: str = "render") -> Render:
    """What renders the rows of a format."""

    def render(batch: pa.RecordBatch, into: pa.Schema, /) -> Text:
        rendering: Render = _load(f"{folder}.writer", name)
        return rendering(batch, into)

    return render


def _divide_csv() -> FormatParts:
    parts: FormatParts = _load("csv.parts", "CsvParts")()
    return parts


def _divide_json(name: FileFormat) -> FormatParts:
    parts: FormatParts = _load("json.parts", "JsonParts")(name)
    return parts


def _divide_parquet() -> FormatParts:
    parts: FormatParts = _load("parquet.parts", "ParquetParts")()
    return parts


CSV = Format(
    name=FileFormat.CSV,
    read=_read_by("csv"),
    write=compressible(_write_by("csv")),
    render=_render_by("csv"),
    open_parts=_divide_csv,
)
JSON = Format(
    name=FileFormat.JSON,
    read=_read_by("json"),
    write=compressible(_write_by("json", "write_lines")),
    render=_render_by("json", "render_lines"),
    open_parts=partial(_divide_json, FileFormat.JSON),
)
JSON_DOC = Format(
    name=FileFormat.JSON_DOC,
    read=_read_by("json"),
    write=compressible(_write_by("json", "write_document")),
    render=_render_by("json", "render_document"),
    open_parts=partial(_divide_json, FileFormat.JSON_DOC),
)
# Parquet compresses inside, and encodes a whole row group at once: its rows cannot be rendered apart.
PARQUET = Format(
    name=FileFormat.PARQUET, read=_read_by("parquet"), write=_write_by("parquet"), open_parts=_divide_parquet
)
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
