"""Sources that hold a range in memory for Arrow."""

from __future__ import annotations

import io

from millrace.engine.formats.streams.guarded import GuardedSource


def test_what_is_in_memory_is_given_without_a_copy() -> None:
    source = GuardedSource(io.BytesIO(b"0123456789"))
    source.keep(2, 8)
    source.seek(3)

    piece = source.read_buffer(4)

    assert piece == b"3456"
    assert isinstance(piece, memoryview)
    assert piece.obj is source.kept_part(2, 8).obj
    assert source.tell() == 7


def test_what_is_not_all_in_memory_is_fetched() -> None:
    source = GuardedSource(io.BytesIO(b"0123456789"))
    source.keep(2, 8)

    for start, size in ((0, 3), (6, 4), (9, 5), (3, -1)):
        source.seek(start)
        expected = b"0123456789"[start:][: size if size >= 0 else None]
        assert source.read_buffer(size) == expected
        assert source.tell() == start + len(expected)
