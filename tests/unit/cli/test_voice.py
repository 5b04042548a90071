"""What commands say is in one voice: a clause without a capital and a full stop, with commands in backticks.

A sentence may follow behind a full stop. Lines that begin with a value have the value's own form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).parents[3] / "functions" / "millrace"
SAYERS = {"UsageError", "MillraceError", "print_line", "Interrupted", "ask"}
VALUE = "\0"
"""What stands for a value in a text."""
OF_A_FORM = re.compile(r"[A-Z]{2,}\b|SOURCE|TARGET")
"""Words that have capitals of their own: SOURCE, AWS."""
COMMAND = re.compile(r"\b(?:millrace [a-z-]+|cdk [a-z]+)")
FOREIGN = re.compile(r"\b(?:please|sorry|oops|failed to)\b|n't\b|!", re.IGNORECASE)
"""Words of another voice."""


@cache
def list_messages() -> list[tuple[str, str]]:
    """Each text that the command line says, with its place."""
    return list(_find_messages())


def _find_messages() -> Iterator[tuple[str, str]]:
    for folder in ("cli", "remote"):
        for path in sorted((FUNCTIONS / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args and _name_of(node) in SAYERS:
                    yield f"{path.name}:{node.lineno}", _text_of(node.args[0])


def _name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else VALUE


def test_a_message_is_a_clause() -> None:
    wrong = []
    for place, text in list_messages():
        words = text.strip(f"{VALUE} :;,")
        has_capital = words[:1].isupper() and not OF_A_FORM.match(words)
        if has_capital or text.endswith((".", "!")) or FOREIGN.search(text):
            wrong.append((place, text))

    assert wrong == []


def test_a_command_inside_of_a_clause_is_in_backticks() -> None:
    """Behind a colon, or in parentheses, it ends the clause, and needs none: ``go on with: millrace runs resume x``."""
    wrong = []
    for place, text in list_messages():
        befores = [text[: command.start()].rstrip(" ") for command in COMMAND.finditer(text)]
        if not all(before.endswith((":", "(", "`")) for before in befores):
            wrong.append((place, text))

    assert wrong == []


def test_there_are_messages_to_look_at() -> None:
    assert len(list_messages()) > 100
