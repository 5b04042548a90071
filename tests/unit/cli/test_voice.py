"""What commands say is in one voice: a clause without a capital and a full stop, with commands in backticks.

A sentence may follow behind a full stop. Lines that begin with a value have the value's own form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
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


BEHIND_A_COMMAND = re.compile(r"\bmillrace [a-z-]+ (?:[a-z]+ )?$")
"""A text whose next part is an argument of a command: ``millrace reprocess {sync}``."""
QUOTES = {"quote", "quote_for_shell"}
NAMES_OF_RUNS = {"run", "execution"}
"""They are made of letters, digits and hyphens."""


def _find_arguments(tree: ast.AST) -> Iterator[ast.JoinedStr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for before, part in pairwise(node.values):
                is_behind = isinstance(before, ast.Constant) and BEHIND_A_COMMAND.search(str(before.value))
                if is_behind and isinstance(part, ast.FormattedValue) and _last_name(part.value) not in NAMES_OF_RUNS:
                    yield node


def _last_name(value: ast.expr) -> str:
    """``run`` of ``order.run``."""
    return str(getattr(value, "attr", getattr(value, "id", "")))


def _quotes(tree: ast.AST) -> bool:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {func.id if isinstance(func, ast.Name) else getattr(func, "attr", "") for func in calls}
    return not names.isdisjoint(QUOTES)


def test_an_argument_of_a_command_is_quoted_so_that_it_can_be_pasted() -> None:
    """A sync may be named ``inbox to parquet``; within its function the argument is quoted, there or before."""
    wrong: list[str] = []
    right: list[str] = []
    for path in sorted(FUNCTIONS.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for text in _find_arguments(function):
                    (right if _quotes(function) else wrong).append(f"{path.name}:{text.lineno}")

    assert len(right) >= 8
    assert wrong == []


def test_there_are_messages_to_look_at() -> None:
    assert len(list_messages()) > 100
