"""What the commands that read a file share: options as they are typed, a bar while a person waits, places of errors."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, cast, get_args

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from millrace.engine.options import ColumnType, FileFormat
from millrace.errors import DataError, UsageError

_PROGRESS_FROM_BYTES = 32 * 2**20
SOURCES = (FileFormat.CSV, FileFormat.JSON, FileFormat.PARQUET)
TARGETS = tuple(FileFormat)
_NAMED_CHARACTERS = {
    "\\t": "\t",
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "bar": "|",
    "double": '"',
    "single": "'",
    "backslash": "\\",
}
_NAMES = ", ".join(name for name in _NAMED_CHARACTERS if name.isalpha())


def place(error: DataError) -> str:
    """Row and byte of an error whose text does not name them."""
    told = str(error)
    places = (("row", error.row), ("byte", error.byte))
    known = [f"{name} {value}" for name, value in places if value is not None and f"{name} {value}" not in told]
    return f" ({', '.join(known)})" if known else ""


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
    if name not in {str(one) for one in accepted}:
        raise UsageError(f"{option}: {name!r} is not one of {', '.join(accepted)}")
    return FileFormat(name)


def character(option: str, text: str | None) -> str | None:
    """One character, or None; the tab may be typed by its name."""
    text = _NAMED_CHARACTERS.get(text or "", text)
    if text and len(text) != 1:
        raise UsageError(f"{option}: {text!r} has {len(text)} characters; expected one, or {_NAMES}")
    return text or None


def mark(option: str, text: str | None) -> str | None:
    """A quote or an escape: None if it is to be detected, and "" for none at all."""
    if text is None:
        return None
    return "" if text == "none" else character(option, text) or ""


def demanded_types(texts: Iterable[str] | None) -> Mapping[str, ColumnType]:
    """Types by column name, each typed as NAME=TYPE."""
    return MappingProxyType(dict(map(_demanded, texts or ())))


def _demanded(text: str) -> tuple[str, ColumnType]:
    name, _, wanted = text.rpartition("=")
    if not name or wanted not in get_args(ColumnType):
        raise UsageError(f"--column-type: {text!r} is not NAME=TYPE with one of {', '.join(get_args(ColumnType))}")
    return name, cast("ColumnType", wanted)
