"""A person who waits sees for what and how long; nobody else sees anything, and no output meets the line."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.cli import waiting
from millrace.cli.terminal import print_line
from millrace.cli.waiting import WaitingLine, can_redraw, show_waiting


class WatchedStream(io.StringIO):
    """A terminal, as far as a stream can say."""

    def isatty(self) -> bool:
        return True


class SetClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_drawn_before_two_seconds_and_it_is_erased_in_the_end() -> None:
    screen, clock = WatchedStream(), SetClock()
    line = WaitingLine("millrace status", screen, clock)

    line.draw()
    early = screen.getvalue()
    clock.now = 3.4
    line.draw()
    shown = screen.getvalue()
    line.end()
    line.draw()

    assert early == ""
    assert shown == "\r\x1b[2Kmillrace status: 3 s"
    assert screen.getvalue() == shown + "\r\x1b[2K"


def test_a_line_that_was_never_shown_is_not_erased() -> None:
    screen = WatchedStream()

    WaitingLine("x", screen, SetClock()).end()

    assert screen.getvalue() == ""


def test_the_first_words_of_a_command_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = WatchedStream()
    monkeypatch.setattr(sys, "stderr", screen)

    with show_waiting("millrace status"):
        assert len(waiting._current) == 1
        print_line("failed: 3", err=True)
        assert waiting._current == []

    assert screen.getvalue() == "failed: 3\n"


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_take_lines_back_gets_none(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)

    assert not can_redraw(WatchedStream())
    assert not can_redraw(io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert can_redraw(WatchedStream())


def run_on_terminal(*words: str, **environment: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    code = "import sys; sys.argv = ['millrace', *sys.argv[1:]]; from millrace.cli import main; main()"
    env = {**os.environ, "COLUMNS": "200", **environment}
    env.pop("CI", None)
    subprocess.run([sys.executable, "-c", code, *words], stdout=theirs, stderr=theirs, env=env, check=False)  # noqa: S603 - our own command
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        # Linux says so when nobody holds the other end any more.
        pass
    os.close(ours)
    return shown.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "has_colours"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_those_who_want_and_can_have_them(
    tmp_path: Path, environment: dict[str, str], *, has_colours: bool
) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"connections": []}')

    shown = run_on_terminal("validate", str(path), **{"NO_COLOR": "", **environment})

    assert "error:" in shown
    assert ("\x1b[31m" in shown) is has_colours
    if environment["TERM"] == "dumb":
        assert "\x1b" not in shown
