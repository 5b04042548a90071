"""One file converted in parts, each step by itself and all between as documents, and as a whole."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.engine.destination import Converted, Destination
from millrace.engine.file_origin import FileOrigin
from millrace.engine.one_file import ConversionContext, convert
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.parts import cutting, documents
from millrace.engine.parts.converting import KnownColumns, convert_part, survey_sources
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan
from millrace.engine.parts.joining import Literal, PartOutput, join_plan
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import RowCounts
from millrace.engine.table_sources import Source
from millrace.engine.table_survey import TableSurvey
from millrace.engine.tables import unify
from millrace.errors import DataError
from tests.unit.engine.formats.builders import Memory


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a conversion gave, or the error that it ended with."""

    output: bytes = b""
    rows: RowCounts | None = None
    quarantine: tuple[str, ...] = ()
    error: tuple[type[DataError], str, int | None, int | None, str | None] | None = None

    @property
    def schema_and_rows(self) -> pa.Table:
        """A Parquet output as a table."""
        return pq.read_table(io.BytesIO(self.output))


def assert_same(divided: FileResult, whole: FileResult, target: FileFormat) -> None:
    """The same bytes or error; of a Parquet file the same rows, since its parts are row groups of their own."""
    if whole.error is None and target is FileFormat.PARQUET:
        assert divided.error is None
        assert divided.schema_and_rows.equals(whole.schema_and_rows, check_metadata=True)
        assert divided.rows == whole.rows
    else:
        assert divided == whole


def opener(data: bytes) -> Callable[[], AbstractContextManager[BinaryIO]]:
    """Opens the bytes as often as it is asked."""
    return lambda: nullcontext(io.BytesIO(data))


def ignore_progress(_rows: int) -> None:
    """Do nothing with the number of rows that were looked at."""


def of_error(error: DataError) -> FileResult:
    return FileResult(error=(type(error), str(error), error.row, error.byte, error.column))


def quarantine_of(done: Converted[Memory]) -> tuple[str, ...]:
    if done.quarantine is None:
        return ()
    return tuple(done.quarantine.getvalue().decode().splitlines())


def convert_whole(data: bytes, recipe: Recipe, name: str | None = None) -> FileResult:
    """One file in one piece."""
    try:
        context = ConversionContext(origin=FileOrigin(file=name))
        done = convert(io.BytesIO(data), recipe, Destination(Memory, Memory), context, name=name)
    except DataError as error:
        return of_error(error)
    return FileResult(done.parts[0].sink.getvalue(), done.rows, quarantine_of(done))


def cut_file(
    data: bytes, source_format: FileFormat, read: ReadOptions, part_bytes: int, name: str | None = None
) -> tuple[FileFrame, tuple[FilePart, ...]]:
    """The parts of a file, all that is known of them once written and read."""
    frame = cutting.plan_file(io.BytesIO(data), source_format, read, part_bytes=part_bytes, name=name)
    frame = FileFrame.from_document(rewritten(frame.to_document()), read)
    scans = []
    if frame.needs_scan:
        scans = [cutting.scan_range(io.BytesIO(data), frame, index, name=name) for index in range(len(frame.ranges))]
    scans = [RangeScan.from_document(rewritten(scan.to_document())) for scan in scans]
    parts = cutting.split(frame, scans)
    return frame, tuple(FilePart.from_document(rewritten(part.to_document())) for part in parts)


def rewritten(document: documents.Document) -> documents.Document:
    """A document that was written and read."""
    return documents.from_bytes(documents.to_bytes(document))


def convert_divided(data: bytes, recipe: Recipe, part_bytes: int, name: str | None = None) -> FileResult:
    """One file in parts of about so many bytes."""
    try:
        frame, parts = cut_file(data, recipe.source_format, recipe.read, part_bytes, name)
        sources = [cutting.part_source(name, opener(data), frame, part) for part in parts]
        return convert_sources(sources, recipe)
    except DataError as error:
        return of_error(error)


def convert_sources(sources: Sequence[Source], recipe: Recipe) -> FileResult:
    """A table of sources, each surveyed and converted alone."""
    return convert_batches([[source] for source in sources], recipe)


def convert_batches(batches: Sequence[Sequence[Source]], recipe: Recipe) -> FileResult:
    """A table of batches of sources, each surveyed and converted alone."""
    formats = frozenset(source.format for batch in batches for source in batch)
    surveys = [survey_sources(batch, recipe, ignore_progress, formats=formats) for batch in batches]
    surveys = [TableSurvey.from_document(rewritten(survey.to_document())) for survey in surveys]
    whole = TableSurvey()
    for survey in surveys:
        whole.join(survey)
    whole = TableSurvey.from_document(rewritten(whole.to_document()))

    def known_of(apart: frozenset[str]) -> Iterator[tuple[Sequence[Source], KnownColumns]]:
        for batch, own in zip(batches, surveys, strict=True):
            yield batch, KnownColumns(survey=whole.of(own), apart=apart, formats=formats)

    apart = frozenset[str]()
    while True:
        try:
            done = [convert_part(*item, recipe, Destination(Memory, Memory)) for item in known_of(apart)]
        except unify.Lossy as lossy:
            apart |= {lossy.column}
        else:
            return join(done, recipe)


def join(done: Sequence[Converted[Memory]], recipe: Recipe) -> FileResult:
    """The outputs of parts as one."""
    contents = [converted.parts[0].sink.getvalue() for converted in done]
    outputs = [
        PartOutput(
            size=len(content),
            rows=converted.rows.written,
            open=opener(content),
        )
        for content, converted in zip(contents, done, strict=True)
    ]
    plan = join_plan(recipe.target_format, recipe.write.compression, outputs)
    pieces = [
        piece.content if isinstance(piece, Literal) else contents[piece.part][piece.start : piece.end]
        for piece in plan.pieces
    ]
    quarantine = [line for converted in done for line in quarantine_of(converted)]
    return FileResult(b"".join(pieces), reduce(add, (converted.rows for converted in done)), tuple(quarantine))
