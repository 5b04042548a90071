"""What a format does so that its files can be divided: one object a format, in a module ``parts``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

from millrace.engine.options import ReadOptions
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan

if TYPE_CHECKING:
    from millrace.engine.formats.base import Reader


class FormatParts(Protocol):
    """How files of one format are divided; see ``cutting`` for what each is asked, and raises.

    ``source`` is always the whole file, seekable, as text: what is compressed is inflated.
    """

    def plan(self, source: BinaryIO, read: ReadOptions, part_bytes: int, /) -> FileFrame:
        """What the file's head says of all of it."""
        ...

    def scan(self, source: BinaryIO, frame: FileFrame, index: int, /) -> RangeScan:
        """What one range holds."""
        ...

    def split(self, frame: FileFrame, scans: Sequence[RangeScan], /) -> tuple[FilePart, ...]:
        """The parts; at least one."""
        ...

    def open_part(self, source: BinaryIO, frame: FileFrame, part: FilePart, /) -> BinaryIO:
        """What the part's reader reads: a seekable file, made of the whole one, which is closed by who opened it."""
        ...

    def reader(self, frame: FileFrame, part: FilePart, /) -> Reader | None:
        """What reads it; None: the format's own reader, which counts from ``ReadOptions.place``."""
        ...
