"""What the commands that read a file share: options as they are typed, a bar while a person waits, places of errors."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from millrace.engine.options import SOURCE_FORMATS, TARGET_FORMATS, FileFormat
from millrace.errors import DataError, UsageError

_PROGRESS_FROM_BYTES = 32 * 2**20
SOURCES = SOURCE_FORMATS
TARGETS = TARGET_FORMATS


def place(error: DataError) -> str:
    """Row and byte of an error whose text does not name them."""
    message = str(error)
    places = (("row", error.row), ("byte", error.byte))
    unnamed = [f"{name} {value}" for name, value in places if value is not None and f"{name} {value}" not in message]
    return f" ({', '.join(unnamed)})" if unnamed else ""


@contextlib.contextmanager
def watched(file: BinaryIO, console: Console, *, from_bytes: int = _PROGRESS_FROM_BYTES) -> Iterator[BinaryIO]:
    """The file with a progress bar, where a person waits for a large one."""
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        if not console.is_terminal or size < from_bytes:
            yield file
            return
        columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield progress.wrap_file(file, total=size)


def format_named(option: str, name: str, accepted: Collection[FileFormat]) -> FileFormat:
    """The format of that name; raise UsageError where it is not accepted."""
    if name not in set(map(str, accepted)):
        raise UsageError(f"{option}: {name!r} is not one of {', '.join(accepted)}")
    return FileFormat(name)
