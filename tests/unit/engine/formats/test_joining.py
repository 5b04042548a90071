"""Rows of text put together from pieces."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.text import joining
from millrace.engine.formats.text.joining import RowTexts, choice, gather_rows, joined_rows
from millrace.engine.types.printing import joined
from tests.properties import examples

TEXT = st.none() | st.text(max_size=5)


@st.composite
def pieces(draw: st.DrawFn, rows: int) -> tuple[joining.TextPiece, list[str]]:
    """A piece, and what it says in each row."""
    match draw(st.sampled_from(["constant", "own", "chosen", "choice"])):
        case "constant":
            text = draw(st.text(max_size=5))
            return text, [text] * rows
        case "own":
            texts = draw(st.lists(TEXT, min_size=rows, max_size=rows))
            return RowTexts(pa.array(texts, pa.string())), [text or "" for text in texts]
        case "chosen":
            texts = draw(st.lists(TEXT, min_size=1, max_size=3))
            chosen = draw(st.lists(st.integers(0, len(texts) - 1), min_size=rows, max_size=rows))
            return RowTexts(pa.array(texts, pa.string()), pa.array(chosen, pa.int32())), [
                texts[one] or "" for one in chosen
            ]
        case _:
            which = draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
            return choice(pa.array(which, pa.bool_()), "no", "yes"), ["yes" if one else "no" for one in which]


@settings(max_examples=examples(40))
@given(data=st.data(), rows=st.integers(0, 9), count=st.integers(0, 5))
def test_rows_are_their_pieces_one_after_the_other(data: st.DataObject, rows: int, count: int) -> None:
    drawn = [data.draw(pieces(rows)) for _ in range(count)]
    expected = ["".join(texts[row] for _, texts in drawn) for row in range(rows)]
    given_pieces = [piece for piece, _ in drawn]

    assert joined_rows(given_pieces, rows).to_pylist() == expected
    parts = list(gather_rows(given_pieces, rows, gathered_bytes=16))
    assert b"".join(map(joined, parts)).decode() == "".join(expected)
    assert not count or sum(map(len, parts)) == (rows if any(p != "" for p in given_pieces) else 0)


def test_slices_are_read_from_where_they_begin() -> None:
    texts = pa.array(["a", "b", "c", "d"], pa.string()).slice(1, 2)
    chosen = pa.array([1, 1, 0, 0], pa.int32()).slice(1, 2)

    assert joined_rows([RowTexts(texts), "-", RowTexts(texts, chosen)], 2).to_pylist() == ["b-c", "c-b"]
