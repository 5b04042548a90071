"""Reading CSV: text first, then types that every value proves.

A blank line carries no value: it is passed over, except in a file of one column, where it is a row whose value is
missing. That is also how such a row is written, so that it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, NoReturn

import pyarrow as pa

from millrace.engine.formats.base import Learned, Records, Widened
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.texts import Layout, Report, Texts, begin, parsed
from millrace.engine.formats.csv.types import Converted, Trouble, Types, is_blank
from millrace.engine.options import ReadOptions
from millrace.engine.parallel import in_order
from millrace.engine.types import inference

SAMPLE_BYTES = 8 * 2**20
"""How much text is looked at before types are chosen and writing begins."""


@dataclass(frozen=True, slots=True)
class LearnedKinds(Learned):
    """The kinds of a CSV file's columns, in their order."""

    kinds: tuple[inference.Kind, ...]


def read(source: BinaryIO, options: ReadOptions, *, learned: Learned | None = None, report: Report) -> Records:
    """Open a CSV file; see ``formats.base.Reader``."""
    opened = begin(source, options, report)
    if opened is None:
        return Records(pa.schema([]), iter(()))
    layout, blocks = opened
    widen = partial(_widen, source, layout)
    if isinstance(learned, LearnedKinds):
        known = Types(layout, learned.kinds)
        return Records(known.schema, _batches(known, parsed(layout, blocks, known.convert), widen))
    sample = [texts for texts, _ in parsed(layout, _up_to(SAMPLE_BYTES, blocks), _nothing)]
    known, converted = _sampled(layout, [texts.batch for texts in sample])
    row = 1 + sum(texts.rows for texts in sample)
    rows = chain(_emptying(sample, converted), parsed(layout, blocks, known.convert, row))
    return Records(known.schema, _batches(known, rows, widen))


def _nothing(_batch: pa.RecordBatch) -> None:
    """Nothing is made of a sample before all of it is there."""


def _up_to(size: int, blocks: Iterator[Block]) -> Iterator[Block]:
    seen = 0
    for block in blocks:
        yield block
        seen += len(block.data)
        if seen >= size:
            return


def _emptying(sample: list[Texts], converted: list[Converted]) -> Iterator[tuple[Texts, Converted]]:
    while sample:  # what has been written need not be held any longer
        yield sample.pop(0), converted.pop(0)


def _batches(
    types: Types, rows: Iterable[tuple[Texts, Converted]], widen: Callable[[], NoReturn]
) -> Iterator[pa.RecordBatch]:
    for texts, first_made in rows:
        made = types.convert_good(texts) if first_made is Trouble.MISFIT else first_made
        if isinstance(made, Trouble):
            widen()
        yield made


def _sampled(layout: Layout, sample: list[pa.RecordBatch]) -> tuple[Types, list[Converted]]:
    """The types of a sample, and its values: likely types are tried, and evidence is sought where they do not hold."""
    survey = _Survey(layout)
    demanded = {place for place, name in enumerate(layout.names) if name in layout.options.column_types}
    survey.look_at(sample, demanded)
    kinds = [
        inference.guess([batch.column(place) for batch in sample]) if known == inference.Evidence() else known.resolve()
        for place, known in enumerate(survey.known)
    ]
    blank = frozenset(
        place
        for place, known in enumerate(survey.known)
        if known == inference.Evidence() and is_blank(batch.column(place) for batch in sample)
    )
    types = Types(layout, tuple(kinds), blank)
    converted = list(in_order(types.convert, sample))
    if Trouble.WIDER not in converted:
        return types, converted
    contradicted = set().union(*in_order(types.contradicted, sample))
    survey.look_at(sample, contradicted)
    for place in contradicted:
        kinds[place] = survey.known[place].resolve()
    types = Types(layout, tuple(kinds), blank)
    return types, list(in_order(types.convert, sample))


class _Survey:
    """What is known of a file's columns; it grows."""

    def __init__(self, layout: Layout) -> None:
        self.known = [_first_evidence(layout.options, name) for name in layout.names]
        self._places = list(range(len(self.known)))

    def look_at(self, sample: list[pa.RecordBatch], places: set[int]) -> None:
        """Add what a sample's columns at the places say."""
        self._places = sorted(places)
        for observed in in_order(self.observe, sample if places else []):
            self.join(observed)

    def observe(self, batch: pa.RecordBatch) -> list[inference.Evidence | inference.Demanded]:
        """What is known with the next rows of the columns that are looked at."""
        return inference.observe_all(
            [self.known[place] for place in self._places], [batch.column(place) for place in self._places]
        )

    def join(self, observed: list[inference.Evidence | inference.Demanded]) -> None:
        """Add what was observed."""
        for place, other in zip(self._places, observed, strict=True):
            self.known[place] = self.known[place].join(other)  # type: ignore[arg-type] # both are of one class

    def kinds(self) -> tuple[inference.Kind, ...]:
        """The types that all rows so far can have."""
        return tuple(known.resolve() for known in self.known)


def _first_evidence(options: ReadOptions, name: str) -> inference.Evidence | inference.Demanded:
    if demanded := options.column_types.get(name):
        return inference.Demanded(demanded)
    return inference.Evidence() if options.infer_types else inference.Demanded("text")


def _widen(source: BinaryIO, layout: Layout) -> NoReturn:
    """Find the types of the whole file, and begin again with them."""
    survey = _Survey(layout)
    opened = begin(source, layout.options, lambda _row: None)
    if opened is not None:
        for _, observed in parsed(*opened, survey.observe):
            survey.join(observed)
    raise Widened(LearnedKinds(survey.kinds()))
