"""Links within the repository lead to a file, and to a heading of it; links out of it are not followed."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from docs.site.anchors import slugify
from tests.places import ROOT
from tests.unit.docs.pages import PAGES, name_of, without_code

_LINK = re.compile(r"\]\((?P<address>[^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
_OUTSIDE = ("http://", "https://", "mailto:")
_CODE = re.compile(r"`[^`\n]*`")


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """The anchors of a page's headings; the second ``Example`` is ``example-1``, as on GitHub."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in _HEADING.finditer(without_code(page)):
        anchor = slugify(re.sub(r"\]\([^)]*\)", "", heading["text"]))
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return frozenset(anchors)


def find_broken(page: Path) -> Iterator[str]:
    for link in _LINK.finditer(_CODE.sub("", without_code(page))):
        address = link["address"]
        if address.startswith(_OUTSIDE):
            continue
        path, _, anchor = address.partition("#")
        target = Path(posixpath.normpath(page.parent / path)) if path else page
        if not target.exists():
            yield f"{address}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
            yield f"{address}: no such heading; there are {', '.join(sorted(anchors_of(target)))}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_somewhere(page: Path) -> None:
    assert list(find_broken(page)) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n[a](nowhere.md) [b](#a-page) [c](#another) `[d](no-link)` [e](https://x.example/)\n")

    assert [line.partition(":")[0] for line in find_broken(page)] == ["nowhere.md", "#another"]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT / "docs"], ids=name_of)
def test_the_first_sentence_says_who_should_read_it(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# ")
    assert lines[1] == ""
    assert lines[2].startswith("Read this")
