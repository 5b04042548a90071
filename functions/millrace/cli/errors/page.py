"""docs/errors.md, written of the explanations: ``python -m millrace.cli.errors.page PAGE`` (``make docs``)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from millrace.cli.errors.catalogue import GUIDES
from millrace.cli.errors.guides import ErrorBranch, ErrorGuide

_HEAD = """\
# Errors

Read this page if a command, an entry of the ledger, an event or a log names an error class, and you want to mend it.

`millrace errors CODE` prints the same for one class.
`make docs` writes this page.

What becomes of the work depends on the class's branch alone:

| branch | what the queue and the ledger do |
|---|---|
"""


def render_page() -> str:
    """The whole page."""
    rows = (
        f"| [{branch.title}](#{_anchor(branch.title)}) | {_in_one_line(branch.outcome)} |\n" for branch in ErrorBranch
    )
    return _HEAD + "".join(rows) + "".join(map(_render_section, ErrorBranch))


def _render_section(branch: ErrorBranch) -> str:
    guides = (_render_guide(guide) for guide in GUIDES if guide.branch is branch)
    return f"\n## {branch.title}\n\n{branch.outcome}\n" + "".join(guides)


def _render_guide(guide: ErrorGuide) -> str:
    return "\n".join(_paragraphs(guide))


def _paragraphs(guide: ErrorGuide) -> Iterator[str]:
    yield f"\n### {guide.name}\n"
    yield f"{guide.meaning}\n"
    yield f"```text\n{guide.example}\n```\n"
    if guide.outcome:
        yield f"{guide.outcome}\n"
    yield f"**What to do:**\n{_link_pages(guide.remedy)}\n"


def _link_pages(text: str) -> str:
    """The pages that a remedy names, as links."""
    for page in ("limits.md", "scale.md"):
        text = text.replace(page, f"[{page}]({page})")
    return text


def _in_one_line(text: str) -> str:
    return text.replace("\n", " ")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def main(paths: list[str]) -> None:
    """Write each page."""
    for path in map(Path, paths):
        path.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
