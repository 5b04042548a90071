"""The formats: what reads each and what writes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from millrace.engine.formats.base import Reader, Render, Writer
from millrace.engine.formats.csv import reader as csv_reader
from millrace.engine.formats.csv import writer as csv_writer
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json import writer as json_writer
from millrace.engine.formats.memory import use_lean_pool
from millrace.engine.formats.parquet import reader as parquet_reader
from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.streams.compression import compressible
from millrace.engine.options import FileFormat

use_lean_pool()

READERS: Mapping[FileFormat, Reader] = MappingProxyType(
    {
        FileFormat.CSV: csv_reader.read,
        FileFormat.JSON: json_reader.read,
        FileFormat.JSON_DOC: json_reader.read,
        FileFormat.PARQUET: parquet_reader.read,
    }
)
WRITERS: Mapping[FileFormat, Writer] = MappingProxyType(
    {
        FileFormat.CSV: compressible(csv_writer.write),
        FileFormat.JSON: compressible(json_writer.write_lines),
        FileFormat.JSON_DOC: compressible(json_writer.write_document),
        FileFormat.PARQUET: parquet_writer.write,
    }
)
RENDERERS: Mapping[FileFormat, Render] = MappingProxyType(
    {
        FileFormat.CSV: csv_writer.render,
        FileFormat.JSON: json_writer.render_lines,
        FileFormat.JSON_DOC: json_writer.render_document,
    }
)
"""The formats whose rows are rendered one by one."""
