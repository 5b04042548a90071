"""The types of a sample where the kernel reads it: each column gets the first kind that all of its texts fit.

It is the same kind that the evidence of all texts has (`types.inference`): that is the first of the same candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from millrace.engine.formats.csv.direct import DirectParser
from millrace.engine.formats.csv.text_rows import CsvTexts, TextLayout
from millrace.engine.formats.csv.types import Converted, Types
from millrace.engine.parallel import in_order
from millrace.engine.types.inference import TEXT, Candidates, Kind


def settle_types(
    layout: TextLayout, sample: list[CsvTexts], demanded: Mapping[int, Kind]
) -> tuple[Types, list[Converted]] | None:
    """The types of a sample and its rows with these; None without a kernel, or if a demanded kind does not fit.

    ``demanded`` are the kinds of columns that cannot have others, by position.
    """
    settling = _Settling(layout, sample, demanded)
    # Most kinds that do not fit fail in the first block: the others are not read for them. Most files are one block.
    if not settling.settle(sample[:1]):
        return None
    if len(sample) > 1 and not settling.settle(sample):
        return None
    types = settling.make_types()
    return types, [_to_batch(columns, types.schema) for columns in settling.columns]


class _Settling:
    """Tries kinds, column by column, until all texts fit; ``columns`` are those that do, by position, of each block."""

    def __init__(self, layout: TextLayout, sample: list[CsvTexts], demanded: Mapping[int, Kind]) -> None:
        self._layout = layout
        self._demanded = demanded
        self._candidates = dict[int, Candidates]()
        self._kinds = dict(demanded)
        self.columns = list[dict[int, pa.Array]]()
        for position in range(len(layout.names)):
            if position not in demanded:
                candidates = Candidates([texts.batch.column(position) for texts in sample])
                self._candidates[position] = candidates
                self._kinds[position] = candidates.next_kind()

    def make_types(self) -> Types:
        """The types with the kinds that are tried now."""
        blank = frozenset(position for position, column in self._candidates.items() if column.is_blank)
        kinds = tuple(self._kinds[position] for position in range(len(self._kinds)))
        return Types(self._layout, kinds, blank)

    def settle(self, blocks: list[CsvTexts]) -> bool:
        """Find the kinds that fit all blocks; False if that is not to be found so."""
        self.columns = [{} for _ in blocks]
        pending = frozenset(self._kinds)
        while pending:
            contradicting = self._try_kinds(blocks, pending)
            if contradicting is None or not contradicting.isdisjoint(self._demanded):
                return False
            # 1, 2, x is no column of integers, and at last one of text. A column that fits is not read again.
            for position in contradicting:
                self._kinds[position] = self._candidates[position].next_kind()
            pending = contradicting
        return True

    def _try_kinds(self, blocks: list[CsvTexts], pending: frozenset[int]) -> frozenset[int] | None:
        """The positions of columns with a text that does not fit, out of some; None without a kernel."""
        types = self.make_types()
        parser = types.direct_parser(skipped=frozenset(self._kinds) - pending)
        if parser is None:
            return None
        attempt = _Attempt(types, parser, {position: self._kinds[position] for position in pending})
        contradicting = frozenset[int]()
        results = in_order(attempt, blocks, workers=self._layout.options.work.processors)
        for columns, fitting in zip(self.columns, results, strict=True):
            columns.update(fitting)
            contradicting |= pending - fitting.keys()
        return contradicting


def _to_batch(columns: Mapping[int, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [columns[position] for position in range(len(schema))]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Reads some columns of a block with certain kinds."""

    types: Types
    parser: DirectParser
    kinds: Mapping[int, Kind]

    def __call__(self, texts: CsvTexts) -> dict[int, pa.Array]:
        """The columns of which all texts have the kind, by position."""
        columns = self._read_directly(texts)
        for position, kind in self.kinds.items():
            column = texts.batch.column(position)
            if kind == TEXT:
                columns[position] = column
            elif position not in columns and (values := self.types.convert_column(position, column)) is not None:
                columns[position] = values
        return columns

    def _read_directly(self, texts: CsvTexts) -> dict[int, pa.Array]:
        """The columns that the kernel can read: none of a block with bad rows."""
        typed = [position for position, kind in self.kinds.items() if kind != TEXT]
        if not typed or texts.rows != texts.batch.num_rows:
            return {}
        parsed = self.parser.parse(texts.block.data)
        if parsed is None:
            return {}
        return {position: parsed.batch.column(position) for position in typed if position not in parsed.texts}
