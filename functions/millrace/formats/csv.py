"""Reading CSV: text first, then types that every value proves.

A blank line carries no value: it is passed over, except in a file of one column, where it is a row whose value is
missing. That is also how such a row is written, so that it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import BinaryIO, NoReturn

import pyarrow as pa

from millrace import schema
from millrace.errors import ValueDoesNotFit
from millrace.file_format import ReadOptions
from millrace.formats import csv_texts
from millrace.formats.base import Records
from millrace.formats.csv_texts import Layout, Record, Report, Texts, judged, refuse
from millrace.printing import with_form

SAMPLE_BYTES = 8 * 2**20
"""How much text is looked at before types are chosen and writing begins."""
_UNKNOWN = schema.Evidence()


def read(source: BinaryIO, options: ReadOptions, *, types: object = None, report: Report) -> Records:
    """Open a CSV file; see ``formats.base.Reader``."""
    opened = csv_texts.texts(source, options, report)
    if opened is None:
        return Records(pa.schema([]), iter(()))
    layout, texts = opened
    if isinstance(types, tuple):
        return _typed(layout, types, texts, source)
    sample = _take_sample(texts)
    blank = _blank(layout, sample)
    if options.column_types:
        return _typed(layout, _sample_kinds(layout, sample), chain(_emptying(sample), texts), source, blank=blank)
    kinds, columns = zip(*_inferred(layout, sample), strict=True)
    return _typed(layout, kinds, texts, source, before=columns, blank=blank)


def _take_sample(texts: Iterator[Texts]) -> list[Texts]:
    sample: list[Texts] = []
    size = 0
    for block in texts:
        sample.append(block)
        size += len(block.block.data)
        if size >= SAMPLE_BYTES:
            break
    return sample


def _inferred(layout: Layout, sample: list[Texts]) -> Iterator[tuple[schema.Kind, pa.Array]]:
    infer = schema.infer_values if layout.options.infer_types else lambda texts: (schema.TEXT, texts)
    for place in range(len(layout.names)):
        yield infer(_sample_column(sample, place))


def _sample_column(sample: list[Texts], place: int) -> pa.Array:
    return pa.concat_arrays([block.batch.column(place) for block in sample] or [pa.array([], pa.string())])


def _blank(layout: Layout, sample: list[Texts]) -> frozenset[int]:
    """The places of columns to be typed without a value in the sample: that they are text is not known of them."""
    places = [place for place, name in enumerate(layout.names) if _first_evidence(layout.options, name) == _UNKNOWN]
    return frozenset(place for place in places if _is_blank(block.batch.column(place) for block in sample))


def _is_blank(columns: Iterable[pa.Array]) -> bool:
    return all(column.null_count == len(column) for column in columns)


def _sample_kinds(layout: Layout, sample: list[Texts]) -> tuple[schema.Kind, ...]:
    kinds = []
    for place, name in enumerate(layout.names):
        evidence, texts = _first_evidence(layout.options, name), _sample_column(sample, place)
        kinds.append(schema.infer(texts) if evidence == _UNKNOWN else evidence.observe(texts).resolve())
    return tuple(kinds)


def _first_evidence(options: ReadOptions, name: str) -> schema.Evidence | schema.Demanded:
    if demanded := options.column_types.get(name):
        return schema.Demanded(demanded)
    return schema.Evidence() if options.infer_types else schema.Demanded("text")


def _typed(
    layout: Layout,
    kinds: tuple[schema.Kind, ...],
    rows: Iterator[Texts],
    source: BinaryIO,
    *,
    before: Sequence[pa.Array] = (),
    blank: frozenset[int] = frozenset(),
) -> Records:
    """Rows with their types; ``before`` are columns of rows that have theirs already, ``blank`` those without value."""
    fields = [with_form(pa.field(name, kind.type), kind.form) for name, kind in zip(layout.names, kinds, strict=True)]
    into = pa.schema(fields)
    first = [pa.RecordBatch.from_arrays(list(before), schema=into)] if before else []
    converter = _Converter(layout, kinds, into, blank)
    return Records(into, chain(first, _converted(converter, rows, partial(_widen, source, layout))))


def _converted(converter: _Converter, rows: Iterator[Texts], widen: Callable[[], NoReturn]) -> Iterator[pa.RecordBatch]:
    for texts in rows:
        batch = converter.convert(texts)
        if batch is None:
            widen()
        yield batch


def _emptying(sample: list[Texts]) -> Iterator[Texts]:
    while sample:  # what has been converted need not be held any longer
        yield sample.pop(0)


def _widen(source: BinaryIO, layout: Layout) -> NoReturn:
    """Find the types of the whole file, and begin again with them."""
    opened = csv_texts.texts(source, layout.options, lambda _row: None)
    evidence = [_first_evidence(layout.options, name) for name in layout.names]
    for texts in opened[1] if opened else ():
        evidence = [known.observe(column) for known, column in zip(evidence, texts.batch.columns, strict=True)]
    raise schema.Widened(tuple(known.resolve() for known in evidence))


class _Converter:
    """Turns columns of text into columns of the kinds that were chosen."""

    def __init__(self, layout: Layout, kinds: tuple[schema.Kind, ...], into: pa.Schema, blank: frozenset[int]) -> None:
        self._layout = layout
        self._blank = blank
        self._kinds = kinds
        self._into = into
        self._demanded = [name in layout.options.column_types for name in layout.names]

    def convert(self, texts: Texts) -> pa.RecordBatch | None:
        """The rows with their types; None where a value contradicts a type that was inferred."""
        batch, columns = self._without_misfits(texts), []
        if not _is_blank(batch.column(place) for place in self._blank):
            return None
        for column, kind, demanded in zip(batch.columns, self._kinds, self._demanded, strict=True):
            values = schema.demand(kind, column) if demanded else schema.fit(column, kind)
            if values is None:
                return None
            columns.append(values)
        return pa.RecordBatch.from_arrays(columns, schema=self._into)

    def _without_misfits(self, texts: Texts) -> pa.RecordBatch:
        """The rows whose values are of the types that were demanded; the others are reported or raised."""
        misfits: dict[int, int] = {}
        for place, demanded in enumerate(self._demanded):
            if demanded:
                found = schema.misfits(self._kinds[place], texts.batch.column(place))
                misfits.update((row, place) for row in found if row not in misfits)
        if not misfits:
            return texts.batch
        good = (record for record in judged(self._layout, texts.block, texts.first) if record.error is None)
        for position, record in enumerate(good):
            if position in misfits:
                value = texts.batch.column(misfits[position])[position].as_py()
                refuse(self._layout, record, self._misfit(record, misfits[position], value))
        keep = [position not in misfits for position in range(texts.batch.num_rows)]
        return texts.batch.filter(pa.array(keep, pa.bool_()))

    def _misfit(self, record: Record, place: int, value: str) -> ValueDoesNotFit:
        name = self._layout.names[place]
        wanted = self._layout.options.column_types[name]
        return ValueDoesNotFit(
            f"row {record.row:,} at byte {record.byte:,}: {value[:100]!r} in column {name!r} is not of the type "
            f"{wanted} that column_types demands",
            row=record.row,
            byte=record.byte,
            column=name,
        )
