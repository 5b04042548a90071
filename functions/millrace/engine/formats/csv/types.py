"""Columns of text into columns of the types that were found or demanded."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import pyarrow as pa

from millrace.engine.formats.csv.texts import Layout, Record, Texts, judged, refuse
from millrace.engine.types import inference
from millrace.engine.types.printing import with_form
from millrace.errors import ValueDoesNotFit


class Trouble(enum.Enum):
    """Why a block's texts have no values of the types: one contradicts what was found, or what was demanded."""

    WIDER = enum.auto()
    MISFIT = enum.auto()


Converted = pa.RecordBatch | Trouble


class Types:
    """The types of a file's columns; ``blank`` are the places of those without a value so far."""

    def __init__(self, layout: Layout, kinds: tuple[inference.Kind, ...], blank: frozenset[int] = frozenset()) -> None:
        self._layout = layout
        self._kinds = kinds
        self._blank = blank
        self._demanded = [place for place, name in enumerate(layout.names) if name in layout.options.column_types]
        self._found: dict[inference.Kind, list[int]] = {}
        for place in sorted(set(range(len(kinds))) - set(self._demanded)):
            self._found.setdefault(kinds[place], []).append(place)
        fields = zip(layout.names, kinds, strict=True)
        self.schema = pa.schema([with_form(pa.field(name, kind.type), kind.form) for name, kind in fields])

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch | Trouble:
        """The rows with their types, or what contradicts them; that of rows to be put aside counts, too."""
        if not is_blank(batch.column(place) for place in self._blank):
            return Trouble.WIDER
        columns: dict[int, pa.Array] = {}
        for kind, places in self._found.items():
            values = inference.fit_all([batch.column(place) for place in places], kind)
            if values is None:
                return Trouble.WIDER
            columns.update(zip(places, values, strict=True))
        try:
            columns.update(
                (place, inference.demand(self._kinds[place], batch.column(place))) for place in self._demanded
            )
        except pa.ArrowInvalid:
            return Trouble.WIDER if self._is_outgrown(batch) else Trouble.MISFIT
        return pa.RecordBatch.from_arrays([columns[place] for place in range(len(columns))], schema=self.schema)

    def contradicted(self, batch: pa.RecordBatch) -> set[int]:
        """The places of columns with a text that does not fit the kind that was found for them."""
        places: set[int] = set()
        for kind, alike in self._found.items():
            if inference.fit_all([batch.column(place) for place in alike], kind) is None:
                places.update(place for place in alike if inference.fit(batch.column(place), kind) is None)
        return places

    def _is_outgrown(self, batch: pa.RecordBatch) -> bool:
        """Whether values have more digits than were seen when room was made for what was demanded, or no zone."""
        for place in self._demanded:
            wanted = self._layout.options.column_types[self._layout.names[place]]
            held = inference.Demanded.held_by(wanted, self._kinds[place])
            if held.observe(batch.column(place)).resolve() != self._kinds[place]:
                return True
        return False

    def convert_good(self, texts: Texts) -> pa.RecordBatch | Trouble:
        """The rows whose values are of the types that were demanded; the others are reported or raised."""
        misfits: dict[int, int] = {}
        for place in self._demanded:
            found = inference.misfits(self._kinds[place], texts.batch.column(place))
            misfits.update((row, place) for row in found if row not in misfits)
        good = (record for record in judged(self._layout, texts.block, texts.first) if record.error is None)
        for position, record in enumerate(good):
            if position in misfits:
                value = texts.batch.column(misfits[position])[position].as_py()
                refuse(self._layout, record, self._misfit(record, misfits[position], value))
        keep = [position not in misfits for position in range(texts.batch.num_rows)]
        return self.convert(texts.batch.filter(pa.array(keep, pa.bool_())))

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


def is_blank(columns: Iterable[pa.Array]) -> bool:
    """Whether columns have no value at all."""
    return all(column.null_count == len(column) for column in columns)
