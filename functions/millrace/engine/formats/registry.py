"""The formats that Millrace knows: each is one `Format`, registered here once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from millrace.engine.formats.avro import reader as avro_reader
from millrace.engine.formats.avro import writer as avro_writer
from millrace.engine.formats.base import Format, refuse_writing
from millrace.engine.formats.csv import reader as csv_reader
from millrace.engine.formats.csv import writer as csv_writer
from millrace.engine.formats.excel import reader as excel_reader
from millrace.engine.formats.fixed_width import reader as fixed_width_reader
from millrace.engine.formats.json import reader as json_reader
from millrace.engine.formats.json import writer as json_writer
from millrace.engine.formats.log import reader as log_reader
from millrace.engine.formats.orc import reader as orc_reader
from millrace.engine.formats.orc import writer as orc_writer
from millrace.engine.formats.parquet import reader as parquet_reader
from millrace.engine.formats.parquet import writer as parquet_writer
from millrace.engine.formats.streams.compression import compressible
from millrace.engine.formats.xml import reader as xml_reader
from millrace.engine.options import FileFormat

CSV = Format(
    name=FileFormat.CSV,
    read=csv_reader.read,
    write=compressible(csv_writer.write),
    render=csv_writer.render,
)
JSON = Format(
    name=FileFormat.JSON,
    read=json_reader.read,
    write=compressible(json_writer.write_lines),
    render=json_writer.render_lines,
)
JSON_DOC = Format(
    name=FileFormat.JSON_DOC,
    read=json_reader.read,
    write=compressible(json_writer.write_document),
    render=json_writer.render_document,
)
# Parquet compresses inside, and encodes a whole row group at once: its rows cannot be rendered apart.
PARQUET = Format(name=FileFormat.PARQUET, read=parquet_reader.read, write=parquet_writer.write)
AVRO = Format(name=FileFormat.AVRO, read=avro_reader.read, write=avro_writer.write)
ORC = Format(name=FileFormat.ORC, read=orc_reader.read, write=orc_writer.write)
EXCEL = Format(name=FileFormat.EXCEL, read=excel_reader.read, write=refuse_writing(FileFormat.EXCEL))
XML = Format(name=FileFormat.XML, read=xml_reader.read, write=refuse_writing(FileFormat.XML))
FIXED_WIDTH = Format(
    name=FileFormat.FIXED_WIDTH, read=fixed_width_reader.read, write=refuse_writing(FileFormat.FIXED_WIDTH)
)
LOG = Format(name=FileFormat.LOG, read=log_reader.read, write=refuse_writing(FileFormat.LOG))

_ALL = (CSV, JSON, JSON_DOC, PARQUET, AVRO, ORC, EXCEL, XML, FIXED_WIDTH, LOG)
FORMATS: Mapping[FileFormat, Format] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every format, under its name in the configuration."""
