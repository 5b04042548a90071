"""Reading CSV: text first, then types that every value proves.

A blank line carries no value: it is passed over, except in a file of one column, where it is a row whose value is
missing. That is also how such a row is written, so that it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, NoReturn

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Records, Widened
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.opening import begin
from millrace.engine.formats.csv.sampling import settle_types
from millrace.engine.formats.csv.text_rows import Begin, CsvTexts, L, Report, TextLayout, keep_text, parse_blocks
from millrace.engine.formats.csv.types import ConversionTrouble, Converted, Types, is_blank
from millrace.engine.options import ReadOptions
from millrace.engine.parallel import in_order
from millrace.engine.types import inference

Rows = Generator[tuple[CsvTexts, Converted], None, None]


@dataclass(frozen=True, slots=True)
class LearnedKinds(Learned):
    """The kinds of a CSV file's columns, in their order."""

    kinds: tuple[inference.Kind, ...]


def read(source: BinaryIO, options: ReadOptions, *, learned: Learned | None = None, report: Report) -> Records:
    """Open a CSV file; see ``formats.base.Reader``."""
    return read_typed(begin, source, options, learned, report)


def read_typed(
    begin_rows: Begin[L], source: BinaryIO, options: ReadOptions, learned: Learned | None, report: Report
) -> Records:
    """Open a file of rows of text, whose columns get the types that all of their values have."""
    opened = begin_rows(source, options, report)
    if opened is None:
        return Records(pa.schema([]), iter(()))
    layout, blocks = opened
    first = layout.options.place.row
    start_over = partial(_start_over, begin_rows, source, layout)
    if isinstance(learned, LearnedKinds):
        types = Types(layout, learned.kinds)
        rows = parse_blocks(layout, blocks, types.convert, first, types.direct())
        return Records(types.schema, _convert_rows(types, rows, start_over))
    first_blocks = _take_blocks(options.work.csv_sample, blocks)
    sample = [texts for texts, _ in parse_blocks(layout, first_blocks, keep_text, first)]
    types, converted = _find_types(layout, sample)
    row = first + sum(texts.rows for texts in sample)
    later = _read_later(layout, blocks, types, row)
    return Records(types.schema, _convert_rows(types, _pass_sample(sample, converted, later), start_over))


def _take_blocks(size: int, blocks: Iterator[Block]) -> Iterator[Block]:
    seen = 0
    for block in blocks:
        yield block
        seen += len(block.data)
        if seen >= size:
            return


def _read_later(layout: TextLayout, blocks: Iterator[Block], types: Types, first: int) -> Rows:
    """The rows behind the sample, the first of which has that number."""
    # Most files have none: to make what would read them takes half a millisecond.
    block = next(blocks, None)
    if block is not None:
        yield from parse_blocks(layout, chain([block], blocks), types.convert, first, types.direct())


def _pass_sample(sample: list[CsvTexts], converted: list[Converted], later: Rows) -> Rows:
    """The rows of the sample, then those behind it."""
    while sample:  # what has been written need not be held any longer
        yield sample.pop(0), converted.pop(0)
    yield from later


def _convert_rows(types: Types, rows: Rows, start_over: Callable[[], NoReturn]) -> Iterator[pa.RecordBatch]:
    # An error's traceback may keep the rows: their threads end here, not in a thread that collects what is forgotten.
    with closing(rows):
        for texts, attempt in rows:
            converted = attempt
            if attempt is ConversionTrouble.MISFIT:
                converted = types.convert_good(texts)
            if isinstance(converted, ConversionTrouble):
                start_over()
            yield converted


def _find_types(layout: TextLayout, sample: list[CsvTexts]) -> tuple[Types, list[Converted]]:
    """The types of a sample, and its values in these types."""
    batches = [texts.batch for texts in sample]
    survey = _CsvSurvey(layout)
    survey.look_at(batches, _demanded_positions(layout))
    return settle_types(layout, sample, survey.known_kinds()) or _guess_types(layout, batches, survey)


def _guess_types(
    layout: TextLayout, batches: list[pa.RecordBatch], survey: _CsvSurvey
) -> tuple[Types, list[Converted]]:
    """The types of a sample without the kernel, and its values in these types."""
    # To guess a kind and to try it on all values is quicker than to collect evidence for every kind. Only columns that
    # contradict their guess are looked at once more: 1, 2, 3, and x further down, is guessed to be integers, then text.
    at_once = partial(in_order, workers=layout.options.work.processors)
    kinds, blank = _guess_kinds(survey, batches)
    types = Types(layout, tuple(kinds), blank)
    converted = list(at_once(types.convert, batches))
    if ConversionTrouble.WIDER not in converted:
        return types, converted
    contradicting = set().union(*at_once(types.find_contradictions, batches))
    survey.look_at(batches, contradicting)
    for position in contradicting:
        kinds[position] = survey.evidence[position].resolve()
    types = Types(layout, tuple(kinds), blank)
    return types, list(at_once(types.convert, batches))


def _demanded_positions(layout: TextLayout) -> set[int]:
    return {position for position, name in enumerate(layout.names) if name in layout.options.column_types}


def _guess_kinds(survey: _CsvSurvey, sample: list[pa.RecordBatch]) -> tuple[list[inference.Kind], frozenset[int]]:
    """A likely kind for each column, and the positions of those without any value."""
    kinds, blank = survey.known_kinds(), set[int]()
    for position in range(len(survey.evidence)):
        if position in kinds:
            continue
        columns = [batch.column(position) for batch in sample]
        kinds[position] = inference.guess(columns)
        # Such a column is text until its first value, which may be a number: then the whole file is looked at.
        if is_blank(columns):
            blank.add(position)
    return [kinds[position] for position in range(len(kinds))], frozenset(blank)


class _CsvSurvey:
    """The evidence of a file's columns; it grows."""

    def __init__(self, layout: TextLayout) -> None:
        self.evidence = [begin_evidence(layout.options, name) for name in layout.names]
        self._positions = list(range(len(self.evidence)))
        self._processors = layout.options.work.processors

    def look_at(self, sample: list[pa.RecordBatch], positions: set[int]) -> None:
        """Add what a sample's columns at the positions say."""
        self._positions = sorted(positions)
        if not positions:
            return
        for observed in in_order(self.observe, sample, workers=self._processors):
            self.join(observed)

    def observe(self, batch: pa.RecordBatch) -> list[inference.Evidence | inference.Demanded]:
        """The evidence with the next rows of the columns that are looked at."""
        evidence = [self.evidence[position] for position in self._positions]
        columns = list(map(batch.column, self._positions))
        return inference.observe_all(evidence, columns)

    def join(self, observed: list[inference.Evidence | inference.Demanded]) -> None:
        """Add what was observed."""
        for position, evidence in zip(self._positions, observed, strict=True):
            self.evidence[position] = self.evidence[position].join(evidence)  # type: ignore[arg-type] # both are of one class

    def known_kinds(self) -> dict[int, inference.Kind]:
        """The types of columns that were looked at, or whose texts need no look, by position."""
        known = dict[int, inference.Kind]()
        for position, evidence in enumerate(self.evidence):
            if evidence != inference.Evidence():
                known[position] = evidence.resolve()
        return known

    def kinds(self) -> tuple[inference.Kind, ...]:
        """The types that all rows so far can have."""
        return tuple(evidence.resolve() for evidence in self.evidence)


def begin_evidence(options: ReadOptions, name: str) -> inference.Evidence | inference.Demanded:
    """What is known of a column's type before its first value: nothing, or the type that the options demand."""
    if demanded := options.column_types.get(name):
        return inference.Demanded(demanded)
    if options.infer_types:
        return inference.Evidence()
    return inference.Demanded("text")


def _ignore(_bad: BadRow) -> None:
    """Do nothing with a bad row: it is reported when the file is read again."""


def _start_over(begin_rows: Begin[L], source: BinaryIO, layout: TextLayout) -> NoReturn:
    """Find the types of the whole file, and begin again with them."""
    survey = _CsvSurvey(layout)
    opened = begin_rows(source, layout.options, _ignore)
    if opened is not None:
        for _, observed in parse_blocks(*opened, survey.observe, layout.options.place.row):
            survey.join(observed)
    raise Widened(LearnedKinds(survey.kinds()))
