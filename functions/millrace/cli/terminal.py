"""Where text meets the terminal: each command writes by these alone, so that no key or name can steer a terminal."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from millrace.texts import escape_controls, to_json_text


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line, with what a terminal would obey escaped."""
    typer.echo(escape_controls(text), err=err)


def print_text(text: str) -> None:
    """Print a whole text to standard output as it is: for files, whose maker has escaped what a terminal obeys."""
    typer.echo(text, nl=False)


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print JSON, in one line if it is not indented."""
    typer.echo(to_json_text(value, indent=indent))


class Terminal(Console):
    """A console that escapes what it prints as text; cells of tables and live lines are escaped by their makers."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print texts, each in one line, and what else there is."""
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
