"""Work on one thing after the other: counts as they grow, and one's trouble does not stop the next."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from millrace.cli.terminal import Terminal, print_line
from millrace.cli.waiting import can_redraw, end_waiting
from millrace.errors import MillraceError
from millrace.texts import escape_controls


@contextmanager
def counting() -> Iterator[Callable[[str], None]]:
    """Give what shows a line of text on standard error, in place of the one before; nothing where nobody watches."""
    if not can_redraw(sys.stderr):
        yield lambda _text: None
        return
    end_waiting()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda text: progress.update(task, description=escape_controls(text))


@contextmanager
def each_alone() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Give what surrounds the work on each: its error is told, and raised as exit code 1 when all are done."""
    failed = 0

    @contextmanager
    def alone() -> Iterator[None]:
        nonlocal failed
        try:
            yield
        except MillraceError as error:
            failed += 1
            for line in str(error).splitlines():
                print_line(f"error: {line}", err=True)

    yield alone
    if failed:
        raise typer.Exit(1)
