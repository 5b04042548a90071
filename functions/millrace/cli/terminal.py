"""Where text meets the terminal: each command writes by these alone, so that no key or name can steer a terminal."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from millrace.cli.waiting import end_waiting
from millrace.errors import UsageError
from millrace.texts import escape_controls, to_json_text


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line, with what a terminal would obey escaped."""
    end_waiting()
    typer.echo(escape_controls(text), err=err)


def ask(question: str, *, err: bool = False) -> None:
    """Ask a person; return on a yes.

    Raises: typer.Abort for a no, KeyboardInterrupt for Ctrl-C, UsageError if the input ends before an answer.
    """
    end_waiting()
    try:
        is_yes = typer.confirm(question, err=err)
    except typer.Abort as abort:
        # Typer makes the same of Ctrl-C and of an input that ends.
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise UsageError("nobody answered the question; give --yes to do it without one") from None
    if not is_yes:
        raise typer.Abort


def print_text(text: str) -> None:
    """Print a whole text to standard output as it is: for files, whose maker has escaped what a terminal obeys."""
    end_waiting()
    typer.echo(text, nl=False)


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON, in one line if it is not indented."""
    end_waiting()
    typer.echo(to_json_text(value, indent=indent))


class Terminal(Console):
    """A console that escapes what it prints as text; cells of tables and live lines are escaped by their makers."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts, each in one line, and what else there is."""
        end_waiting()
        # rich takes out some control characters by itself, and lets others through: a reader would not see that a key
        # has any.
        super().print(*map(_escape, objects), **options)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return escape_controls(value)
    # Only a text that changes is made again: its parts would lose their styles, and what is harmless keeps them.
    if isinstance(value, Text) and escape_controls(value.plain) != value.plain:
        return Text(escape_controls(value.plain), style=value.style)
    return value
