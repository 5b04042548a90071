"""Reading JSON: objects one after the other, or one array of them, whichever the bytes are.

Nothing is guessed: numbers keep their digits, names may not repeat, missing fields are null. Arrow's parser reads the
pieces of text that it is proven to read exactly, several at once; the exact parser reads the others and tells of bad
rows. Both give the same rows and say the same of types, so it does not show which one read what.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import pyarrow as pa

from millrace.engine.formats.base import Learned, Records, Widened
from millrace.engine.formats.json import exact as json_exact
from millrace.engine.formats.json import fast as json_fast
from millrace.engine.formats.json.exact import Parser, Report
from millrace.engine.formats.json.fast import Parsed, Plan
from millrace.engine.formats.json.feed import Feed, Piece
from millrace.engine.formats.json.types import Node, fields_of
from millrace.engine.formats.json.values import Row
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import JSON_ENCODING, Utf8Stream
from millrace.engine.options import BadRows, ReadOptions
from millrace.engine.parallel import in_order

SAMPLE_BYTES = 4 * 2**20
"""How much text is looked at before types are chosen and writing begins."""
Block = json_exact.Rows | Parsed


@dataclass(frozen=True, slots=True)
class LearnedFields(Learned):
    """What is known of the fields of a JSON file's rows."""

    top: Node


def read(source: BinaryIO, options: ReadOptions, *, learned: Learned | None = None, report: Report) -> Records:
    """Open a JSON file; see ``formats.base.Reader``."""
    if isinstance(learned, LearnedFields):
        file = _File(source, options, learned.top, report)
        return Records(fields_of(file.node), _convert(file, [], file.blocks()))
    file = _File(source, options, Node(), report)
    blocks = file.blocks()
    sample = _sample(file, blocks)
    return Records(fields_of(file.node), _convert(file, sample, blocks))


def observe(source: BinaryIO, options: ReadOptions, node: Node) -> Iterator[tuple[int, int]]:
    """Add a file's values to what is known of their types, a block at a time; give each block's rows and size."""
    file = _File(source, options, node, lambda _bad: None)
    for block in file.blocks():
        file.learn(block)
        yield block.count, block.size


def rows(source: BinaryIO, options: ReadOptions) -> Iterator[tuple[Row, int]]:
    """A file's rows one by one, parsed exactly, each with how much text it is; raise DataError behind the good ones."""
    pieces = _feed(source, options).pieces()
    parser = Parser(lambda: next(pieces, None), _reported(options, lambda _bad: None))
    for piece in pieces:
        yield from parser.rows(piece)
    parser.finish()


def _feed(source: BinaryIO, options: ReadOptions) -> Feed:
    stream = Utf8Stream(open_plain(source, options.compression), JSON_ENCODING)
    return Feed(stream, counts_lines=options.bad_rows is BadRows.QUARANTINE)


def _reported(options: ReadOptions, report: Report) -> Report | None:
    return report if options.bad_rows is BadRows.QUARANTINE else None


@dataclass(frozen=True, slots=True)
class _Tried:
    """A piece that a plan was tried on: None where there was none, or where it did not fit."""

    piece: Piece
    plan: Plan | None
    parsed: Parsed | None


class _File:
    """A file's rows, and what is known of their types."""

    def __init__(self, source: BinaryIO, options: ReadOptions, node: Node, report: Report) -> None:
        self.node = node
        self._fault: Exception | None = None
        self._tried = in_order(self._try, self._pieces(_feed(source, options)))
        self._parser = Parser(self._next_piece, _reported(options, report))
        self._plan: Plan | None = None

    def blocks(self) -> Generator[Block, None, None]:
        """All rows, in blocks of about a megabyte of text."""
        with closing(self._tried):
            for tried in self._tried:
                piece, parsed = tried.piece, self._retried(tried)
                if parsed is None:
                    yield from self._parser.blocks(piece)
                    continue
                self._parser.pass_over(piece, parsed.count)
                self._plan = self._plan.looking_at(parsed.odd) if self._plan else None
                yield parsed
            if self._fault:
                raise self._fault
            self._parser.finish()

    def _pieces(self, feed: Feed) -> Iterator[Piece]:
        """The file's pieces; what stops them is raised only where all before it has been read."""
        try:
            yield from feed.pieces()
        except Exception as fault:  # noqa: BLE001 # it is raised in its place
            self._fault = fault

    def _try(self, piece: Piece) -> _Tried:
        plan = self._plan
        return _Tried(piece, plan, plan.parse(piece) if plan else None)

    def _retried(self, tried: _Tried) -> Parsed | None:
        """What became of a piece, by the plan of today where that of its time did not fit."""
        if tried.parsed or self._plan is None or self._plan is tried.plan:
            return tried.parsed
        return self._plan.parse(tried.piece)

    def _next_piece(self) -> Piece | None:
        tried = next(self._tried, None)
        if tried is None and self._fault:
            raise self._fault
        return tried.piece if tried else None

    def learn(self, block: Block) -> None:
        """Add a block's values to what is known, and read on by it."""
        block.observe(self.node)
        self.plan()

    def plan(self) -> None:
        """Read on by what is known."""
        if self._plan is None or not self._plan.schema.equals(fields_of(self.node), check_metadata=True):
            self._plan = json_fast.plan(self.node)

    def as_batches(self, block: Block, into: pa.Schema) -> Iterator[pa.RecordBatch]:
        """A block's rows as batches of the schema of all that is known; it may have been read when less was."""
        if isinstance(block, json_exact.Rows):
            yield from block.as_batches(into)
        elif block.plan.schema.equals(into, check_metadata=True):
            yield block.batch
        elif self._plan and (parsed := self._plan.parse(block.piece)):
            yield parsed.batch
        else:
            for exact in json_exact.blocks_of(block.piece):
                yield from exact.as_batches(into)


def _sample(file: _File, blocks: Iterator[Block]) -> list[Block]:
    sample, size = list[Block](), 0
    for block in blocks:
        file.learn(block)
        sample.append(block)
        size += max(block.size, block.cells)
        if size >= SAMPLE_BYTES:
            break
    return sample


def _convert(file: _File, sample: list[Block], rest: Generator[Block, None, None]) -> Iterator[pa.RecordBatch]:
    into = fields_of(file.node)
    file.plan()
    with closing(rest):
        while sample:
            yield from file.as_batches(sample.pop(0), into)
        for block in rest:
            block.observe(file.node)
            if not fields_of(file.node).equals(into, check_metadata=True):
                _widen(file, rest)
            yield from file.as_batches(block, into)


def _widen(file: _File, rest: Iterator[Block]) -> NoReturn:
    file.plan()
    for block in rest:
        file.learn(block)
    raise Widened(LearnedFields(file.node))
