"""What entries say: texts that are kept are never longer than an item of the ledger has room for."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import SchemaFrozen, ServiceUnavailable
from millrace.ledger.entries import Failure, Finish, State
from millrace.texts import LONGEST_TEXT, shorten_text


@given(st.text(max_size=50), st.integers(1, 500), st.text(max_size=50))
def test_a_text_is_cut_in_its_middle_and_what_was_cut_is_counted(start: str, times: int, end: str) -> None:
    text = (start + end) * times
    short = shorten_text(text)

    assert len(short.encode()) <= LONGEST_TEXT
    if len(text.encode(errors="backslashreplace")) <= LONGEST_TEXT:
        assert short == text.encode(errors="backslashreplace").decode()
        return
    first, count, last = re.split(r" … \[([0-9,]+) characters left out\] … ", short, maxsplit=1)
    whole = text.encode(errors="backslashreplace").decode()
    assert whole.startswith(first)
    assert whole.endswith(last)
    assert len(first) + int(count.replace(",", "")) + len(last) == len(whole)


def test_half_a_character_is_written_out() -> None:
    """DynamoDB refuses an item that holds one."""
    assert shorten_text("a\ud800b") == "a\\ud800b"


def test_20_000_column_names_make_a_failure_of_two_kilobytes() -> None:
    names = ", ".join(f"column_{number}_of_a_very_wide_table" for number in range(20_000))
    failure = Failure.of(SchemaFrozen(f"the file has new fields: {names}", row=3))

    assert len(failure.message.encode()) <= LONGEST_TEXT
    assert failure.message.startswith("the file has new fields: column_0_")
    assert failure.message.endswith("column_19999_of_a_very_wide_table")
    assert failure.row == 3


def test_what_a_service_answers_is_bounded_too() -> None:
    assert len(Failure.of(ServiceUnavailable("<html>" * 10_000)).message.encode()) <= LONGEST_TEXT


def test_a_reason_and_the_changes_of_a_schema_are_bounded() -> None:
    finish = Finish(state=State.CONVERTED, reason="r" * 10_000, schema_changes="ü" * 10_000)

    assert len((finish.reason or "").encode()) <= LONGEST_TEXT
    assert len((finish.schema_changes or "").encode()) <= LONGEST_TEXT
