"""Compressed files in parts: frames of Zstandard as they are, all others as frames that they are packed into."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.streams.decompression import open_unpacked
from millrace.engine.formats.streams.zstd_frames import ZstdFrame, find_frames, read_seek_table, write_seek_table
from millrace.engine.options import BadRows, Compression, FileFormat, ReadOptions, WorkSizes, WriteOptions
from millrace.engine.parts.framed import find_text_frames, inflate, needs_inflating, open_text
from millrace.engine.recipe import Recipe
from millrace.errors import CannotBeCut, MalformedFile, TooBig, TruncatedFile
from tests.properties import examples
from tests.unit.engine.parts.dividing import assert_same, convert_divided, convert_whole, cut_file


def pack(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def pack_as_stream(data: bytes) -> bytes:
    """A frame that does not say how large its content is."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def inflated(data: bytes, frame_bytes: int, read: ReadOptions | None = None) -> bytes:
    sink = io.BytesIO()
    inflate(io.BytesIO(data), read or ReadOptions(), sink.write, frame_bytes=frame_bytes)
    return sink.getvalue()


@settings(max_examples=examples(60))
@given(
    st.lists(st.binary(max_size=40), max_size=6),
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 60)), max_size=8),
)
def test_text_of_frames_is_read_from_any_place(contents: list[bytes], reads: list[tuple[int, int]]) -> None:
    data, whole = b"".join(map(pack, contents)), b"".join(contents)
    frames = find_text_frames(io.BytesIO(data))
    assert len(frames) == len([content for content in contents if content])
    if not frames:
        return
    text = open_text(io.BytesIO(data), frames)
    for place, size in reads:
        text.seek(place)
        pieces = b""
        while len(pieces) < size and (piece := text.read(size - len(pieces))):
            pieces += piece
        assert pieces == whole[place : place + size]
    text.seek(0)
    assert text.read() == whole


@settings(max_examples=examples(40))
@given(
    st.binary(max_size=300).filter(lambda data: not data.startswith(b"PK")),
    st.sampled_from([gzip.compress, bz2.compress, lzma.compress, pack]),
    st.integers(1, 90),
)
def test_what_is_inflated_holds_the_text(data: bytes, compress: object, frame_bytes: int) -> None:
    assert callable(compress)
    text = b"text," + data
    packed = inflated(compress(text), frame_bytes)
    table = read_seek_table(io.BytesIO(packed))
    assert table is not None
    assert list(table) == list(find_frames(io.BytesIO(packed)))
    assert [frame.content_bytes for frame in table[:-1]] == [frame_bytes] * (len(table) - 1)
    assert open_unpacked(io.BytesIO(packed)).read(1000) == text[: min(1000, len(text))] or len(table) > 1
    assert pa.CompressedInputStream(pa.BufferReader(packed), "zstd").read() == text
    assert inflated(compress(text), frame_bytes) == packed


CSV = b"id,name\n" + b"".join(b'%d,"name\n%d"\n' % (number, number) for number in range(300))
JSON = b"".join(b'{"id": %d, "name": "%d"}\n' % (number, number) for number in range(300))
TARGETS = (FileFormat.CSV, FileFormat.JSON, FileFormat.PARQUET)


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("source_format", "text"), [(FileFormat.CSV, CSV), (FileFormat.JSON, JSON)])
@pytest.mark.parametrize("part_bytes", [100, 1000])
def test_a_file_of_frames_is_cut_as_its_text_is(
    source_format: FileFormat, text: bytes, target: FileFormat, part_bytes: int
) -> None:
    recipe = Recipe(
        source_format=source_format,
        target_format=target,
        read=ReadOptions(compression=Compression.ZSTD),
        write=WriteOptions(),
    )
    data = inflated(gzip.compress(text), 333)
    assert not needs_inflating(io.BytesIO(data), source_format, recipe.read)
    frame, parts = cut_file(data, source_format, recipe.read, part_bytes)
    assert len(parts) > 3
    assert len(frame.frames) > 3
    whole, divided = convert_whole(text, recipe), convert_divided(data, recipe, part_bytes)
    assert divided.error is None
    assert_same(divided, whole, target)


@pytest.mark.slow
@pytest.mark.kernel
def test_a_bad_row_has_the_place_that_it_has_in_the_text() -> None:
    text = JSON + b'{"id": \n' + JSON
    recipe = Recipe(
        source_format=FileFormat.JSON,
        target_format=FileFormat.JSON,
        read=ReadOptions(bad_rows=BadRows.QUARANTINE),
        write=WriteOptions(),
    )
    divided = convert_divided(inflated(gzip.compress(text), 1000), recipe, 500)
    assert divided.quarantine == convert_whole(text, recipe).quarantine
    assert '"row": 301' in divided.quarantine[0]


class TestWhatIsInflated:
    @pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, pack_as_stream])
    def test_files_of_one_piece(self, compress: object) -> None:
        assert callable(compress)
        data = compress(CSV)
        assert needs_inflating(io.BytesIO(data), FileFormat.CSV, ReadOptions())
        with pytest.raises(CannotBeCut, match="inflate"):
            cut_file(data, FileFormat.CSV, ReadOptions(), 100)

    def test_several_frames_that_do_not_say_their_size(self) -> None:
        data = pack(CSV) + pack_as_stream(CSV)
        assert needs_inflating(io.BytesIO(data), FileFormat.CSV, ReadOptions())

    def test_plain_files_and_formats_that_compress_inside_are_not(self) -> None:
        assert not needs_inflating(io.BytesIO(CSV), FileFormat.CSV, ReadOptions())
        assert not needs_inflating(io.BytesIO(gzip.compress(CSV)), FileFormat.PARQUET, ReadOptions())

    def test_what_is_damaged_cut_or_a_bomb_is_refused(self) -> None:
        data = bytearray(gzip.compress(CSV))
        with pytest.raises(TruncatedFile):
            inflated(bytes(data[:-20]), 500)
        data[-6] ^= 255
        with pytest.raises(MalformedFile):
            inflated(bytes(data), 500)
        with pytest.raises(TooBig, match="bomb"):
            inflated(bz2.compress(bytes(2**20)), 2**16, ReadOptions(work=WorkSizes(unpacked_freely=1000)))

    def test_it_can_be_stopped(self) -> None:
        seen = list[int]()

        def stop(text_bytes: int) -> None:
            seen.append(text_bytes)
            if text_bytes > 1000:
                raise TimeoutError

        with pytest.raises(TimeoutError):
            inflate(io.BytesIO(gzip.compress(CSV)), ReadOptions(), lambda _data: None, on_bytes=stop, frame_bytes=400)
        assert seen == [400, 800, 1200]


class TestSeekTables:
    FRAMES = (ZstdFrame(0, 5, 7), ZstdFrame(5, 9, 1))

    def test_a_table_gives_its_frames(self) -> None:
        data = b"x" * 9 + write_seek_table(self.FRAMES)
        assert read_seek_table(io.BytesIO(data)) == self.FRAMES

    def test_a_table_of_another_file_counts_for_nothing(self) -> None:
        table = write_seek_table(self.FRAMES)
        for data in (b"", table, b"x" * 10 + table, b"x" * 9 + table[:-1], table[-9:]):
            assert read_seek_table(io.BytesIO(data)) is None


def test_a_damaged_frame_is_named_by_its_place() -> None:
    data = bytearray(inflated(gzip.compress(CSV), 500))
    frames = find_text_frames(io.BytesIO(data))
    data[frames[2].byte + 10 : frames[2].byte + 30] = bytes(20)
    with pytest.raises(MalformedFile, match=rf"begins at byte {frames[2].byte}"):
        open_text(io.BytesIO(data), frames).read()


LINES = (b'{"a": 1}\n{"a": 2}\n', b'{"a": 3}\n{"a": 4}\n')


def pack_with_table(*sizes: int) -> io.BytesIO:
    """LINES in frames, and a seek table that says how large their contents are."""
    packed, frames, at = list(map(pack, LINES)), list[ZstdFrame](), 0
    for frame, size in zip(packed, sizes, strict=True):
        frames.append(ZstdFrame(at, at + len(frame), size))
        at += len(frame)
    return io.BytesIO(b"".join(packed) + write_seek_table(frames))


@pytest.mark.parametrize(("sizes", "fault"), [((9, 18), "more"), ((18, 9), "more"), ((18, 27), "less")])
def test_a_seek_table_that_lies_loses_no_row(sizes: tuple[int, int], fault: str) -> None:
    data = pack_with_table(*sizes)

    with pytest.raises(MalformedFile, match=f"is {fault} content than it says"):
        open_text(data, find_text_frames(data)).read()


def test_a_seek_table_of_a_frame_without_content_counts_for_nothing() -> None:
    data = pack_with_table(0, 18)

    assert open_text(data, find_text_frames(data)).read() == b"".join(LINES)


def test_frames_of_very_much_text_are_read_only_as_far_as_is_allowed() -> None:
    data = io.BytesIO(pack(bytes(100_000)))

    assert find_text_frames(data, WorkSizes(unpacked_freely=99_999)) == ()
    assert len(find_text_frames(data, WorkSizes(unpacked_freely=100_000))) == 1
