"""Columns of text into columns of the types that were found or demanded."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import pyarrow as pa

from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.direct import DirectParser, WantedColumns
from millrace.engine.formats.csv.text_rows import CsvTexts, Record, TextLayout, refuse
from millrace.engine.option_list import say_option
from millrace.engine.types import inference
from millrace.engine.types.printing import with_form
from millrace.errors import ValueDoesNotFit


class ConversionTrouble(enum.Enum):
    """Why a block's texts have no values of the types: one contradicts what was found, or what was demanded."""

    WIDER = enum.auto()
    MISFIT = enum.auto()


Converted = pa.RecordBatch | ConversionTrouble


class Types:
    """The types of a file's columns; ``blank`` are the positions of those without a value so far."""

    def __init__(
        self, layout: TextLayout, kinds: tuple[inference.Kind, ...], blank: frozenset[int] = frozenset()
    ) -> None:
        self._layout = layout
        self._kinds = kinds
        self._blank = blank
        self._demanded = list[int]()
        self._inferred: dict[inference.Kind, list[int]] = {}
        for position, (name, kind) in enumerate(zip(layout.names, kinds, strict=True)):
            if name in layout.options.column_types:
                self._demanded.append(position)
            else:
                self._inferred.setdefault(kind, []).append(position)
        fields = zip(layout.names, kinds, strict=True)
        self.schema = pa.schema([with_form(pa.field(name, kind.type), kind.form) for name, kind in fields])

    def direct(self) -> DirectTypes | None:
        """What makes typed batches of blocks at once, if anything does."""
        parser = self.direct_parser()
        if parser is None:
            return None
        return DirectTypes(self, parser)

    def direct_parser(
        self, *, skipped: frozenset[int] = frozenset(), as_text: frozenset[int] = frozenset()
    ) -> DirectParser | None:
        """What makes columns of blocks at once, some of them as text; those that are skipped come as nulls."""
        schema = self.schema
        for position in as_text:
            schema = schema.set(position, pa.field(schema.field(position).name, pa.string()))
        return self._layout.direct_parser(WantedColumns(schema, self._blank, skipped))

    def convert_column(self, position: int, texts: pa.Array) -> pa.Array | None:
        """One column with its type; None if a text contradicts it."""
        if position in self._blank:
            return None
        kind = self._kinds[position]
        if position not in self._demanded:
            return inference.fit(texts, kind)
        try:
            return inference.demand(kind, texts)
        except pa.ArrowInvalid:
            return None

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch | ConversionTrouble:
        """The rows with their types, or what contradicts them; that of rows to be put aside counts, too."""
        if not is_blank(map(batch.column, self._blank)):
            return ConversionTrouble.WIDER
        columns = self._fit_columns(batch)
        if columns is None:
            return ConversionTrouble.WIDER
        try:
            for position in self._demanded:
                columns[position] = inference.demand(self._kinds[position], batch.column(position))
        except pa.ArrowInvalid:
            if self._is_outgrown(batch):
                return ConversionTrouble.WIDER
            return ConversionTrouble.MISFIT
        # Columns were fitted kind by kind, and those that were demanded last: not in the order of the file.
        arrays = [columns[position] for position in range(len(columns))]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _fit_columns(self, batch: pa.RecordBatch) -> dict[int, pa.Array] | None:
        """The columns whose kinds were inferred, by position; None if a text does not fit."""
        columns: dict[int, pa.Array] = {}
        for kind, positions in self._inferred.items():
            values = inference.fit_all(_select(batch, positions), kind)
            if values is None:
                return None
            columns.update(zip(positions, values, strict=True))
        return columns

    def find_contradictions(self, batch: pa.RecordBatch) -> set[int]:
        """The positions of columns with a text that does not fit the kind that was inferred for them."""
        contradicting: set[int] = set()
        for kind, positions in self._inferred.items():
            if inference.fit_all(_select(batch, positions), kind) is None:
                contradicting.update(at for at in positions if inference.fit(batch.column(at), kind) is None)
        return contradicting

    def _is_outgrown(self, batch: pa.RecordBatch) -> bool:
        """Whether values have more digits than were seen when room was made for what was demanded, or no zone."""
        for position in self._demanded:
            wanted = self._layout.options.column_types[self._layout.names[position]]
            held = inference.Demanded.held_by(wanted, self._kinds[position])
            if held.observe(batch.column(position)).resolve() != self._kinds[position]:
                return True
        return False

    def convert_good(self, texts: CsvTexts) -> pa.RecordBatch | ConversionTrouble:
        """The rows whose values are of the types that were demanded; the others are reported or raised."""
        misfits = self._find_misfits(texts.batch)
        # The texts are those of the good rows alone: behind a bad first record, the second record is row 0 of the
        # batch.
        good = (record for record in self._layout.judge(texts.block, texts.first) if record.error is None)
        for index, record in enumerate(good):
            if index in misfits:
                value = texts.batch.column(misfits[index])[index].as_py()
                refuse(self._layout, record, self._misfit(record, misfits[index], value))
        keep = [index not in misfits for index in range(texts.batch.num_rows)]
        return self.convert(texts.batch.filter(pa.array(keep, pa.bool_())))

    def _find_misfits(self, batch: pa.RecordBatch) -> dict[int, int]:
        """The rows with a value that is not of the type that was demanded: index to the first such column."""
        misfits: dict[int, int] = {}
        for position in self._demanded:
            for index in inference.misfits(self._kinds[position], batch.column(position)):
                misfits.setdefault(index, position)
        return misfits

    def _misfit(self, record: Record, position: int, value: str) -> ValueDoesNotFit:
        name = self._layout.names[position]
        wanted = self._layout.options.column_types[name]
        option = say_option(self._layout.options.face, "column_types")
        return ValueDoesNotFit(
            f"row {record.row:,} at byte {record.byte:,}: {value[:100]!r} in column {name!r} is not of the type "
            f"{wanted} that {option} demands{_describe_loss(self._kinds[position], value)}",
            row=record.row,
            byte=record.byte,
            column=name,
        )


class DirectTypes:
    """Makes typed batches of blocks in one step; None of those in which a text contradicts its type, or may."""

    def __init__(self, types: Types, parser: DirectParser) -> None:
        self._types = types
        self._reading = (parser, frozenset[int]())

    def __call__(self, block: Block) -> tuple[pa.RecordBatch, pa.RecordBatch | ConversionTrouble] | None:
        """The block's rows with their types, twice: they are what was read, and what was made of it."""
        # One value, since another thread may ask for more texts in between.
        parser, undecided = self._reading
        parsed = parser.parse(block.data)
        if parsed is None:
            return None
        columns, texts = parsed.batch.columns, parsed.texts | undecided
        for position in texts:
            values = self._types.convert_column(position, columns[position])
            if values is None:
                return None
            columns[position] = values
        if texts != undecided:
            self._ask_for_text(texts)
        batch = pa.RecordBatch.from_arrays(columns, schema=self._types.schema)
        return batch, batch

    def _ask_for_text(self, positions: frozenset[int]) -> None:
        """Read columns as text at once whose texts the kernel could not decide, such as 1.5e-7: more of them follow."""
        parser = self._types.direct_parser(as_text=positions)
        if parser is not None:
            self._reading = (parser, positions)


def _describe_loss(kind: inference.Kind, value: str) -> str:
    """For a number that a double holds with fewer digits: what it would become, and the type that keeps it."""
    if kind != inference.DOUBLE:
        return ""
    try:
        held = float(value)
    except ValueError:
        return ""
    return f": a float would make {held!r} of it, demand decimal or text"


def _select(batch: pa.RecordBatch, positions: Iterable[int]) -> list[pa.Array]:
    return list(map(batch.column, positions))


def is_blank(columns: Iterable[pa.Array]) -> bool:
    """Whether columns have no value at all."""
    return all(column.null_count == len(column) for column in columns)
