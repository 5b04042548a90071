"""Rows of text whose fields are texts, whatever cuts them: CSV, lines of fixed width, logs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Generic, Protocol, TypeVar

import pyarrow as pa

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.direct import DirectParser, WantedColumns
from millrace.engine.options import ReadOptions
from millrace.engine.parallel import in_order
from millrace.errors import DataError

Report = Callable[[BadRow], None]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CsvTexts:
    """One block's rows as columns of text; ``rows`` counts the bad ones, too, ``first`` is the number of the first.

    Rows that were read with their types at once, without a bad one, are in ``batch`` with these.
    """

    batch: pa.RecordBatch
    first: int
    rows: int
    block: Block


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a block, with its line end, its row, line and byte, and what is wrong with it."""

    data: bytes
    row: int
    line: int
    byte: int
    error: DataError | None


class BlockParser(Protocol):
    """Makes columns of text of a file's blocks."""

    def parse(self, block: Block, /) -> pa.RecordBatch | None:
        """The block's rows, or None where one of them is bad."""
        ...

    def parse_good(self, block: Block, first: int, /) -> CsvTexts:
        """The block's good rows, the first of which has that number; the bad ones are reported or raised."""
        ...


class BadRowPolicy(Protocol):
    """What becomes of a file's bad rows."""

    @property
    def report(self) -> Report:
        """Gets the rows that are put aside."""
        ...

    @property
    def quarantines(self) -> bool:
        """Whether bad rows are put aside."""
        ...


class TextLayout(BadRowPolicy, Protocol):
    """What is known of a file of rows of text before its first row is read, whatever cuts its rows into fields."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        ...

    @property
    def options(self) -> ReadOptions:
        """How the file is read."""
        ...

    def parser(self) -> BlockParser:
        """What makes columns of text of its blocks."""
        ...

    def direct_parser(self, wanted: WantedColumns, /) -> DirectParser | None:
        """What makes columns with types of its blocks at once, if anything does; see ``direct.open_direct``."""
        ...

    def judge(self, block: Block, first: int, /) -> Iterator[Record]:
        """A block's rows one by one, the first of which has that number, each with what is wrong with it."""
        ...


L = TypeVar("L", bound=TextLayout)
Begin = Callable[[BinaryIO, ReadOptions, Report], tuple[L, Iterator[Block]] | None]
"""Opens a file: its layout and its blocks of whole rows, or None if it is empty."""


def texts(
    begin_rows: Begin[L], source: BinaryIO, options: ReadOptions, report: Report
) -> tuple[L, Iterator[CsvTexts]] | None:
    """A seekable file's layout and its rows as columns of text, block by block; None if the file is empty.

    Missing values are null, empty ones are not. ``report`` gets bad rows if the options say quarantine. Raises
    DataError, now or while blocks are pulled.
    """
    opened = begin_rows(source, options, report)
    if opened is None:
        return None
    layout, blocks = opened
    return layout, (texts for texts, _ in parse_blocks(layout, blocks, keep_text))


def keep_text(_batch: pa.RecordBatch) -> None:
    """Make nothing more of text: it is wanted as it is."""


Direct = Callable[[Block], tuple[pa.RecordBatch, R] | None]
"""Makes of a block at once what is wanted of its columns of text; None where these are needed."""


def parse_blocks(
    layout: TextLayout,
    blocks: Iterable[Block],
    then: Callable[[pa.RecordBatch], R],
    first: int = 1,
    direct: Direct[R] | None = None,
) -> Generator[tuple[CsvTexts, R], None, None]:
    """Blocks as columns of text and what ``then`` makes of these, on all processors; ``first`` is the next row.

    Bad rows are reported or raised in their order.
    """
    parser = layout.parser()
    work = _BlockWork(parser, then, direct)
    # A block with a bad row waits for its turn, so that bad rows are reported in their order and with their numbers.
    with closing(in_order(work, blocks, workers=layout.options.work.processors)) as results:
        for block, result in results:
            if result is not None:
                batch, value = result
                texts = CsvTexts(batch, first, batch.num_rows, block)
            else:
                texts = parser.parse_good(block, first)
                value = then(texts.batch)
            first += texts.rows
            yield texts, value


@dataclass(frozen=True, slots=True)
class _BlockWork(Generic[R]):
    """Parses blocks, in any order; a block with a bad row has no result."""

    parser: BlockParser
    then: Callable[[pa.RecordBatch], R]
    direct: Direct[R] | None

    def __call__(self, block: Block) -> tuple[Block, tuple[pa.RecordBatch, R] | None]:
        if self.direct is not None and (result := self.direct(block)) is not None:
            return block, result
        batch = self.parser.parse(block)
        if batch is None:
            return block, None
        return block, (batch, self.then(batch))


def refuse(layout: BadRowPolicy, record: Record, error: DataError) -> None:
    """Put a bad row aside, or raise what is wrong with it."""
    if not layout.quarantines:
        raise error
    raw = record.data.rstrip(b"\r\n")
    layout.report(BadRow.of(raw, line=record.line, row=record.row, byte=record.byte, reason=str(error)))
