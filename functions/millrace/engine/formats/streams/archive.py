"""Archives: the members of a zip or a tar as files to read, never extracted to a path.

A member's name is a name and no more: ``/etc/x.csv`` and ``../x.csv`` are read like any other, since nothing is
written where they point to. Members come in the order of their names' UTF-8 bytes, whatever the archive's order.
"""

from __future__ import annotations

import contextlib
import errno
import io
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from millrace.engine.file_names import is_archive, is_hidden_segment, recognise_told
from millrace.engine.formats.streams.decompression import MAX_RATIO, ByteStream, find_compression, open_unpacked, peek
from millrace.engine.formats.streams.first_bytes import is_tar, is_zip, name_compression
from millrace.engine.formats.streams.guarded import WatchedSource
from millrace.engine.options import READ_EXTENSIONS, Compression, FileFormat, RecognisedKey, WorkSizes, recognise
from millrace.errors import ArchiveTooBig, BadArchive, MalformedFile, TruncatedFile

_OTHER_ARCHIVES = (".7z", ".rar", ".tar.lz4", ".cab", ".jar")
_MOST_SHOWN = 3
_IN_MEMORY = 8 * 2**20
"""Of an unpacked member; what is larger goes to a temporary file."""
_COPIED = 2**20
_A_NAME = 512
"""Bytes of the list of a zip's members for each: its record and a long name."""
# pax and GNU headers hold names of any length: a size of gigabytes in one would be read into memory at once.
_TAR_HEADERS = 2**20
# A zip's end record has 22 bytes and a comment of up to 65,535 (APPNOTE.TXT, 4.3.16); zipfile reads that much of the
# end to find it, and the rest here is for the records of zip64.
_ZIP_END = 2**16 + 2**12
_BLOCK = 512
"""A tar's headers and contents are filled up to it (POSIX pax)."""
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    RuntimeError,  # of it is NotImplementedError, too
)
_CUT_OFF = ("unexpected end", "truncated", "empty file")


def _open_spool() -> AbstractContextManager[BinaryIO]:
    return cast("AbstractContextManager[BinaryIO]", tempfile.SpooledTemporaryFile(_IN_MEMORY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may ask for; ``ratio`` is content to packed bytes, and counts from ``free_bytes`` on.

    ``open_spool`` opens the temporary file that a member is unpacked into.
    """

    members: int = 10_000
    member_bytes: int = 4 * 2**30
    total_bytes: int = 16 * 2**30
    ratio: int = MAX_RATIO
    free_bytes: int = WorkSizes().unpacked_freely
    open_spool: Callable[[], AbstractContextManager[BinaryIO]] = _open_spool


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. ``open`` gives its bytes as a seekable file, any number of times, one after the other.

    A workbook's sheet is the member ``book.xlsx/Orders`` of its archive, with the ``workbook`` ``book.xlsx``.
    ``place`` is where its bytes begin and end in a tar without compression; None if they do not lie there as they are.
    """

    name: str
    known: RecognisedKey
    size: int
    open: Callable[[], AbstractContextManager[BinaryIO]]
    workbook: str = ""
    place: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class IgnoredMember:
    """A member that is not read, and why; ``other_format`` is what its name says, if another is asked for."""

    name: str
    reason: str
    other_format: FileFormat | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of an opened archive, in the order of their names; of a workbook, its sheets in their order.

    ``noun`` and ``part`` are what people call it and a member of it.
    """

    members: tuple[Member, ...]
    ignored: tuple[IgnoredMember, ...]
    noun: str = "archive"
    part: str = "member"

    def describe_ignored(self) -> str | None:
        """How many members are ignored, and why the first few are; None if none is."""
        return describe_ignored(self.reasons(), self.part)

    def reasons(self) -> list[str]:
        """Why each of the ignored members is ignored."""
        return [f"{ignored.name!r}: {ignored.reason}" for ignored in self.ignored]

    def require_members(self) -> tuple[Member, ...]:
        """The members; raise BadArchive if there is none to read: nothing would be written over what was good."""
        if self.members:
            return self.members
        if not self.ignored:
            raise BadArchive(f"the {self.noun} has no {self.part}s")
        raise BadArchive(f"the {self.noun} has no {self.part} that can be read ({_list_first(self.reasons())})")


def describe_ignored(reasons: Sequence[str], part: str = "member") -> str | None:
    """How many members are ignored, and why the first few are; None if none is."""
    if not reasons:
        return None
    return f"{len(reasons):,} of its {part}s are ignored: {_list_first(reasons)}"


def _list_first(reasons: Sequence[str]) -> str:
    shown = "; ".join(reasons[:_MOST_SHOWN])
    more = len(reasons) - _MOST_SHOWN
    return shown if more <= 0 else f"{shown}; and {more:,} more"


@dataclass(frozen=True, slots=True)
class _ListedMember:
    """What an archive lists; ``packed`` is how many of its bytes the content takes, None if that says nothing."""

    name: str
    size: int
    packed: int | None
    open: Callable[[], AbstractContextManager[BinaryIO]]
    no_file: str = ""
    unreadable: str = ""
    place: tuple[int, int] | None = None


class _ListedSource(WatchedSource):
    """An archive's source, which refuses reads beyond ``most`` while lists are read."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        super().__init__(source)
        self.most: int | None = most

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def read(self, size: int = -1) -> bytes:
        if self.most is not None and size > self.most:
            self.fault = ArchiveTooBig(
                f"the archive's list of members, or one name in it, has {size:,} bytes; {self.most:,} are the most"
            )
            raise self.fault
        return super().read(size)


class _Packed:
    """A member's content as it is unpacked; whatever that raises becomes ours."""

    def __init__(self, stream: ByteStream, translate: Callable[[], AbstractContextManager[None]]) -> None:
        self._stream = stream
        self._translate = translate

    def read(self, size: int, /) -> bytes:
        with self._translate():
            return self._stream.read(size)


@contextmanager
def open_archive(
    source: BinaryIO, name: str, *, file_format: FileFormat | None = None, limits: Limits | None = None
) -> Iterator[Archive]:
    """The members of a seekable archive; they can be opened until it closes.

    Its first bytes say what it is. If they say nothing, its ``name`` does, so that a damaged one is called by its name.

    Ignored are directories, links, devices, ``__MACOSX/``, hidden names, and members whose extension is foreign or, if
    a ``file_format`` is given, of another format. An extension that says nothing is then of that format.

    Raises ArchiveTooBig beyond the limits; BadArchive if a member is an archive itself, is encrypted or packed in
    an unknown way, or has another's name; TruncatedFile and MalformedFile for bytes that are no such archive.
    """
    limits = limits or Limits()
    size = source.seek(0, io.SEEK_END)
    with contextlib.ExitStack() as stack:
        if _is_zip(source, name):
            entries = _zip_entries(source, size, limits, stack)
        else:
            entries = _tar_entries(_plain_tar(source, size, limits, stack), limits, stack)
        yield _sort_out(entries, file_format, size, limits)


@contextmanager
def open_unpacked_tar(
    source: BinaryIO, *, file_format: FileFormat | None = None, limits: Limits | None = None
) -> Iterator[Archive]:
    """The members of a tar whose compression was undone before, by whoever refused a bomb; see ``open_archive``."""
    limits = limits or Limits()
    size = source.seek(0, io.SEEK_END)
    with contextlib.ExitStack() as stack:
        yield _sort_out(_tar_entries(source, limits, stack), file_format, size, limits)


def is_compressed_tar(source: BinaryIO, name: str) -> bool:
    """Whether a seekable archive is no zip and compressed as a whole, by its first bytes; see ``open_archive``."""
    return not _is_zip(source, name) and find_compression(source, Compression.NONE) is not Compression.NONE


def unpacking_limit(size: int, limits: Limits | None = None) -> Callable[[int], None]:
    """A check of how many bytes a tar of ``size`` bytes has been unpacked to; it raises ArchiveTooBig for too many."""

    def check(unpacked: int) -> None:
        _check_total(unpacked, size, limits or Limits())

    return check


def recognise_member(name: str, file_format: FileFormat | None) -> RecognisedKey | None:
    """What a member's name says, if members of a format are asked for, or whatever each is."""
    return recognise_told(name, file_format) if file_format else recognise(name)


def _sort_out(listed: list[_ListedMember], file_format: FileFormat | None, size: int, limits: Limits) -> Archive:
    """The members to read and those to ignore, in the order of their names' bytes."""
    members: dict[str, Member] = {}
    ignored: list[IgnoredMember] = []
    for entry in sorted(listed, key=_name_bytes):
        key = recognise_member(entry.name, file_format)
        reason = _why_ignored(entry, key, file_format)
        if reason or key is None:
            ignored.append(IgnoredMember(entry.name, reason, _other_format(entry, key, file_format)))
            continue
        # A zip may hold one name twice, and unpackers differ in which one counts.
        if entry.name in members:
            raise BadArchive(f"two members have the name {entry.name!r}: which one counts? Pack the archive anew")
        members[entry.name] = _to_member(entry, key, limits)
    _check_total(sum(member.size for member in members.values()), size, limits)
    return Archive(tuple(members.values()), tuple(ignored))


def _why_ignored(entry: _ListedMember, key: RecognisedKey | None, file_format: FileFormat | None) -> str:
    """Why a member is not read; empty if it is to be read. Raise BadArchive for an archive inside."""
    # A directory "old.zip/" is ignored, and so is ".old.zip": only then is "old.zip" an archive that is refused.
    reason = entry.no_file or why_hidden(entry.name)
    if reason:
        return reason
    if is_archive(entry.name) or entry.name.lower().endswith(_OTHER_ARCHIVES):
        raise BadArchive(f"{entry.name!r} is an archive inside the archive, which is not opened; unpack it first")
    return _why_foreign(key, file_format)


def _other_format(entry: _ListedMember, key: RecognisedKey | None, wanted: FileFormat | None) -> FileFormat | None:
    """The format of a member that is read where others are not asked for."""
    if key is None or wanted is None or entry.no_file or why_hidden(entry.name):
        return None
    return key.format


def _name_bytes(entry: _ListedMember) -> bytes:
    return entry.name.encode()


def _to_member(entry: _ListedMember, key: RecognisedKey, limits: Limits) -> Member:
    if entry.unreadable:
        raise BadArchive(f"{entry.name!r} {entry.unreadable}")
    _check_member(entry, limits)
    return Member(entry.name, key, entry.size, entry.open, place=entry.place)


def why_hidden(name: str) -> str:
    """Why a member of that name is not read: a part of the name hides it; empty if none does."""
    segments = name.replace("\\", "/").split("/")
    if segments[0] == "__MACOSX":
        return "macOS keeps its own notes in __MACOSX"
    hidden = next(filter(is_hidden_segment, segments), "")
    if not hidden:
        return ""
    return f"a part of its name begins with {'a dot' if hidden.startswith('.') else 'an underscore'}"


def _why_foreign(key: RecognisedKey | None, wanted: FileFormat | None) -> str:
    if key is None:
        return f"its extension is none of {', '.join(READ_EXTENSIONS)}"
    if wanted not in {None, key.format}:
        return f"it is a {key.format} file, and others are asked for"
    return ""


def _check_member(entry: _ListedMember, limits: Limits) -> None:
    if entry.size > limits.member_bytes:
        raise ArchiveTooBig(
            f"{entry.name!r} has {entry.size:,} bytes unpacked; {limits.member_bytes:,} are the most of one member"
        )
    if entry.packed is not None:
        _check_ratio(f"{entry.name!r}", entry.size, entry.packed, limits)


def _check_total(unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > limits.total_bytes:
        raise ArchiveTooBig(
            f"the archive has {unpacked:,} bytes unpacked; {limits.total_bytes:,} are the most: split it"
        )
    _check_ratio("the archive", unpacked, packed, limits)


def _check_ratio(what: str, unpacked: int, packed: int, limits: Limits) -> None:
    if unpacked > max(limits.free_bytes, limits.ratio * packed):
        raise ArchiveTooBig(
            f"{what} becomes more than {limits.ratio} times as large unpacked ({unpacked:,} bytes from {packed:,}):"
            " it looks like a bomb and is not read"
        )


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.members:
        raise ArchiveTooBig(f"the archive has more than {limits.members:,} members, which is the most; split it")


@contextmanager
def _translate_errors(listed: _ListedSource, what: str) -> Iterator[None]:
    """Make ours what zipfile and tarfile raise; the source's own errors stay theirs."""
    try:
        yield
    except _BROKEN as error:
        if listed.fault is not None:
            # What S3 or our own limits said goes first: it is no fault of the archive's.
            raise listed.fault from error
        if isinstance(error, EOFError) or any(words in str(error) for words in _CUT_OFF):
            raise TruncatedFile(f"{what} stops before its end: {error or 'bytes are missing'}") from error
        raise MalformedFile(f"{what} is damaged: {error}") from error


def _shown(name: str) -> str:
    """A name as text that can be written anywhere; ``./`` before it means nothing."""
    # tarfile keeps bytes that are no UTF-8 as half characters; neither a log nor a key can hold these.
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    while text.startswith("./"):
        text = text[2:]
    return text


def _zip_entries(source: BinaryIO, size: int, limits: Limits, stack: contextlib.ExitStack) -> list[_ListedMember]:
    source.seek(0)
    begun = source.read(4) == b"PK\x03\x04"
    listed = _ListedSource(source, _ZIP_END + _A_NAME * limits.members)
    try:
        with _translate_errors(listed, "the zip archive"):
            archive = stack.enter_context(zipfile.ZipFile(cast("BinaryIO", listed)))
    except MalformedFile as error:
        # zipfile looks for the list at the end: a zip that was cut off has none, and is then no zip to it.
        if (begun or not size) and "not a zip file" in str(error):
            raise TruncatedFile(
                f"the zip archive stops after {size:,} bytes, before its list of members", byte=size
            ) from error
        raise
    listed.most = None
    _check_count(len(archive.infolist()), limits)
    unpack = partial(_unpack, archive, listed, limits)
    return [_zip_entry(info, unpack) for info in archive.infolist()]


_Unpack = Callable[[zipfile.ZipInfo], AbstractContextManager[BinaryIO]]


def _zip_entry(info: zipfile.ZipInfo, unpack: _Unpack) -> _ListedMember:
    unreadable = ""
    # Bit 0 of the flags: encrypted (APPNOTE.TXT, 4.4.4).
    if info.flag_bits & 0x1:
        unreadable = "is encrypted; pack it without a password"
    elif info.compress_type not in _ZIP_METHODS:
        unreadable = f"is packed by the method {info.compress_type}, which is not known here; pack it by deflate"
    return _ListedMember(
        name=_shown(info.filename),
        size=info.file_size,
        packed=info.compress_size,
        open=partial(unpack, info),
        no_file=_no_file_in_zip(info),
        unreadable=unreadable,
    )


_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_UNIX = 3
_KIND, _REGULAR = 0o170000, 0o100000


def _no_file_in_zip(info: zipfile.ZipInfo) -> str:
    if not info.filename:
        return "it has no name"
    if info.filename.endswith("/"):
        return "it is a directory"
    # Zip programs of Unix keep a file's mode in the upper half: 0o120777 is a link, 0o100644 a regular file.
    kind = (info.external_attr >> 16) & _KIND
    if info.create_system == _UNIX and kind not in {0, _REGULAR}:
        return "it is a link or a device"
    return ""


@contextmanager
def _unpack(
    archive: zipfile.ZipFile, listed: _ListedSource, limits: Limits, info: zipfile.ZipInfo
) -> Iterator[BinaryIO]:
    """A member in a temporary file of no name; its checksum is proven before a byte of it is used."""
    name = _shown(info.filename)
    translated = partial(_translate_errors, listed, f"{name!r} in the zip archive")
    with translated():
        packed = archive.open(info)
    with packed, limits.open_spool() as spool:
        copied = _copy(_Packed(packed, translated), spool)
        # zipfile compares the CRC-32, and not the size that the list of members has.
        if copied != info.file_size:
            raise TruncatedFile(f"{name!r} in the zip archive has {copied:,} bytes of {info.file_size:,}")
        spool.seek(0)
        yield spool


def _any_size(_copied: int) -> None:
    """Accept any number of bytes."""


def _copy(source: ByteStream, spool: BinaryIO, check: Callable[[int], None] = _any_size) -> int:
    copied = 0
    while data := source.read(_COPIED):
        copied += len(data)
        check(copied)
        try:
            spool.write(data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise ArchiveTooBig(
                f"the disk is full after {copied:,} bytes were unpacked; give the function more ephemeral storage, or"
                " split the archive"
            ) from error
    return copied


def _is_zip(source: BinaryIO, name: str) -> bool:
    head = peek(source)
    if is_zip(head):
        return True
    # A zip may begin with something else, such as a program that unpacks it: only its end counts.
    is_known = is_tar(head) or name_compression(head) is not None
    return name.lower().endswith(".zip") and not is_known


def _plain_tar(source: BinaryIO, size: int, limits: Limits, stack: contextlib.ExitStack) -> BinaryIO:
    """The tar without its compression, in a temporary file of no name, since a stream cannot go back."""
    packed = open_unpacked(source)
    if packed is source:
        return source

    spool = stack.enter_context(limits.open_spool())
    _copy(packed, spool, unpacking_limit(size, limits))
    return spool


def _tar_entries(source: BinaryIO, limits: Limits, stack: contextlib.ExitStack) -> list[_ListedMember]:
    source.seek(0)
    listed = _ListedSource(source, _TAR_HEADERS)
    infos: list[tarfile.TarInfo] = []
    with _translate_errors(listed, "the tar archive"):
        archive = stack.enter_context(tarfile.open(fileobj=listed, mode="r:"))  # noqa: SIM115 # the stack closes it
        # One by one, and not getmembers(): an archive of a million members is refused at the first that is too many.
        while (info := archive.next()) is not None:
            infos.append(info)
            _check_count(len(infos), limits)
        _check_end(listed, archive.offset)
    listed.most = None
    return [_tar_entry(archive, info) for info in infos]


def _check_end(listed: _ListedSource, end: int) -> None:
    """Look for the block of zeros that ends a tar: tarfile takes any rubbish, and nothing at all, for the end."""
    listed.seek(end)
    block = listed.read(_BLOCK)
    if len(block) < _BLOCK:
        raise TruncatedFile(f"the tar archive stops after {end + len(block):,} bytes, before its end mark", byte=end)
    if block.strip(b"\0"):
        raise MalformedFile(f"the tar archive is damaged at byte {end:,}: no member begins there", byte=end)


def _tar_entry(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _ListedMember:
    # Of a sparse file the tar holds what is not zero alone.
    place = None if info.issparse() else (info.offset_data, info.offset_data + info.size)
    return _ListedMember(
        _shown(info.name), info.size, None, partial(_window, archive, info), no_file=_no_file_in_tar(info), place=place
    )


def _no_file_in_tar(info: tarfile.TarInfo) -> str:
    if info.isreg():
        return ""
    if info.isdir():
        return "it is a directory"
    return "it is a link or a device"


@contextmanager
def _window(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[BinaryIO]:
    """A member at its position in the tar."""
    file = archive.extractfile(info)
    assert file is not None  # noqa: S101 # regular files alone are opened
    with file:
        yield cast("BinaryIO", file)
