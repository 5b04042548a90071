"""The files of a table of several: each is a source, with how it is read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from millrace.engine.file_origin import FileOrigin
from millrace.engine.options import FileFormat, ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a table, its name no other's. ``open`` gives a seekable file, as often as it is asked.

    ``find_origin`` says what source columns hold of it, once it has been opened; None: its name alone.
    """

    name: str
    format: FileFormat
    read: ReadOptions
    open: Callable[[], AbstractContextManager[BinaryIO]]
    find_origin: Callable[[], FileOrigin] | None = None

    @property
    def origin(self) -> FileOrigin:
        """What source columns hold of the file, which is or was open."""
        return FileOrigin(file=self.name) if self.find_origin is None else self.find_origin()
