"""Text of many objects is cut between two of them, and the state at a range's end begins the next range."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.json.feed import JsonFeed
from millrace.engine.formats.streams.encoding import Utf8Stream
from millrace.engine.native.json import JsonState, RowCutter, find_cut
from millrace.engine.native.library import find_kernel
from tests.properties import examples

kernel = find_kernel()
pytestmark = pytest.mark.skipif(kernel is None, reason="no native kernel was built")
quickly = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(alphabet='{}[],"\\ a\n', max_size=70)
values = st.recursive(
    st.none() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
documents = st.lists(st.dictionaries(texts, values, max_size=3), min_size=1, max_size=12)
gaps = st.text(alphabet=" \t\r\n", max_size=3)


def state_of(text: bytes, begin: JsonState | None = None) -> tuple[int, int, int]:
    """What is open behind a text."""
    state = begin or JsonState()
    assert kernel is not None
    find_cut(kernel, text, len(text), state, in_array=True)
    return state.depth, state.in_string, state.is_escaped


@pytest.mark.slow
@quickly
@given(documents, gaps, st.booleans(), st.booleans(), st.data())
def test_text_is_cut_where_the_last_row_ends(
    rows: list[dict[str, object]],
    gap: str,
    in_array: bool,  # noqa: FBT001 - given
    is_ascii: bool,  # noqa: FBT001 - given
    data: st.DataObject,
) -> None:
    parts = [json.dumps(row, ensure_ascii=is_ascii).encode() for row in rows]
    between = (gap + "," + gap if in_array else gap).encode()
    text = between.join(parts)
    starts = [len(between.join(parts[:at])) + len(between) for at in range(1, len(parts))]
    size = data.draw(st.integers(1, len(text)))
    assert kernel is not None

    cut = RowCutter(kernel).end_of_rows(text, size, in_array=in_array)

    assert cut == max((start for start in starts if start <= size and start < len(text)), default=0)


@pytest.mark.slow
@quickly
@given(documents, st.data())
def test_the_state_of_two_ranges_is_that_of_the_whole(rows: list[dict[str, object]], data: st.DataObject) -> None:
    text = json.dumps(rows).encode()
    first, second = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))

    state = JsonState()
    for part in (text[:first], text[first:second], text[second:]):
        state_of(part, state)

    assert (state.depth, state.in_string, state.is_escaped) == state_of(text) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (b'{"a', (1, 1, 0)),
        (b'{"a\\', (1, 1, 1)),
        (b'{"a\\\\', (1, 1, 0)),
        (b'{"a\\\\"', (1, 0, 0)),
        (b'{"a\\"', (1, 1, 0)),
        (b"}}", (-2, 0, 0)),
        (b"", (0, 0, 0)),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 59, 60, 61, 62, 63, 64, 125])
def test_a_state_says_what_is_open(text: bytes, state: tuple[int, int, int], before: int) -> None:
    assert state_of(b" " * before + text) == state


def test_a_row_longer_than_a_piece_is_followed_to_its_end() -> None:
    assert kernel is not None
    row, cutter = b'{"a":"' + b"}," * 50 + b'{","b":{"c":1}}', RowCutter(kernel)

    assert cutter.end_of_rows(row + b",{}", 30, in_array=True) == 0
    assert cutter.end_of_rows(row[30:] + b",{}", 1000, in_array=True) == len(row) - 30 + 1


@pytest.mark.parametrize("between", ["\n", ",", " ,\n "])
def test_pieces_are_the_same_with_and_without_the_kernel(between: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = [[{"a": number}, {"b": {"c": "x" * (number % 50)}}] for number in range(900)]
    rows = [json.dumps({"inner": value}) for value in inner]
    text = between.join(rows)
    data = (f"[{text}]" if "," in between else text + "\n").encode()

    def pieces(switch: str) -> list[bytes]:
        monkeypatch.setenv("MILLRACE_NATIVE", switch)
        feed = JsonFeed(Utf8Stream(io.BytesIO(data), "utf-8"), 4000, counts_lines=False)
        return [piece.data for piece in feed.pieces()]

    assert len(pieces("1")) > 10
    assert pieces("1") == pieces("0")
