"""Reading JSON: objects one after the other, or one array of them, whichever the bytes are.

Nothing is guessed: numbers keep their digits, names may not repeat, missing fields are null. The native kernel or
Arrow's parser reads the pieces of text that it is proven to read exactly, several at once; the exact parser reads the
others and reports bad rows. All give the same rows and the same types, so nobody sees which one read what.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import BinaryIO, NoReturn, TypeAlias

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Records, Widened
from millrace.engine.formats.json import exact as json_exact
from millrace.engine.formats.json import plans as json_plans
from millrace.engine.formats.json.exact import ExactParser, ExactRows, Report
from millrace.engine.formats.json.feed import DividedPiece, Feed, JsonFeed, JsonPiece, JsonText
from millrace.engine.formats.json.planned_rows import Doubt, PlannedRows
from millrace.engine.formats.json.plans import PiecePlan
from millrace.engine.formats.json.records import RecordsFeed
from millrace.engine.formats.json.types import Node, fields_of
from millrace.engine.formats.json.values import Row
from millrace.engine.formats.limits import are_nearly_empty, leaves, refuse_nearly_empty
from millrace.engine.formats.streams.decompression import open_plain
from millrace.engine.formats.streams.encoding import JSON_ENCODING, Utf8Stream
from millrace.engine.json_paths import find_record_path
from millrace.engine.options import BadRows, ReadOptions
from millrace.engine.parallel import in_order

JsonRows: TypeAlias = "ExactRows | PlannedRows"
FindPlan = Callable[[Node], PiecePlan | None]
"""Finds how the kernel or Arrow's parser can read rows of a node; None: the exact parser reads them."""

_DOUBTFUL_PART = 64
"""Of a piece with a doubtful row so small a part is read exactly at first: 16 KB of a megabyte."""


@dataclass(frozen=True, slots=True)
class LearnedFields(Learned):
    """What is known of the fields of a JSON file's rows."""

    top: Node


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,
    report: Report,
    find_plan: FindPlan = json_plans.plan,
) -> Records:
    """Open a JSON file; see ``formats.base.Reader``."""
    if isinstance(learned, LearnedFields):
        file = _JsonFile(source, options, learned.top, report, find_plan)
        file.checks_filling = False
        return Records(fields_of(file.node), _convert(file, [], file.blocks()))
    file = _JsonFile(source, options, Node(), report, find_plan)
    blocks = file.blocks()
    sample = _sample(file, blocks, options.work.json_sample)
    return Records(fields_of(file.node), _convert(file, sample, blocks))


def observe(
    source: BinaryIO, options: ReadOptions, node: Node, *, find_plan: FindPlan = json_plans.plan
) -> Iterator[tuple[int, int]]:
    """Add a file's values to what is known of their types, a block at a time; give each block's rows and size."""
    file = _JsonFile(source, options, node, _ignore, find_plan)
    for block in file.blocks():
        file.learn(block)
        yield block.count, block.size


def rows(source: BinaryIO, options: ReadOptions) -> Iterator[tuple[Row, int]]:
    """A file's rows one by one, parsed exactly, each with how much text it is; raise DataError behind the good ones."""
    pieces = _feed(source, options).pieces()

    def next_piece() -> JsonPiece | None:
        return next(pieces, None)

    parser = _begin_parser(next_piece, options, _ignore)
    for piece in pieces:
        yield from parser.rows(piece)
    parser.finish()


def _ignore(_bad: BadRow) -> None:
    """Do nothing with a bad row: it is reported when rows are written."""


def _begin_parser(next_piece: Callable[[], JsonPiece | None], options: ReadOptions, report: Report) -> ExactParser:
    put_aside = report if options.bad_rows is BadRows.QUARANTINE else None
    parser = ExactParser(next_piece, put_aside, block_bytes=options.work.block, continues=options.place.continues)
    parser.row = options.place.row
    return parser


def _feed(source: BinaryIO, options: ReadOptions) -> Feed:
    path = find_record_path(options.json_records, options.json_parent_fields)
    if path is not None:
        return RecordsFeed(_open_text(source, options), path, options.work.block)
    counts_lines = options.bad_rows is BadRows.QUARANTINE
    text: JsonText = _TextOfPart(source) if options.place.byte else _open_text(source, options)
    return JsonFeed(text, options.work.block, counts_lines=counts_lines, place=options.place)


def _open_text(source: BinaryIO, options: ReadOptions) -> Utf8Stream:
    plain = open_plain(source, options.compression, free_bytes=options.work.unpacked_freely)
    return Utf8Stream(plain, JSON_ENCODING)


class _TextOfPart:
    """Text that begins within a file: what its first bytes are like says nothing of encoding or compression."""

    start = 0

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        source.seek(0)

    def read(self, size: int) -> bytes:
        return self._source.read(size)


@dataclass(frozen=True, slots=True)
class _TriedPiece:
    """A piece that a plan was tried on; None if there was none."""

    piece: JsonPiece
    plan: PiecePlan | None = None
    parsed: PlannedRows | Doubt | None = None


class _JsonFile:
    """A file's rows, and what is known of their types."""

    def __init__(self, source: BinaryIO, options: ReadOptions, node: Node, report: Report, find_plan: FindPlan) -> None:
        self.node = node
        self._fault: Exception | None = None
        pieces = self._pieces(_feed(source, options))
        self._tried = in_order(self._try, pieces, workers=options.work.processors)
        self._parser = _begin_parser(self._next_piece, options, report)
        self._find_plan = find_plan
        self._plan: PiecePlan | None = None
        self._has_learned = False
        self.checks_filling = True
        self._rows = self._bytes = 0
        self._parts = deque[_TriedPiece]()
        self._first_doubtful_bytes = max(1, options.work.block // _DOUBTFUL_PART)
        self._doubtful_bytes = self._first_doubtful_bytes

    def blocks(self) -> Generator[JsonRows, None, None]:
        """All rows, in blocks of about a megabyte of text."""
        with closing(self._tried):
            while (tried := self._next_tried()) is not None:
                parsed = self._try_newer_plan(tried)
                if not isinstance(parsed, PlannedRows):
                    yield from self._doubtful_blocks(tried.piece, parsed)
                    continue
                self._doubtful_bytes = self._first_doubtful_bytes
                yield from self._blocks(replace(tried, parsed=parsed))
            if self._fault:
                raise self._fault
            self._parser.finish()

    def _next_tried(self) -> _TriedPiece | None:
        if self._parts:
            return self._parts.popleft()
        return next(self._tried, None)

    def _doubtful_blocks(self, piece: JsonPiece, doubt: Doubt | None) -> Iterator[JsonRows]:
        """The rows of a piece that no plan fits: those from the one on that does not fit it are read exactly."""
        # A name that comes at row 3,000 makes some rows from there on slow, and not all of them: by what they teach
        # the plan the others are tried again. Where that fails each next time is twice as long.
        division = DividedPiece(piece)
        if doubt is not None:
            division = doubt.divide(piece, self._doubtful_bytes)
            self._doubtful_bytes *= 2
        if division.behind is not None:
            self._parts.appendleft(_TriedPiece(division.behind))
        if division.before is not None:
            yield from self._blocks(_TriedPiece(division.before))
        yield from self._parser.blocks(division.doubtful)

    def _blocks(self, tried: _TriedPiece) -> Iterator[JsonRows]:
        """The rows of a piece, exactly if it does not fit the plan."""
        parsed = self._try_newer_plan(tried)
        if not isinstance(parsed, PlannedRows):
            yield from self._parser.blocks(tried.piece)
            return
        parsed = replace(parsed, first_row=self._parser.row)
        self._parser.pass_over(tried.piece, parsed.count)
        if self._plan is not None:
            self._plan = self._plan.looking_at(parsed.odd)
        yield parsed

    def _pieces(self, feed: Feed) -> Iterator[JsonPiece]:
        """The file's pieces; what stops them is raised only when all before it has been read."""
        pieces = feed.pieces()
        while (piece := self._pull(pieces)) is not None:
            self._renew_plan()
            yield piece

    def _pull(self, pieces: Iterator[JsonPiece]) -> JsonPiece | None:
        try:
            return next(pieces, None)
        except Exception as fault:  # noqa: BLE001 # it is raised in its place
            self._fault = fault
        return None

    def _try(self, piece: JsonPiece) -> _TriedPiece:
        plan = self._plan
        if plan is None:
            return _TriedPiece(piece)
        return _TriedPiece(piece, plan, plan.parse(piece))

    def _try_newer_plan(self, tried: _TriedPiece) -> PlannedRows | Doubt | None:
        """A piece's rows, by the newest plan if the one that was tried on it did not fit."""
        # Pieces are tried ahead: the second is parsed by the plan of the first while that is still being learned from.
        if isinstance(tried.parsed, PlannedRows):
            return tried.parsed
        self._renew_plan()
        if self._plan is None or self._plan is tried.plan:
            return tried.parsed
        return self._plan.parse(tried.piece)

    def _next_piece(self) -> JsonPiece | None:
        tried = self._next_tried()
        if tried is not None:
            return tried.piece
        if self._fault:
            raise self._fault
        return None

    def learn(self, block: JsonRows) -> None:
        """Add a block's values to what is known, and read on by it."""
        self.count(block)
        block.observe(self.node)
        self.plan()

    def count(self, block: JsonRows) -> None:
        """Count a block's rows and how much text they are."""
        self._rows += block.count
        self._bytes += block.size

    def is_nearly_empty(self, columns: int) -> bool:
        """Whether the rows that were counted have too many missing values as so many columns, if that is to be told.

        Once all of the file has been looked at, it is not: what its beginning alone is like decides nothing.
        """
        return self.checks_filling and are_nearly_empty(self._rows, columns, self._bytes)

    def check_filling(self) -> None:
        """Raise TooBig if what is known of all rows makes nearly empty columns of them."""
        columns = leaves(fields_of(self.node))
        if self.is_nearly_empty(columns):
            refuse_nearly_empty(self._rows, columns)

    def plan(self) -> None:
        """Read on by what is known."""
        self._has_learned = True

    def _renew_plan(self) -> None:
        """Make the plan of what is known, now that there is more to read: most objects are but one piece."""
        if not self._has_learned:
            return
        self._has_learned = False
        if self._plan is None or not self._plan.schema.equals(fields_of(self.node), check_metadata=True):
            self._plan = self._find_plan(self.node)

    def as_batches(self, block: JsonRows, into: pa.Schema) -> Iterator[pa.RecordBatch]:
        """A block's rows as batches of the schema of all that is known; it may have been read when less was."""
        if isinstance(block, ExactRows):
            yield from block.as_batches(into)
        elif block.schema.equals(into, check_metadata=True):
            yield block.batch
        else:
            yield from self._read_again(block, into)

    def _read_again(self, block: PlannedRows, into: pa.Schema) -> Iterator[pa.RecordBatch]:
        """A block's rows by all that is known, which is more than when they were read."""
        parsed = self._try_newer_plan(_TriedPiece(block.piece))
        if isinstance(parsed, PlannedRows):
            yield parsed.batch
            return
        for exact in json_exact.blocks_of(block.piece, block.first_row):
            yield from exact.as_batches(into)


def _sample(file: _JsonFile, blocks: Iterator[JsonRows], most_bytes: int) -> list[JsonRows]:
    sample, size = list[JsonRows](), 0
    for block in blocks:
        file.learn(block)
        sample.append(block)
        size += max(block.size, block.cells)
        if size >= most_bytes:
            break
    return sample


def _convert(
    file: _JsonFile, sample: list[JsonRows], rest: Generator[JsonRows, None, None]
) -> Iterator[pa.RecordBatch]:
    into = fields_of(file.node)
    columns = leaves(into)
    file.plan()
    with closing(rest):
        # Of 2,000 rows with ten new names each, 39 million cells would be written for 20,000 values, in a minute and
        # 900 MB. Whether that is all there is in them depends on the whole file, and not on the sample's end.
        if file.is_nearly_empty(columns):
            _start_over(file, rest)
        while sample:
            yield from file.as_batches(sample.pop(0), into)
        for block in rest:
            file.count(block)
            is_wider = block.observe(file.node) and not fields_of(file.node).equals(into, check_metadata=True)
            if is_wider or file.is_nearly_empty(columns):
                _start_over(file, rest)
            yield from file.as_batches(block, into)


def _start_over(file: _JsonFile, rest: Iterator[JsonRows]) -> NoReturn:
    """Learn from the rest of the file, and begin again with what is then known of all of it.

    Raises TooBig if all of it would be nearly empty columns.
    """
    file.plan()
    for block in rest:
        file.learn(block)
    file.check_filling()
    raise Widened(LearnedFields(file.node))
