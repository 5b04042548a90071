"""What a conversion writes to: the sinks of one attempt, and the writers into them, one a partition."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from millrace.errors import TooManyPartitions
from millrace.file_format import FileFormat, WriteOptions
from millrace.formats import WRITERS, BadRow, RecordWriter
from millrace.transform import BoundTransform, directory, split

MOST_PARTITIONS = 100
"""Outputs of one conversion: each holds up to a part of an upload and a row group in memory."""


class Sink(Protocol):
    """Where an output's bytes go; nothing of them is visible to anybody until its owner publishes it."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...

    def discard(self) -> None:
        """Forget all that was written; harmless when called twice."""
        ...


S = TypeVar("S", bound=Sink)


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """One output: its sink, its rows, and the partition's directory, None where the output is not divided."""

    directory: str | None
    sink: S
    rows: int


class Outputs(Generic[S]):
    """The sinks of one attempt, opened when they are needed."""

    def __init__(self, open_output: Callable[[str | None], S], open_quarantine: Callable[[], S] | None) -> None:
        self._open_output = open_output
        self._open_quarantine = open_quarantine
        self._opened: list[S] = []
        self.quarantine: S | None = None
        self.quarantined = 0

    def open(self, directory: str | None) -> S:
        """A new output's sink."""
        output = self._open_output(directory)
        self._opened.append(output)
        return output

    def put_aside(self, bad: BadRow, file: str | None) -> None:
        """Write a bad row's line, number, place, reason and text to the quarantine; without one it is only counted."""
        self.quarantined += 1
        if self._open_quarantine is None:
            return
        if self.quarantine is None:
            self.quarantine = self._open_quarantine()
            self._opened.append(self.quarantine)
        told = dataclasses.asdict(bad) if file is None else {"source": file, **dataclasses.asdict(bad)}
        self.quarantine.write(json.dumps(told, ensure_ascii=False).encode(errors="replace") + b"\n")

    def discard(self) -> None:
        """Discard all that were opened."""
        for sink in self._opened:
            sink.discard()


class Parts(Generic[S]):
    """The writers of one attempt, one a partition, and what they wrote."""

    def __init__(
        self, bound: BoundTransform, target_format: FileFormat, options: WriteOptions, outputs: Outputs[S]
    ) -> None:
        self._bound = bound
        self._begin = WRITERS[target_format]
        self._options = options
        self._outputs = outputs
        self._writers: dict[str | None, tuple[S, RecordWriter]] = {}
        self._rows: Counter[str | None] = Counter()
        if bound.partition_field is None:
            self._writer(None)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next rows, each to its partition."""
        field = self._bound.partition_field
        if field is None:
            self._write(None, batch)
            return
        for value, part in split(batch, field):
            self._write(directory(field, value), part)

    def close(self) -> tuple[Part[S], ...]:
        """Finish every output."""
        for _, writer in self._writers.values():
            writer.close()
        return tuple(Part(name, sink, self._rows[name]) for name, (sink, _) in self._writers.items())

    def _write(self, name: str | None, batch: pa.RecordBatch) -> None:
        self._rows[name] += batch.num_rows
        self._writer(name).write(batch)

    def _writer(self, name: str | None) -> RecordWriter:
        if name not in self._writers:
            if len(self._writers) >= MOST_PARTITIONS:
                raise TooManyPartitions(
                    f"partition_key: the file has more than {MOST_PARTITIONS} values in the field"
                    f" {self._bound.partition_field!r}, which is the most that one object is divided into;"
                    " choose a field with fewer values, or split the file"
                )
            sink = self._outputs.open(name)
            self._writers[name] = sink, self._begin(sink, self._bound.schema, self._options)
        return self._writers[name][1]
