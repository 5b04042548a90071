"""The text of a compressed file as a seekable file: of one that is made of small Zstandard frames, each unpacked alone.

What is compressed otherwise is packed once more, so that it is such a file: a gzip file of 10 GB can only be read from
its beginning, and the frames of what it becomes can be read from any of them.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, cast

import pyarrow as pa

from millrace.engine.formats.streams.decompression import (
    MAX_RATIO,
    ByteStream,
    find_compression,
    open_plain,
    open_unpacked,
)
from millrace.engine.formats.streams.zstd_frames import ZstdFrame, find_frames, read_seek_table, write_seek_table
from millrace.engine.options import Compression, FileFormat, ReadOptions, WorkSizes, words_of
from millrace.engine.parallel import in_order
from millrace.engine.parts.frames import TextFrame
from millrace.engine.parts.ranges import BytesFromAnyPlace, open_range
from millrace.errors import DataError, MalformedFile

FRAME_BYTES = 8 * 2**20
"""Text of a frame: to read from any place on, half of it is unpacked in vain."""
LARGEST_FRAME = 256 * 2**20
"""A frame of more text than this is packed once more."""
_LEVEL = 1


def needs_inflating(source: BinaryIO, file_format: FileFormat, read: ReadOptions) -> bool:
    """Whether a file's text can be read only from its beginning on, so that it is to be inflated before it is cut.

    Raises TruncatedFile if it was cut within its first bytes.
    """
    if words_of(file_format).compresses_inside:
        return False
    compression = find_compression(source, read.compression)
    if compression is Compression.NONE:
        return False
    return compression is not Compression.ZSTD or not find_text_frames(source, read.work)


def find_text_frames(source: BinaryIO, work: WorkSizes | None = None) -> tuple[TextFrame, ...]:
    """The frames of a Zstandard file, if all say how much text they hold, and none holds too much; else none.

    ``work`` says how much text may come out of a file however small it is.
    """
    try:
        frames = _read_full_table(source) or _find_small_frames(source)
    except DataError:  # who reads the text says what is wrong with it
        return ()
    if not all(map(_is_small, frames)):
        return ()
    text_frames = _place_texts(frames)
    text = text_frames[-1].text_end if text_frames else 0
    # Who reads all of it from the beginning on refuses a bomb.
    is_bomb = text > max((work or WorkSizes()).unpacked_freely, MAX_RATIO * source.seek(0, io.SEEK_END))
    return () if is_bomb else text_frames


def _read_full_table(source: BinaryIO) -> tuple[ZstdFrame, ...] | None:
    """The frames by the file's seek table; None if it has one without content, which nobody would open and check."""
    table = read_seek_table(source)
    if table is None or not all(frame.content_bytes for frame in table):
        return None
    return table


def _place_texts(frames: Sequence[ZstdFrame]) -> tuple[TextFrame, ...]:
    """Where the text of each frame is in all text; frames without text are left out."""
    placed, text = list[TextFrame](), 0
    for frame in frames:
        content = frame.content_bytes or 0
        if content:
            placed.append(TextFrame(frame.start, text, text + content))
        text += content
    return tuple(placed)


def _find_small_frames(source: BinaryIO) -> tuple[ZstdFrame, ...]:
    """All frames, up to one that is not small: then those behind it do not matter."""
    frames = list[ZstdFrame]()
    for frame in find_frames(source):
        frames.append(frame)
        if not _is_small(frame):
            break
    return tuple(frames)


def _is_small(frame: ZstdFrame) -> bool:
    return frame.content_bytes is not None and frame.content_bytes <= LARGEST_FRAME


def open_text(source: BinaryIO, frames: Sequence[TextFrame]) -> BinaryIO:
    """The text of a file of such frames; the file itself if there are none."""
    if not frames:
        return source
    return cast("BinaryIO", _FramedText(source, frames))


class _FramedText(BytesFromAnyPlace):
    """Text of frames one behind the other; only those that are read are unpacked."""

    def __init__(self, source: BinaryIO, frames: Sequence[TextFrame]) -> None:
        super().__init__(frames[-1].text_end)
        self._source = source
        self._frames = frames
        self._file_size = source.seek(0, io.SEEK_END)
        self._starts = [frame.text_start for frame in frames]
        self._frame = frames[0]
        self._stream: ByteStream | None = None
        self._stream_at = self._stream_end = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer than asked for only at the end; all that are left where no size is given."""
        left = max(0, self._size - self._at)
        end = self._at + (left if size < 0 else min(size, left))
        pieces = list[bytes]()
        while self._at < end:
            stream = self._open_stream()
            while self._stream_at < self._at:
                self._take(stream, self._at - self._stream_at)
            data = self._take(stream, min(end, self._stream_end) - self._at)
            self._at += len(data)
            pieces.append(data)
        return b"".join(pieces)

    def _open_stream(self) -> ByteStream:
        """The stream that the place is in and has not passed."""
        if self._stream is not None and self._stream_at <= self._at < self._stream_end:
            return self._stream
        number = bisect_right(self._starts, self._at) - 1
        self._frame = self._frames[number]
        end = self._frames[number + 1].byte if number + 1 < len(self._frames) else self._file_size
        self._stream = open_unpacked(open_range(self._source, self._frame.byte, end))
        self._stream_at, self._stream_end = self._frame.text_start, self._frame.text_end
        return self._stream

    def _take(self, stream: ByteStream, count: int) -> bytes:
        where = f"in the frame that begins at byte {self._frame.byte:,} of the file"
        try:
            data = stream.read(min(count, FRAME_BYTES))
        except DataError as error:
            raise type(error)(f"{where}: {error}", byte=self._stream_at) from error
        if not data:
            raise MalformedFile(f"the zstd file is damaged: {where} is less content than it says", byte=self._stream_at)
        self._stream_at += len(data)
        # A seek table is believed for where frames begin, and not for how much they hold: the rest would be lost.
        if self._stream_at == self._stream_end and stream.read(1):
            raise MalformedFile(
                f"the zstd file's seek table is wrong: {where} is more content than it says; pack the file once more",
                byte=self._stream_end,
            )
        return data


def inflate(
    source: BinaryIO,
    read: ReadOptions,
    write: Callable[[bytes], object],
    *,
    on_bytes: Callable[[int], object] = lambda _bytes: None,
    frame_bytes: int = FRAME_BYTES,
) -> int:
    """Write a compressed file's text as Zstandard frames and their table; give the number of its bytes.

    The same file gives the same bytes. ``on_bytes`` gets how many bytes of text were written so far, and may raise to
    stop. Raises what ``open_plain`` does, and what its stream does: TruncatedFile, MalformedFile, TooBig for a bomb.
    """
    stream = open_plain(source, read.compression, free_bytes=read.work.unpacked_freely)
    return write_frames(stream, write, on_bytes=on_bytes, frame_bytes=frame_bytes, workers=read.work.processors)


def write_frames(
    stream: ByteStream,
    write: Callable[[bytes], object],
    *,
    on_bytes: Callable[[int], object],
    frame_bytes: int,
    workers: int | None,
) -> int:
    """Write a stream's content, text or not, as ``inflate`` does; give the number of its bytes."""
    frames, at, text = list[ZstdFrame](), 0, 0
    for packed, size in in_order(_pack, _texts(stream, frame_bytes), workers=workers):
        write(packed)
        frames.append(ZstdFrame(at, at + len(packed), size))
        at += len(packed)
        text += size
        on_bytes(text)
    write(write_seek_table(frames))
    return text


def read_text_head(source: BinaryIO, read: ReadOptions) -> bytes:
    """The beginning of a compressed file's text."""
    return next(_texts(open_plain(source, read.compression, free_bytes=read.work.unpacked_freely), FRAME_BYTES), b"")


def _texts(stream: ByteStream, size: int) -> Iterator[bytes]:
    """A stream's content in texts of one size, the last of which may be shorter."""
    pieces, held = list[bytes](), 0
    while data := stream.read(size - held):
        pieces.append(data)
        held += len(data)
        if held == size:
            yield b"".join(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces)


def _pack(text: bytes) -> tuple[bytes, int]:
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(text, asbytes=True)), len(text)
