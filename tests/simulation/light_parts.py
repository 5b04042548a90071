"""The division of a file that costs microseconds: each row is a part of its own, converted as ``light`` does."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO
from unittest.mock import patch

import pyarrow as pa

from millrace.big_runs import converting, dividing, sources, surveying
from millrace.delivery import object_conversion
from millrace.engine.destination import Converted, Destination, S
from millrace.engine.one_file import NO_CONTEXT, ConversionContext
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.parts.converting import KnownColumns
from millrace.engine.parts.cutting import OpenFile
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan, TextRange
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.table_survey import TableSurvey
from millrace.errors import CannotBeCut
from tests.simulation import light
from tests.simulation.files import HEADER


def plan_file(source: BinaryIO, file_format: FileFormat, read: ReadOptions, *, part_bytes: int) -> FileFrame:
    """Counterpart of ``cutting.plan_file``: a range for each row, one for a file without any."""
    del part_bytes
    if file_format not in {FileFormat.CSV, FileFormat.JSON}:
        raise CannotBeCut(f"{file_format} is not cut")
    source.seek(0)
    rows = max(1, len(_rows(source.read(), file_format)))
    ranges = tuple(TextRange(number, number + 1) for number in range(rows))
    return FileFrame(format=file_format, read=read, size=rows, ranges=ranges, needs_scan=True)


def scan_range(source: BinaryIO, frame: FileFrame, index: int) -> RangeScan:
    """Counterpart of ``cutting.scan_range``."""
    source.seek(0)
    return RangeScan(index, {"rows": len(_rows(source.read(), frame.format)[index : index + 1])})


def split(frame: FileFrame, scans: Sequence[RangeScan]) -> tuple[FilePart, ...]:
    """Counterpart of ``cutting.split``."""
    last = len(scans) - 1
    return tuple(
        FilePart(index=number, start=number, end=number + 1, row=number + 1, is_last=number == last)
        for number in range(len(frame.ranges))
    )


def part_source(name: str | None, open_file: OpenFile, frame: FileFrame, part: FilePart) -> Source:
    """Counterpart of ``cutting.part_source``: the row, below a header if the file has one."""
    read = replace(frame.read, place=part.place)
    opened = partial(_open_part, open_file, frame.format, part)
    return Source(name=f"part {part.index}", format=frame.format, read=read, open=opened)


@contextmanager
def _open_part(open_file: OpenFile, file_format: FileFormat, part: FilePart) -> Iterator[BinaryIO]:
    with open_file() as stream:
        stream.seek(0)
        rows = _rows(stream.read(), file_format)[part.start : part.end]
    head = HEADER if file_format is FileFormat.CSV else b""
    yield io.BytesIO(head + b"".join(rows))


def _rows(text: bytes, file_format: FileFormat) -> list[bytes]:
    lines = text.splitlines(keepends=True)
    return lines[1:] if file_format is FileFormat.CSV else lines


_FIELDS = (pa.field("id", pa.int64()), pa.field("part", pa.string()), pa.field("version", pa.int64()))


def survey_sources(
    parts: Sequence[Source], recipe: Recipe, on_batch: Callable[[int], None], *, formats: object = None
) -> TableSurvey:
    """Counterpart of ``converting.survey_sources``: every file has the same fields; reading them may go wrong."""
    del recipe, formats
    survey = TableSurvey()
    for number, source in enumerate(parts):
        with source.open() as stream:
            survey.rows += len(_rows(stream.read(), source.format))
        on_batch(number)
    for field in _FIELDS:
        survey._names[field.name] = None
        survey._typed[field.name] = [field]
    return survey


def convert_part(
    parts: Sequence[Source],
    known: KnownColumns,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Counterpart of ``converting.convert_part``."""
    del known
    texts = []
    for source in parts:
        with source.open() as stream:
            texts.append(stream.read())
    first = parts[0].read.place.row if parts else 1
    return light.convert_texts(texts, recipe, destination, context, first=first)


@contextmanager
def in_place() -> Iterator[None]:
    """Let runs divide and convert lightly."""
    with ExitStack() as stack:
        for module in (dividing, object_conversion):
            stack.enter_context(patch.object(module, "plan_file", plan_file))
        stack.enter_context(patch.object(dividing, "scan_range", scan_range))
        stack.enter_context(patch.object(dividing, "split", split))
        stack.enter_context(patch.object(sources, "part_source", part_source))
        stack.enter_context(patch.object(surveying, "survey_sources", survey_sources))
        stack.enter_context(patch.object(converting, "convert_part", convert_part))
        yield
