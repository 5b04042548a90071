"""Convert files by path with the code that the functions run: one file, or many jobs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from millrace.engine.destination import Converted, Destination, Sink
from millrace.engine.file_names import ARCHIVE_EXTENSIONS, is_archive, recognise_told, with_extensions
from millrace.engine.file_origin import FileOrigin
from millrace.engine.formats.streams.decompression import require_compression
from millrace.engine.one_file import NO_CONTEXT, ConversionContext, convert
from millrace.engine.options import (
    SOURCE_FORMATS,
    BadRows,
    Compression,
    FileFormat,
    OutputCompression,
    ReadOptions,
    WriteOptions,
    output_compressions,
    recognise,
)
from millrace.engine.recipe import Recipe
from millrace.engine.row_counts import RowCounts
from millrace.engine.table_sources import Source
from millrace.errors import UsageError

if TYPE_CHECKING:
    from millrace.engine.formats.streams.archive import Archive, Member

_MIB = 2**20
_STREAM = "-"
"""What other tools take for standard input and output."""
_MOST_SHOWN = 20


class FileTarget(Sink, Protocol):
    """An output of which nothing is visible until it is published."""

    def publish(self) -> None:
        """Put what was written in its place, whole."""
        ...


FindFileOrigin = Callable[[str], FileOrigin]
OpenSource = Callable[[str], BinaryIO]
OpenTarget = Callable[[str], FileTarget]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file to convert. ``source_format`` None means: what the source's name says, as for both compressions.

    An archive is one table of its members, or of ``member`` alone, a member's whole name.
    """

    source: str
    target: str
    to: FileFormat
    source_format: FileFormat | None = None
    compression: Compression | None = None
    compress: OutputCompression | None = None
    read: ReadOptions = ReadOptions()  # noqa: RUF009 # frozen
    write: WriteOptions = WriteOptions()  # noqa: RUF009 # frozen
    quarantine: str | None = None
    subfolder: str | None = None
    member: str | None = None


class LocalTarget:
    """A file written under a temporary name in its folder, and renamed once it is whole."""

    def __init__(self, path: str) -> None:
        _check_target(path)
        # Behind a link is what is meant: the link stays one, as with cp and the shell.
        self._path = Path(os.path.realpath(path))
        self._temporary = self._path.with_name(f".{self._path.name[:100]}.{secrets.token_hex(8)}.part")
        try:
            self._file = self._temporary.open("xb", buffering=_MIB)
        except OSError as error:
            raise UsageError(f"target: {path} cannot be written: {error.strerror}") from error

    def write(self, data: bytes | memoryview) -> int:
        """Take the next bytes."""
        return self._file.write(data)

    def discard(self) -> None:
        """Forget all that was written; what stood at the place before still does."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def publish(self) -> None:
        """Put the file in its place, whole."""
        self._file.close()
        self._temporary.replace(self._path)


def _check_target(path: str) -> None:
    """Raise UsageError for what is there and is no file: a rename would put a file in its place, as in /dev/null's."""
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"target: {path} is a folder; name a file in it")
    if path == _STREAM:
        raise UsageError("target: - is no file's name: a pipe cannot be whole or absent; name a file, or ./-")
    if target.exists() and not target.is_file():
        raise UsageError(f"target: {path} is no file, and would be replaced by one; name a file")


def open_local_source(path: str) -> BinaryIO:
    """A local file to read; what can be read once only, such as a pipe, is kept first.

    Raises: UsageError where there is none.
    """
    if path == _STREAM:
        raise UsageError("source: - is no file's name; standard input is /dev/stdin, and a file of that name ./-")
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - who reads it closes it
        return file if file.seekable() else _keep_stream(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"source: {path} cannot be read: {reason}") from error


def _keep_stream(stream: BinaryIO) -> BinaryIO:
    """A file without a name that has all of a stream: readers look at a file's end, and go back."""
    with stream:
        kept = tempfile.TemporaryFile()  # noqa: SIM115 - who reads it closes it
        shutil.copyfileobj(stream, kept, _MIB)
    kept.seek(0)
    return kept


def find_local_origin(path: str) -> FileOrigin:
    """What source columns hold of a local file: its path as it was given, and its time; it has no version."""
    modified = datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)
    return FileOrigin(file=path, modified=modified)


def convert_file(
    job: Job,
    *,
    open_source: OpenSource = open_local_source,
    open_target: OpenTarget = LocalTarget,
    find_origin: FindFileOrigin = find_local_origin,
) -> RowCounts:
    """Convert one file. The target is there whole, or as it was before the call.

    ``find_origin`` says what source columns hold of the source, once it is open.

    Raises DataError where the content is refused, UsageError where source, target or options are wrong.
    """
    recipe = _recipe(job)
    target = _place(job)
    with contextlib.ExitStack() as undo:
        source = undo.enter_context(contextlib.closing(open_source(job.source)))
        context = NO_CONTEXT
        if recipe.read.source_columns:
            context = ConversionContext(origin=find_origin(job.source))
        done = _convert_source(job, source, recipe, _to_destination(job, target, open_target), context)
        undo.callback(done.discard)  # harmless once it is published
        if job.quarantine:
            aside = done.quarantine or open_target(job.quarantine)
            undo.callback(aside.discard)
            aside.publish()
        for part in done.parts:
            part.sink.publish()
    return done.rows


def _to_destination(job: Job, target: str, open_target: OpenTarget) -> Destination[FileTarget]:
    def open_output(_directory: str | None) -> FileTarget:
        return open_target(target)

    if not job.quarantine:
        return Destination(open_output)
    return Destination(open_output, partial(open_target, job.quarantine))


def _convert_source(
    job: Job, source: BinaryIO, recipe: Recipe, destination: Destination[FileTarget], context: ConversionContext
) -> Converted[FileTarget]:
    if not is_archive(job.source):
        check_member(job.source, job.member)
        if job.compression is not None:
            require_compression(source, job.compression)
        return convert(source, recipe, destination, context)
    return _convert_archive(job, source, recipe, destination, context)


def _convert_archive(
    job: Job, source: BinaryIO, recipe: Recipe, destination: Destination[FileTarget], context: ConversionContext
) -> Converted[FileTarget]:
    from millrace.engine.formats.streams.archive import open_archive  # noqa: PLC0415 - most files are no archives
    from millrace.engine.many_files import convert_many  # noqa: PLC0415 - most files are converted alone

    with open_archive(source, job.source, file_format=job.source_format) as archive:
        members = choose_members(archive, job.member)
        sources = [_to_source(job.source, member, recipe.read, context.origin) for member in members]
        return convert_many(sources, recipe, destination, context)


def check_member(path: str, member: str | None) -> None:
    """Raise UsageError if a member is asked for of a file that is named like no archive."""
    if member is not None:
        raise UsageError(f"member: {path} is no archive; those end in {', '.join(ARCHIVE_EXTENSIONS)}")


def choose_members(archive: Archive, name: str | None) -> tuple[Member, ...]:
    """The members to read: all, or the one of that name.

    Raises: BadArchive if none can be read, UsageError if there is no such member.
    """
    members = archive.require_members()
    if name is None:
        return members
    chosen = tuple(member for member in members if member.name == name)
    if not chosen:
        known = ", ".join(repr(member.name) for member in members[:_MOST_SHOWN])
        raise UsageError(f"member: the {archive.noun} has no {archive.part} {name!r} that can be read; it has {known}")
    return chosen


def _to_source(path: str, member: Member, read: ReadOptions, origin: FileOrigin) -> Source:
    return Source(
        name=member.name,
        format=member.known.format,
        read=with_extensions(read, member.known),
        open=member.open,
        find_origin=partial(replace, origin, file=f"{path}/{member.name}"),
    )


def _recipe(job: Job) -> Recipe:
    asked = job.read
    if job.quarantine:
        asked = replace(asked, bad_rows=BadRows.QUARANTINE)
    if is_archive(job.source):
        source_format, read = job.source_format or FileFormat.CSV, asked
    else:
        source_format, read = how_to_read(job.source, job.source_format, job.compression, asked)
    return Recipe(source_format=source_format, target_format=job.to, read=read, write=_how_to_write(job))


def _how_to_write(job: Job) -> WriteOptions:
    accepted = output_compressions(job.to)
    compression = job.compress
    if compression is None:
        compression = _output_compression_of(job.target, accepted)
    if compression not in {None, *accepted}:
        raise UsageError(f"compress: {compression} is not what {job.to} may have; expected {', '.join(accepted)}")
    return replace(job.write, compression=compression)


def _output_compression_of(path: str, accepted: Sequence[OutputCompression]) -> OutputCompression | None:
    """The compression that a path's extension names, if it is one of the accepted."""
    for compression in accepted:
        if compression.extension and path.lower().endswith(compression.extension):
            return compression
    return None


def how_to_read(
    path: str, source_format: FileFormat | None, compression: Compression | None, asked: ReadOptions
) -> tuple[FileFormat, ReadOptions]:
    """A file's format and the options to read it with: what is not given (None) is what its name says."""
    recognised = recognise_told(path, source_format) if source_format else recognise(path)
    if source_format is None and recognised is not None:
        source_format = recognised.format
    if source_format is None:
        raise UsageError(_describe_nameless(path))
    if recognised is None:
        return source_format, replace(asked, compression=compression or _compression_of(path))
    named = with_extensions(asked, recognised)
    return source_format, replace(named, compression=compression or recognised.compression)


def _describe_nameless(path: str) -> str:
    if Path(path).is_dir():
        return f"source: {path} is a folder; name a file in it"
    *first, last = SOURCE_FORMATS
    formats = f"{', '.join(first)} or {last}"
    return f"source: the name {path} does not tell its format; say which with --from (a job with from): {formats}"


def _compression_of(path: str) -> Compression:
    extension = PurePosixPath(path).suffix.lower().removeprefix(".")
    if extension in set(Compression):
        return Compression(extension)
    return Compression.NONE


def _place(job: Job) -> str:
    if not job.subfolder:
        return job.target
    below = PurePosixPath(job.subfolder)
    # What leads out on Windows leads out: jobs are written on one machine and run on another.
    windows = PureWindowsPath(job.subfolder)
    if below.is_absolute() or windows.anchor or ".." in {*below.parts, *windows.parts}:
        raise UsageError(f"subfolder: {job.subfolder!r} leads out of the target's folder")
    if job.target.startswith("s3://"):
        folder, _, name = job.target.rpartition("/")
        return f"{folder}/{below}/{name}"
    target = Path(job.target)
    folder_path = target.parent / below
    try:
        folder_path.mkdir(exist_ok=True, parents=target.parent.is_dir())
    except OSError as error:
        raise UsageError(f"subfolder: {folder_path} cannot be made: {error.strerror}") from error
    return str(folder_path / target.name)
