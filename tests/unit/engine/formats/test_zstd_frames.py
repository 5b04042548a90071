"""Frames of Zstandard files are found without unpacking them."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.streams.zstd_frames import find_first_end, find_frames
from millrace.errors import MalformedFile, TruncatedFile


def pack(data: bytes, *, as_stream: bool) -> bytes:
    """A frame; only one that is not written as a stream says how large its content is."""
    if not as_stream:
        return bytes(pa.Codec("zstd").compress(data, asbytes=True))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


SKIPPABLE = bytes.fromhex("5e2a4d18") + (3).to_bytes(4, "little") + b"abc"
CONTENT = st.binary(max_size=600) | st.builds(
    lambda part, times: part * times, st.binary(max_size=9), st.integers(0, 90_000)
)


@given(st.lists(st.tuples(CONTENT, st.booleans()), max_size=4), st.booleans())
def test_every_frame_is_found_and_unpacks_alone(frames: list[tuple[bytes, bool]], skippable: bool) -> None:  # noqa: FBT001 - drawn
    data = b"".join(pack(content, as_stream=as_stream) + SKIPPABLE * skippable for content, as_stream in frames)
    found = list(find_frames(io.BytesIO(data)))
    unpacked = [
        pa.CompressedInputStream(pa.BufferReader(data[frame.start : frame.end]), "zstd").read() for frame in found
    ]
    assert unpacked == [content for content, _ in frames]
    for frame, (content, as_stream) in zip(found, frames, strict=True):
        assert frame.content_bytes in {len(content), None} if as_stream else frame.content_bytes == len(content)
    if found:
        assert find_first_end(data) == found[0].end
        assert find_first_end(data[: found[0].end - 1]) is None


@pytest.mark.parametrize("cut", [1, 3, 5, 20])
def test_a_file_that_was_cut(cut: int) -> None:
    data = pack(b"some text" * 100, as_stream=True)
    with pytest.raises(TruncatedFile, match="within a frame"):
        list(find_frames(io.BytesIO(data[:-cut])))


def test_something_else_behind_a_frame() -> None:
    data = pack(b"some text", as_stream=True)
    with pytest.raises(MalformedFile, match=rf"at byte {len(data)} no frame begins"):
        list(find_frames(io.BytesIO(data + b"something")))
