"""docs/commands.md, written of the commands: ``python -m millrace.cli.reference PAGE`` (``make docs``)."""

from __future__ import annotations

import enum
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from typer.core import TyperArgument, TyperGroup

from millrace.cli.commands import COMMANDS, load_command

_HEAD = """\
# Commands

Read this page to look a command or an option up; `--help` shows the same in the terminal.
What to use for which question is in [running](running.md).

`make docs` writes this page.
Every command ends with exit code 0 if it is done, 1 if there is trouble, and 2 if it was used in a wrong way.

| command | does |
|---|---|
"""
_TYPE_NAMES: dict[object, str] = {str: "text", int: "whole number", float: "number", Path: "file or folder"}
_EXAMPLE = "Example: "
_NONE = "–"


def render_page() -> str:
    """The whole page."""
    rows = (f"| [`millrace {entry.name}`](#millrace-{entry.name}) | {_escape(entry.summary)} |\n" for entry in COMMANDS)
    sections = (_render_command(f"millrace {entry.name}", load_command(entry), "##") for entry in COMMANDS)
    return _HEAD + "".join(rows) + "".join(sections)


def _render_command(words: str, command: Any, mark: str) -> str:
    """A command's section, and those of its sub-commands below it."""
    parts = [f"\n{mark} {words}\n\n", _render_facts(words, command), _render_parameters(command)]
    if isinstance(command, TyperGroup):
        for name, sub_command in command.commands.items():
            parts.append(_render_command(f"{words} {name}", sub_command, f"{mark}#"))
    return "".join(parts)


def _render_facts(words: str, command: Any) -> str:
    """What it does and how it is called, as rows: a help's paragraphs need not be the sentences of a page."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
    rows = [("use", f"`{words}{_describe_usage(command)}`")]
    for paragraph in paragraphs:
        if paragraph.startswith(_EXAMPLE):
            rows.append(("example", f"`{paragraph.removeprefix(_EXAMPLE)}`"))
        else:
            rows.append(("", _escape(paragraph)))
    return _render_table(("", ""), rows)


def _describe_usage(command: Any) -> str:
    """`` [OPTIONS] SOURCE [TARGET]``."""
    words = [_describe_argument(parameter) for parameter in command.params if isinstance(parameter, TyperArgument)]
    more = ["COMMAND"] if isinstance(command, TyperGroup) else []
    return " ".join(["", "[OPTIONS]", *words, *more])


def _describe_argument(argument: TyperArgument) -> str:
    name = str(argument.name).upper()
    word = f"{name} …" if argument.nargs == -1 else name
    return word if argument.required else f"[{word}]"


def _render_parameters(command: Any) -> str:
    rows = [_to_row(parameter) for parameter in command.params if not parameter.hidden]
    return "\n" + _render_table(("argument or option", "takes", "default", "meaning"), rows) if rows else ""


def _to_row(parameter: Any) -> tuple[str, ...]:
    meaning = _escape(" ".join((parameter.help or "").split()))
    if parameter.envvar:
        meaning += f" Environment: `{parameter.envvar}`."
    return (_describe_names(parameter), _describe_type(parameter), _describe_default(parameter), meaning)


def _describe_names(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        return f"`{str(parameter.name).upper()}`"
    return " ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _describe_type(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return _NONE
    annotation = parameter.type_descriptor.annotation
    is_repeatable = get_origin(annotation) is list
    name = f"`{parameter.metavar}`" if parameter.metavar else _name_type(_item_type(annotation))
    return f"{name}, repeatable" if is_repeatable else name


def _item_type(annotation: Any) -> Any:
    """The type of one value: ``str`` of ``list[str]``."""
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def _name_type(annotation: Any) -> str:
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return " ".join(f"`{choice.value}`" for choice in annotation)
    return _TYPE_NAMES[annotation]


def _describe_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or value is False or value == "" or callable(value):
        return _NONE
    if value is True:
        return f"`{parameter.opts[0]}`"
    return f"`{value}`"


def _render_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ("---",) * len(head), *rows))


def _escape(text: str) -> str:
    """Text in a cell: a bar would end it, and a lone `<NAME>` or `*` would be markup."""
    return re.sub(r"([|<>*_\[\]])", r"\\\1", text)


def write_pages(paths: Iterator[Path]) -> None:
    """Write each page."""
    for path in paths:
        path.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    write_pages(map(Path, sys.argv[1:]))
