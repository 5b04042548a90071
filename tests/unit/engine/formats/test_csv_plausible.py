"""How plausible cells are as values: all at once like one by one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.csv.detecting.plausible import FULLY, NATURAL, Rating, rate_cell, rate_cells
from millrace.engine.formats.csv.detecting.records import read_sample
from millrace.engine.formats.csv.dialect import Dialect
from tests.properties import examples

ASCII = st.characters(max_codepoint=127)
cells = st.lists(st.text(ASCII | st.sampled_from("\x85\u2003é ab1,.\n"), max_size=4), max_size=5)


@settings(max_examples=examples(500))
@given(cells)
def test_cells_are_rated_together_like_one_by_one(texts: list[str]) -> None:
    ratings = [rate_cell(text) for text in texts if text]

    expected = Rating()
    if ratings:
        expected = Rating(sum(ratings) / len(ratings), min(ratings))

    assert rate_cells(texts) == expected


@pytest.mark.parametrize("number", range(128))
def test_each_character_is_seen_wherever_it_is_in_a_cell(number: int) -> None:
    for text in (chr(number), f"a{chr(number)}", f"{chr(number)}a", f"a{chr(number)}b", f"a\n{chr(number)}b"):
        assert rate_cells(["plain", text]).worst == min(FULLY, rate_cell(text))


@settings(max_examples=examples(100))
@given(st.text(st.sampled_from("a,\r\n\x85\u2028\v"), max_size=12))
def test_lines_end_where_records_do(text: str) -> None:
    """Python knows more ends of lines than CSV does."""
    rows = read_sample(Dialect(",", '"', None), text, final=True).rows

    assert [",".join(row.plain) for row in rows] == [line for line in re.split("\r\n|\r|\n", text) if line]


AS_IT_IS_SAID = re.compile(
    r"(?<=[\w.)\]'\"?!%])[,;](?= \S)|(?<![\w,.:/])(?<!\w-)[0-9]+(?:,[0-9]+|(?:,[0-9]{3})+)(?![\w,:])"
)
"""What is before a mark or a number comes first: easier to read, and slower."""


@given(st.text("a,;0123 -.:/\n\t)é", max_size=14))
@settings(max_examples=examples(500), deadline=None)
def test_marks_of_prose_are_found_where_they_are(text: str) -> None:
    assert [found.span() for found in NATURAL.finditer(text)] == [
        found.span() for found in AS_IT_IS_SAID.finditer(text)
    ]
