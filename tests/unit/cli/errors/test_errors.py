"""`millrace errors`: every class is explained, its example is a real message, and the page is current."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import millrace
from millrace.cli.errors.catalogue import GUIDES, find_guide
from millrace.cli.errors.guides import ErrorBranch, ErrorGuide
from millrace.cli.errors.page import main, render_page
from millrace.errors import MillraceError, UsageError
from tests.places import ROOT

PAGE = ROOT / "docs" / "errors.md"
NO_IMPORT = ("millrace.infra", "millrace.cli.__main__")
"""Stacks, which are there in a wheel alone, and what runs when it is imported."""


def _import_library() -> None:
    for module in pkgutil.walk_packages(millrace.__path__, "millrace."):
        if not module.name.startswith(NO_IMPORT):
            import_module(module.name)


def _subclasses(base: type[MillraceError]) -> Iterator[type[MillraceError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


@pytest.fixture(scope="module")
def tree() -> dict[str, type[MillraceError]]:
    """The classes of the library by name; those that tests define are left out."""
    _import_library()
    return {kind.__name__: kind for kind in _subclasses(MillraceError) if kind.__module__.startswith("millrace.")}


@pytest.mark.slow
def test_every_class_is_explained_once_and_nothing_else(tree: dict[str, type[MillraceError]]) -> None:
    public = sorted(name for name in tree if not name.startswith("_"))

    assert sorted(guide.name for guide in GUIDES) == public


@pytest.mark.slow
def test_each_is_below_the_class_of_its_branch(tree: dict[str, type[MillraceError]]) -> None:
    """Quiet errors and those of commands alone have no branch whose outcome would be another."""
    misplaced = [
        guide.name
        for guide in GUIDES
        if guide.branch.value in tree and guide.branch is not ErrorBranch.COMMAND
        if not issubclass(tree[guide.name], tree[guide.branch.value])
    ]
    branches = {branch.value for branch in ErrorBranch} & tree.keys()
    hidden = [
        guide.name
        for guide in GUIDES
        if guide.branch in {ErrorBranch.QUIET, ErrorBranch.COMMAND}
        and {kind.__name__ for kind in tree[guide.name].__mro__} & (branches - {"UsageError"})
    ]

    assert (misplaced, hidden) == ([], [])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_each_text_is_there_with_a_sentence_a_line(guide: ErrorGuide) -> None:
    for text in (guide.meaning, guide.remedy, guide.describe_outcome()):
        for line in text.splitlines():
            assert line.endswith("."), line
            assert len(line) <= 120, line
    assert guide.example
    assert "\n" not in guide.example


@dataclass(frozen=True)
class RefusedFile:
    """A file that `millrace convert` refuses with the message of the example."""

    name: str
    content: bytes
    options: tuple[str, ...] = ()


REFUSED = {
    "RaggedRow": RefusedFile("orders.csv", b"id,total\n1,5\n2,6,7\n"),
    "MalformedFile": RefusedFile("orders.jsonl", b'{"id":1}\n{"id":}\n'),
    "WrongEncoding": RefusedFile("names.csv", b"name\nMo\xfcller\n"),
    "AmbiguousDialect": RefusedFile("orders.csv", b"# a\n# b\nid,total\n1,5\n"),
    "StrayQuote": RefusedFile("notes.csv", b'id,note\n1,"say "hello", twice"\n2,"x" y\n'),
    "MisfitLine": RefusedFile("access.log", b"hello\n", ("--from", "log", "--log-preset", "alb")),
}


@pytest.mark.slow
@pytest.mark.parametrize(("code", "refused"), REFUSED.items(), ids=REFUSED)
def test_the_example_is_what_a_person_sees(run: Any, tmp_path: Path, code: str, refused: RefusedFile) -> None:
    source = tmp_path / refused.name
    source.write_bytes(refused.content)

    ran = run("convert", str(source), str(tmp_path / "out.parquet"), "--to", "parquet", *refused.options)

    assert ran.code == 1
    assert f"{code}: {find_guide(code).example}" in ran.err


def test_the_page_is_what_the_explanations_say(tmp_path: Path) -> None:
    """Whoever changes an explanation runs `make docs`."""
    page = tmp_path / "errors.md"
    main([str(page)])

    assert page.read_text(encoding="utf-8") == render_page() == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("code", ["RaggedRow", "raggedrow", "ragged-row", "RAGGED_ROW"])
def test_a_class_is_found_however_it_is_written(code: str) -> None:
    assert find_guide(code).name == "RaggedRow"


@pytest.mark.parametrize(("code", "said"), [("RagedRow", "did you mean RaggedRow?"), ("ÿ", "millrace errors")])
def test_an_unknown_class_is_named_with_what_is_similar(code: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        find_guide(code)


def test_one_class_is_explained(run: Any) -> None:
    ran = run("errors", "NoSuchBucket")

    assert ran.code == 0
    assert ran.out.startswith("NoSuchBucket\n\nA bucket of the configuration does not exist.\n")
    assert "\nWhat to do:\n  Create the bucket, or correct `s3_bucket_name` and deploy.\n" in ran.out
    assert ErrorBranch.CONFIGURATION.outcome.partition("\n")[0] in ran.out


def test_all_classes_are_listed(run: Any) -> None:
    ran = run("errors")

    assert ran.code == 0
    assert [guide.name for guide in GUIDES if f"  {guide.name} " not in ran.out] == []


def test_json_has_all_fields_of_a_class(run: Any) -> None:
    found = json.loads(run("errors", "ObjectGone", "--json").out)

    assert set(found) == {"name", "branch", "meaning", "example", "remedy", "outcome"}
    assert (found["name"], found["branch"]) == ("ObjectGone", "quiet")
    assert len(run("errors", "--json").out.splitlines()) == len(GUIDES)
