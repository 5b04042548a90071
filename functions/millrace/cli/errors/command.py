"""`millrace errors`: what an error class means, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from millrace.cli.errors.catalogue import GUIDES, find_guide
from millrace.cli.errors.guides import ErrorBranch, ErrorGuide
from millrace.cli.terminal import Terminal, print_json, print_line

_WIDTH = 22
"""Columns of a name in the list: the longest has 20."""


def errors(
    code: Annotated[str | None, typer.Argument(help="An error class, as a failure names it; without it: all.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Explain an error class: what it means, what becomes of the work, and what to do. Nothing is contacted.

    Example: millrace errors RaggedRow
    """
    guides = GUIDES if code is None else (find_guide(code),)
    if as_json:
        for guide in guides:
            print_json(_to_json(guide))
    elif code is None:
        _list_classes()
    else:
        _explain(guides[0])


def _to_json(guide: ErrorGuide) -> dict[str, str]:
    return asdict(guide) | {"branch": guide.branch.value, "outcome": guide.describe_outcome()}


def _list_classes() -> None:
    for branch in ErrorBranch:
        print_line(f"{branch.title}:")
        for guide in GUIDES:
            if guide.branch is branch:
                print_line(f"  {guide.name:<{_WIDTH}}{guide.meaning.partition(chr(10))[0]}")
        print_line("")
    print_line("`millrace errors CODE` explains one of them")


def _explain(guide: ErrorGuide) -> None:
    console = Terminal(highlight=False, markup=False, soft_wrap=True)
    for line in _lines(guide):
        console.print(line)


def _lines(guide: ErrorGuide) -> Iterator[str]:
    yield guide.name
    yield from _paragraph("", guide.meaning)
    yield from _paragraph("Example", guide.example)
    yield from _paragraph("What becomes of the work", guide.describe_outcome())
    yield from _paragraph("What to do", guide.remedy)


def _paragraph(title: str, text: str) -> Iterator[str]:
    yield ""
    if title:
        yield f"{title}:"
    for line in text.splitlines():
        yield f"  {line}" if title else line
