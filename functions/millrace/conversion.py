"""Convert one file: a reader's record batches into a writer, the next one parsed while one is encoded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import BinaryIO, Generic, Protocol, TypeVar

from millrace import schema
from millrace.errors import MalformedFile
from millrace.file_format import FileFormat, ReadOptions, WriteOptions
from millrace.formats import READERS, WRITERS, BadRow

_MOST_ATTEMPTS = 3


class Sink(Protocol):
    """Where an output's bytes go; nothing of them is visible to anybody until its owner publishes it."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...

    def discard(self) -> None:
        """Forget all that was written; harmless when called twice."""
        ...


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes what, and how."""

    source_format: FileFormat
    target_format: FileFormat
    read: ReadOptions
    write: WriteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """read = written + quarantined + filtered, always."""

    read: int
    written: int
    quarantined: int = 0
    filtered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Generic[S]):
    """A finished conversion: its counts and the sinks that hold the bytes, not yet published."""

    rows: RowCounts
    output: S
    quarantine: S | None = None


def convert(
    source: BinaryIO,
    recipe: Recipe,
    *,
    open_output: Callable[[], S],
    open_quarantine: Callable[[], S] | None = None,
    on_batch: Callable[[int], None] = lambda _rows: None,
) -> Converted[S]:
    """Convert a seekable binary ``source``.

    ``open_output`` is called anew whenever the conversion starts over with wider types; what it gave before has been
    discarded by then, as it has when an error is raised. ``on_batch`` hears the rows read so far after every batch,
    and may raise to stop.

    Raises DataError, or whatever ``source``, the sinks and ``on_batch`` raise.
    """
    types: object = None
    for _ in range(_MOST_ATTEMPTS):
        outputs = _Outputs(open_output, open_quarantine)
        try:
            return _attempt(source, recipe, types, outputs, on_batch)
        except schema.Widened as widened:
            outputs.discard()
            types = widened.types
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the file's types changed while it was read again: does somebody write to it?")


class _Outputs(Generic[S]):
    """The sinks of one attempt, opened when they are needed."""

    def __init__(self, open_output: Callable[[], S], open_quarantine: Callable[[], S] | None) -> None:
        self._open_output = open_output
        self._open_quarantine = open_quarantine
        self._opened: list[S] = []
        self.quarantine: S | None = None
        self.quarantined = 0

    def open(self) -> S:
        output = self._open_output()
        self._opened.append(output)
        return output

    def put_aside(self, bad: BadRow) -> None:
        """Write a bad row's line, number, place, reason and text to the quarantine; without one it is only counted."""
        self.quarantined += 1
        if self._open_quarantine is None:
            return
        if self.quarantine is None:
            self.quarantine = self._open_quarantine()
            self._opened.append(self.quarantine)
        self.quarantine.write(json.dumps(dataclasses.asdict(bad), ensure_ascii=False).encode(errors="replace") + b"\n")

    def discard(self) -> None:
        for sink in self._opened:
            sink.discard()


def _options(recipe: Recipe) -> ReadOptions:
    """The options to read with. From text to text every type is printed back as it was, so none has to be found."""
    if recipe.source_format is recipe.target_format is FileFormat.CSV and not recipe.read.column_types:
        return replace(recipe.read, infer_types=False)
    return recipe.read


def _attempt(
    source: BinaryIO, recipe: Recipe, types: object, outputs: _Outputs[S], on_batch: Callable[[int], None]
) -> Converted[S]:
    source.seek(0)
    records = READERS[recipe.source_format](source, _options(recipe), types=types, report=outputs.put_aside)
    output = outputs.open()
    writer = WRITERS[recipe.target_format](output, records.schema, recipe.write)
    written = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder") as encoder:
        encoding: Future[None] | None = None
        for batch in records.batches:
            if encoding is not None:
                encoding.result()
            encoding = encoder.submit(writer.write, batch)
            written += batch.num_rows
            on_batch(written + outputs.quarantined)
        if encoding is not None:
            encoding.result()
    writer.close()
    rows = RowCounts(read=written + outputs.quarantined, written=written, quarantined=outputs.quarantined)
    return Converted(rows=rows, output=output, quarantine=outputs.quarantine)
