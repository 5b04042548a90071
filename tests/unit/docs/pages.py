"""The pages that people read, and the parts of one that checks look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"})
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^(?P<marks>`{3,})(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=marks)$",
    re.MULTILINE | re.DOTALL,
)
"""A block of code, and the comment in the line above it that says why nothing can run it."""


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of a page; ``reason`` says why it is not run or validated, if somebody wrote so."""

    page: str
    line: int
    language: str
    code: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """A page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> Iterator[CodeBlock]:
    """The blocks of code of a page."""
    text = page.read_text(encoding="utf-8")
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("marks")) + 1
        yield CodeBlock(name_of(page), line, fence["language"], fence["code"], fence["reason"])


def without_code(page: Path) -> str:
    """A page's text without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
