"""What a conversion writes to: the sinks of one attempt, and the writers into them, one a partition."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Generic

import pyarrow as pa

from millrace.engine.destination import Destination, Part, S, Sink, discard_all
from millrace.engine.formats.base import BadRow, ByteSink, Format, RecordWriter, Text
from millrace.engine.options import WriteOptions
from millrace.engine.transform.binding import BoundTransform
from millrace.engine.transform.partition import directory, split
from millrace.errors import MiscountedRows, TooManyPartitions

MOST_PARTITIONS = 100
"""Outputs of one conversion: each holds up to a part of an upload and a row group in memory."""


class Outputs(Generic[S]):
    """The sinks of one attempt, opened when they are needed."""

    def __init__(self, destination: Destination[S]) -> None:
        self._destination = destination
        self._opened: list[S] = []
        self._pipes: list[_Pipe] = []
        self.quarantine: S | None = None
        self.quarantined = 0

    def open(self, directory: str | None) -> S:
        """A new output's sink."""
        output = self._destination.open_output(directory)
        self._opened.append(output)
        return output

    def put_aside(self, bad: BadRow, file: str | None) -> None:
        """Write a bad row's line, number, byte, reason and text to the quarantine; without one it is only counted."""
        self.quarantined += 1
        if self._destination.open_quarantine is None:
            return
        if self.quarantine is None:
            self.quarantine = self._destination.open_quarantine()
            self._opened.append(self.quarantine)
        facts = {"source": file, **dataclasses.asdict(bad)}
        line = {name: value for name, value in facts.items() if value is not None}
        self.quarantine.write(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")

    def pipe(self, sink: S) -> ByteSink:
        """What a writer may write to until the sinks are discarded."""
        self._pipes.append(_Pipe(sink))
        return self._pipes[-1]

    def discard(self) -> None:
        """Discard all that were opened; one that cannot be discarded does not keep the others."""
        for pipe in self._pipes:
            pipe.stop()
        discard_all(self._opened)


class _Pipe:
    """What a writer writes to: its sink, until that is discarded. Arrow's writers finish their file when collected."""

    def __init__(self, sink: Sink) -> None:
        self._sink: Sink | None = sink

    def write(self, data: bytes | memoryview, /) -> int:
        """Pass bytes on."""
        if self._sink is None:
            return len(data)
        return self._sink.write(data)

    def stop(self) -> None:
        """Let nothing more through."""
        self._sink = None


@dataclass(frozen=True, slots=True)
class PartitionPiece:
    """Rows of one partition, ready to be written; ``weight`` is about the bytes that they take in memory."""

    directory: str | None
    content: pa.RecordBatch | Text
    rows: int
    weight: int


@dataclass(slots=True)
class _OpenOutput(Generic[S]):
    """An output in the making, and the rows that were given to its writer."""

    sink: S
    writer: RecordWriter
    rows: int = 0


class Parts(Generic[S]):
    """The writers of one attempt, one a partition. ``pieces`` may be called anywhere, the rest in rows' order."""

    def __init__(
        self, bound: BoundTransform, target_format: Format, options: WriteOptions, outputs: Outputs[S]
    ) -> None:
        self._bound = bound
        self._format = target_format
        self._options = options
        self._outputs = outputs
        self._open: dict[str | None, _OpenOutput[S]] = {}
        # A file without rows has an output, too, for its columns; divided by a field it has none, since there is no
        # value.
        if bound.partition_field is None:
            self._output(None)

    @property
    def renders(self) -> bool:
        """Whether most of the work is done by ``pieces``."""
        return self._format.render is not None

    def pieces(self, batch: pa.RecordBatch) -> tuple[PartitionPiece, ...]:
        """Rows divided by partition, each as its writer takes it."""
        field = self._bound.partition_field
        if field is None:
            return (self._piece(None, batch),)
        return tuple(self._piece(directory(field, value), part) for value, part in split(batch, field))

    def write(self, pieces: tuple[PartitionPiece, ...]) -> None:
        """Write the next rows."""
        for piece in pieces:
            output = self._output(piece.directory)
            output.writer.write(piece.content)
            output.rows += piece.rows

    def close(self) -> tuple[Part[S], ...]:
        """Finish every output; raise MiscountedRows if one does not hold the rows that were given to it."""
        return tuple(_close(name, output) for name, output in self._open.items())

    def _piece(self, name: str | None, batch: pa.RecordBatch) -> PartitionPiece:
        render = self._format.render
        if render is None:
            return PartitionPiece(name, batch, batch.num_rows, batch.get_total_buffer_size())
        text = render(batch, self._bound.schema)
        return PartitionPiece(name, text, batch.num_rows, sum(map(len, text.pieces)))

    def _output(self, name: str | None) -> _OpenOutput[S]:
        if name not in self._open:
            if len(self._open) >= MOST_PARTITIONS:
                raise TooManyPartitions(
                    f"partition_key: the file has more than {MOST_PARTITIONS} values in the field"
                    f" {self._bound.partition_field!r}, which is the most that one object is divided into;"
                    " choose a field with fewer values, or split the file"
                )
            sink = self._outputs.open(name)
            writer = self._format.write(self._outputs.pipe(sink), self._bound.schema, self._options)
            self._open[name] = _OpenOutput(sink, writer)
        return self._open[name]


def _close(name: str | None, output: _OpenOutput[S]) -> Part[S]:
    held = output.writer.close()
    if held != output.rows:
        where = f" of the partition {name}" if name else ""
        raise MiscountedRows(
            f"the output{where} holds {held:,} rows, {output.rows:,} were given to its writer; nothing is published."
            " This is a defect of Millrace: please report it with the file"
        )
    return Part(name, output.sink, held)
