"""Ranges become a seekable file; reading on fetches ahead."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.aws.ranged_reader import Fetch, RangedReader
from millrace.errors import WrongAnswer

DATA = bytes(range(256)) * 4


class Range:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fetched: list[tuple[int, int]] = []

    def __call__(self, start: int, length: int) -> bytes:
        self.fetched.append((start, length))
        assert 0 < length <= len(self.data) - start
        return self.data[start : start + length]


def reader_of(fetch: Fetch, size: int, held: tuple[int, bytes]) -> RangedReader:
    return RangedReader(fetch, size, held, chunk=100)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("rsce"), st.integers(0, 1100)), max_size=12), st.integers(0, 1024))
def test_it_reads_like_a_file(steps: list[tuple[str, int]], held: int) -> None:
    reference = io.BytesIO(DATA)
    with reader_of(Range(DATA), len(DATA), (0, DATA[:held])) as reader:
        for step, number in steps:
            if step == "r":
                assert reader.read(number) == reference.read(number)
            elif step == "s":
                assert reader.seek(number) == reference.seek(number)
            elif step == "e":
                assert reader.seek(-(number % 1025), io.SEEK_END) == reference.seek(-(number % 1025), io.SEEK_END)
            assert reader.tell() == reference.tell()
        assert reader.read() == reference.read()


def test_what_is_held_is_not_fetched_again() -> None:
    fetch = Range(DATA)
    with reader_of(fetch, len(DATA), (0, DATA)) as reader:
        assert reader.read() == DATA
        reader.seek(0)
        assert reader.read(10) == DATA[:10]

    assert fetch.fetched == []


def test_reading_on_fetches_the_next_chunk_ahead() -> None:
    fetch = Range(DATA)
    with reader_of(fetch, len(DATA), (0, DATA[:100])) as reader:
        reader.read(150)

    assert fetch.fetched == [(100, 100), (200, 100)]


def test_a_jump_fetches_what_is_wanted_alone() -> None:
    fetch = Range(DATA)
    with reader_of(fetch, len(DATA), (924, DATA[924:])) as reader:
        reader.seek(500)
        assert reader.read(7) == DATA[500:507]

    assert fetch.fetched == [(500, 7)]


def test_a_fault_of_what_is_read_ahead_is_raised_where_it_is_read() -> None:
    def fetch(start: int, length: int) -> bytes:
        if start >= 200:
            raise ConnectionError("gone")
        return DATA[start : start + length]

    with reader_of(fetch, len(DATA), (0, DATA[:100])) as reader:
        assert reader.read(200) == DATA[:200]
        with pytest.raises(ConnectionError, match="gone"):
            reader.read(1)


def test_seeking_before_the_start_is_an_error() -> None:
    with reader_of(Range(DATA), len(DATA), (0, b"")) as reader, pytest.raises(ValueError, match="before the first"):
        reader.seek(-1)


def test_columns_that_are_read_by_turns_are_each_read_ahead() -> None:
    fetch = Range(DATA)
    with reader_of(fetch, len(DATA), (1000, DATA[1000:])) as reader:
        for turn in range(4):
            for column in (0, 300, 600):
                reader.seek(column + turn * 20)
                assert reader.read(20) == DATA[column + turn * 20 : column + turn * 20 + 20]

    assert len(fetch.fetched) == len(set(fetch.fetched)), "nothing is fetched twice"
    assert {length for _, length in fetch.fetched} == {20}


def test_what_is_read_ahead_stays_bounded() -> None:
    with RangedReader(Range(DATA), len(DATA), (1000, DATA[1000:]), chunk=25) as reader:
        for turn in range(3):
            for column in range(0, 900, 100):
                reader.seek(column + turn * 20)
                assert reader.read(20) == DATA[column + turn * 20 : column + turn * 20 + 20]
        assert sum(size for size, _ in reader._ahead.values()) <= 2 * 25


def test_closing_leaves_no_thread() -> None:
    before = threading.active_count()
    with reader_of(Range(DATA), len(DATA), (0, DATA[:100])) as reader:
        reader.read(150)
        assert threading.active_count() > before

    assert threading.active_count() == before


def test_what_fits_the_first_range_is_never_read_ahead() -> None:
    before = threading.active_count()
    with reader_of(Range(DATA), 100, (0, DATA[:100])) as reader:
        assert reader.read() == DATA[:100]
        assert threading.active_count() == before


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b""])
def test_a_range_of_another_length_is_refused(change: Callable[[bytes], bytes]) -> None:
    exactly = Range(DATA)
    with (
        reader_of(lambda start, length: change(exactly(start, length)), len(DATA), (0, DATA[:100])) as reader,
        pytest.raises(WrongAnswer, match="100 bytes from 100 on were asked for"),
    ):
        reader.read()
