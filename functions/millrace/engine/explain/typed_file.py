"""A file whose format has types of its own explained: what is in its columns, and what text makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from millrace.engine.explain.facts import Content, Fact
from millrace.engine.explain.parquet_file import measure_content
from millrace.engine.formats.avro.container import open_container
from millrace.engine.formats.base import BadRow
from millrace.engine.formats.excel.reader import choose_sheet
from millrace.engine.formats.orc.reader import open_orc, tail_of
from millrace.engine.formats.registry import FORMATS
from millrace.engine.formats.streams.guarded import GuardedSource
from millrace.engine.options import ALL_SHEETS, FileFormat, ReadOptions
from millrace.errors import DataError

FindFacts = Callable[[BinaryIO, ReadOptions], tuple[Fact, ...]]


def explain_avro(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in an Avro file."""
    return _explain_typed(FileFormat.AVRO, _facts_of_avro, source, options)


def _facts_of_avro(source: BinaryIO, _options: ReadOptions) -> tuple[Fact, ...]:
    file = open_container(source)
    written = sorted(name for name in file.metadata if not name.startswith("avro."))
    facts = (Fact("codec", file.codec, "of its blocks, as its header says"),)
    if not written:
        return facts
    return (*facts, Fact("metadata", ", ".join(written), "beside the schema, in its header"))


def explain_orc(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in an ORC file."""
    return _explain_typed(FileFormat.ORC, _facts_of_orc, source, options)


def _facts_of_orc(source: BinaryIO, options: ReadOptions) -> tuple[Fact, ...]:
    FORMATS[FileFormat.ORC].read(source, options, report=_ignore)  # it refuses what is no ORC file
    file = open_orc(GuardedSource(source))
    metadata = tail_of(file).metadata
    facts = (
        Fact("written by", str(file.software_version), f"ORC {file.file_version}"),
        Fact(
            "stripes", f"{file.nstripes:,}", f"of {file.nrows:,} rows in all, compressed by {file.compression.lower()}"
        ),
    )
    if not metadata:
        return facts
    return (*facts, Fact("metadata", ", ".join(sorted(metadata)), "of its writer, in its footer"))


def explain_xml(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in an XML document."""
    return _explain_typed(FileFormat.XML, _facts_of_xml, source, options)


def _facts_of_xml(_source: BinaryIO, options: ReadOptions) -> tuple[Fact, ...]:
    if options.xml_row is None:
        return (Fact("rows", "the root's children", "by default; another path is said with xml_row"),)
    return (Fact("rows", options.xml_row, "as told"),)


def explain_excel(source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a sheet of a workbook."""
    return _explain_typed(FileFormat.EXCEL, _facts_of_excel, source, options)


def _facts_of_excel(source: BinaryIO, options: ReadOptions) -> tuple[Fact, ...]:
    sheet = choose_sheet(source, options)
    why = "the only one that has cells" if options.excel_sheet in {None, ALL_SHEETS} else "as told"
    return (Fact("sheet", sheet.name or "none", why),)


def _explain_typed(file_format: FileFormat, find_facts: FindFacts, source: BinaryIO, options: ReadOptions) -> Content:
    """What is in a file of a format: all of it is read, so that damage is found."""
    try:
        facts = find_facts(source, options)
        source.seek(0)
        records = FORMATS[file_format].read(source, options, report=_ignore)
    except DataError as error:
        return Content(error=error)
    return measure_content(records, facts, stored=iter(()))


def _ignore(_bad: BadRow) -> None:
    """Such files have no single bad rows."""
