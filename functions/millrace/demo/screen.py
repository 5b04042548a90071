"""What the demonstration shows: live where a person watches, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from millrace.texts import escape_controls

_WIDEST_CELL = 25
_WIDEST_LIVE = 80
_COUNTED = 10
_SILENT_SECONDS = 5.0
"""Whoever reads a log wonders no longer than that."""
_COLOURS = {"converted": "green", "failed": "red"}


class Step:
    """One thing that is being done."""

    def __init__(self, screen: Screen, title: str) -> None:
        self._screen = screen
        self._title = title
        self._said = time.monotonic()
        self.result = ""

    def update(self, text: str) -> None:
        """Show what it is busy with; where nobody watches, now and then a line."""
        if not self._screen.is_watched:
            self._say_now_and_then(text)
            return
        self._screen.busy(f"{escape(self._title)} [dim]{escape(escape_controls(text[:_WIDEST_LIVE]))}[/dim]")

    def _say_now_and_then(self, text: str) -> None:
        now = time.monotonic()
        if text.strip() and now - self._said > _SILENT_SECONDS:
            self._said = now
            self._screen.say(f"    {escape_controls(text.strip()[:_WIDEST_LIVE])}")

    def say(self, text: str) -> None:
        """Say what takes long, and why, also where nobody watches."""
        self._screen.say(f"    {text}")

    def count(self, done: int, wanted: int) -> None:
        """Show how far it is; where nobody watches, now and then a line."""
        if self._screen.is_watched:
            self.update(f"{done} of {wanted}")
        elif done % _COUNTED == 0:
            self._screen.say(f"    {done} of {wanted}")


class Screen:
    """A console with steps and tables."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("") if console.is_terminal else None

    @property
    def is_watched(self) -> bool:
        """Whether a person sees lines change."""
        return self._status is not None

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show that something is going on, and afterwards what came of it and how long it took."""
        step, began = Step(self, title), time.monotonic()
        with self._status or contextlib.nullcontext():
            self.busy(escape(title))
            if self._status is None:
                self.say(f"  {title} ...")
            yield step
        took = f"{time.monotonic() - began:.1f} s"
        result = f"{escape(title)}: {escape(step.result or 'done')} [dim]({took})[/dim]"
        self._console.print(f"[green]ok[/green] {result}", highlight=False, soft_wrap=True)

    def busy(self, markup: str) -> None:
        """Replace the live line."""
        if self._status is not None:
            self._status.update(markup)

    def say(self, text: str) -> None:
        """Print a line as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.print(f"[bold]{escape(text)}[/bold]", highlight=False, soft_wrap=True)

    def wrong(self, text: str) -> None:
        """Say what went wrong."""
        self._console.print(f"[red]failed[/red] {escape(text)}", highlight=False, soft_wrap=True)

    def result(self, state: str, text: str) -> None:
        """Print a line that begins with a state, coloured by it."""
        colour = _COLOURS.get(state, "yellow")
        self._console.print(f"    [{colour}]{state:<11}[/{colour}] {escape(text)}", highlight=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; on a terminal its right edge is cut, elsewhere it is as wide as it needs to be."""
        lines = [columns, *rows]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            text = "  ".join(map(set_cell_size, line, widths)).rstrip()
            self._console.print(
                Text(f"    {text}", style="bold" if line is columns else ""),
                no_wrap=True,
                overflow="ellipsis" if self._console.is_terminal else "ignore",
                crop=self._console.is_terminal,
            )


def cell(value: object) -> str:
    """A value in a preview: what is missing is shown as such, line ends are, and what is long is cut."""
    text = "∅" if value is None else escape_controls(str(value).replace("\r", "␍").replace("\n", "⏎"))
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"
