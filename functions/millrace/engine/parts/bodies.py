"""The formats that parts of one output are written in: the rows of each begin where a member of its own does.

A part of CSV is a header and rows, one of a JSON array is a comma and elements, one of JSON lines is rows alone. Where
text is compressed, what comes before the rows is compressed alone, so that joining leaves it out without unpacking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from millrace.engine.formats.base import Format
from millrace.engine.formats.csv import writer as csv_writer
from millrace.engine.formats.json import writer as json_writer
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.compression import compressible
from millrace.engine.options import FileFormat

BODY_FORMATS: Mapping[FileFormat, Format] = MappingProxyType(
    {
        **FORMATS,
        FileFormat.CSV: replace(FORMATS[FileFormat.CSV], write=compressible(csv_writer.write, is_head_apart=True)),
        FileFormat.JSON_DOC: replace(
            FORMATS[FileFormat.JSON_DOC], write=compressible(json_writer.write_elements, is_head_apart=True)
        ),
    }
)
"""What ``ConversionContext.formats`` is for a part; ``joining.join_plan`` knows what each of them writes."""
