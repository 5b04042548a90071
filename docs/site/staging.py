"""What the site is built of: docs/, a page for each example, and pages of the root, with links that work there.

In the repository a link may lead to any file: ``../examples/fields``, ``../SECURITY.md``, ``../functions/x.py``.
On the site the first is ``examples/fields.md``, the second ``security.md``, and the third is no link, since a reader
of the site has no sources. An example that is no configuration, and so has no guide, is no link either.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Callable, Mapping, Set
from pathlib import Path, PurePosixPath

from docs.site.example_pages import read_summaries, render_example

SITE = "docs/site"
"""The folder of what builds the site, no part of it."""
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
_LINK = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]\[]*(?:\[[^\]]*\][^\]\[]*)?)\]\((?P<address>[^()\s]+)\)")
"""``[text](address)`` and ``![picture](address)``; the text may hold one pair of brackets, such as `[ui]`."""
_FENCE = re.compile(r"^(?P<marks>`{3,})[^\n]*\n.*?^(?P=marks)$", re.MULTILINE | re.DOTALL)
_OUTSIDE = ("http://", "https://", "mailto:", "#")


def stage_site(root: Path, target: Path) -> None:
    """Write the Markdown and the pictures of the site to a folder that is made for it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target, ignore=shutil.ignore_patterns("site", "__pycache__"))
    for name, page in ROOT_PAGES.items():
        shutil.copyfile(root / name, target / page)
    guides = read_summaries(root / "examples" / "README.md")
    _write_examples(root / "examples", guides, target / "examples")
    sources = {page: name for name, page in ROOT_PAGES.items()}
    for path in sorted(target.rglob("*.md")):
        page = path.relative_to(target).as_posix()
        source = sources.get(page, posixpath.join("docs", page))
        if not page.startswith("examples/"):
            text = rewrite_links(path.read_text(encoding="utf-8"), source, page, frozenset(guides))
            path.write_text(text, encoding="utf-8")
    shutil.copytree(root / SITE / "assets", target / "assets")


def _write_examples(examples: Path, guides: Mapping[str, str], target: Path) -> None:
    target.mkdir()
    for name, shows in guides.items():
        (target / f"{name}.md").write_text(render_example(examples / name, shows), encoding="utf-8")


def rewrite_links(text: str, source: str, page: str, guides: Set[str]) -> str:
    """A page with its links as they are on the site; ``source`` is its path in the repository, ``page`` that on it."""

    def rewrite(link: re.Match[str]) -> str:
        return _rewrite_link(link, source, page, guides)

    return outside_fences(text, lambda prose: _LINK.sub(rewrite, prose))


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """A text changed but for what is between fences, which is code."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(text[end:])])


def _rewrite_link(link: re.Match[str], source: str, page: str, guides: Set[str]) -> str:
    address = link["address"]
    if address.startswith(_OUTSIDE):
        return link[0]
    path, mark, anchor = address.partition("#")
    target = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)), guides)
    if target is None:
        return link["text"]
    relative = posixpath.relpath(target, posixpath.dirname(page) or ".")
    return f"{link['mark']}[{link['text']}]({relative}{mark}{anchor})"


def page_of(path: str, guides: Set[str]) -> str | None:
    """Where a file of the repository is on the site; None if it is not there. ``guides`` are names of examples."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path == "README.md":
        return "index.md"
    if path in {"examples", "examples/README.md"}:
        return "guides.md"
    parts = PurePosixPath(path).parts
    if parts[0] == "examples" and len(parts) >= 2:
        return f"examples/{parts[1]}.md" if parts[1] in guides else None
    if parts[0] == "docs" and path != "docs":
        return posixpath.join(*parts[1:])
    return None
