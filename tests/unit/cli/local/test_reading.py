"""What the commands that read a file share."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from millrace.cli.local.reading import place, watched
from millrace.errors import DataError


@pytest.mark.parametrize(
    ("is_terminal", "size", "is_shown"), [(True, 100, True), (True, 5, False), (False, 100, False)]
)
def test_a_bar_is_shown_to_a_person_who_waits_for_a_large_file(*, is_terminal: bool, size: int, is_shown: bool) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=100)

    source = io.BytesIO(b"x" * size)

    with watched(source, console, from_bytes=10) as file:
        assert file.read() == b"x" * size
        file.seek(0)

    assert source.closed
    assert ("reading" in screen.getvalue()) == is_shown


@pytest.mark.parametrize(
    ("message", "told"),
    [("wrong", " (row 3, byte 40)"), ("row 3 is wrong", " (byte 40)"), ("row 3 at byte 40", "")],
)
def test_an_error_tells_its_place_once(message: str, told: str) -> None:
    assert place(DataError(message, row=3, byte=40)) == told
