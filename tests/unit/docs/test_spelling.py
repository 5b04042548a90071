"""Common misspellings in what people read: pages, examples, and the texts of the commands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.places import ROOT
from tests.unit.docs.pages import PAGES

codespell = pytest.importorskip("codespell_lib", reason="codespell is in the extra docs")
WORDS = ROOT / "docs" / "site" / "words.toml"


def has_misspelt_words(*paths: Path) -> bool:
    """Whether codespell would change a word; it prints each."""
    known = tomllib.loads(WORDS.read_text(encoding="utf-8"))["words"]
    arguments = ["--ignore-words-list", ",".join(known), "--builtin", "clear,rare", *map(str, paths)]
    return bool(codespell.main(*arguments))


def test_pages_and_texts_of_commands_are_spelt_well(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ROOT / "functions" / "millrace" / "cli"

    examples = (ROOT / "examples").glob("*/millrace.yaml")

    assert not has_misspelt_words(*PAGES, *commands.rglob("*.py"), *examples), capsys.readouterr().out


def test_a_misspelling_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("It is neccessary.\n")

    assert has_misspelt_words(page)


def test_each_word_that_is_let_through_has_a_reason() -> None:
    known = tomllib.loads(WORDS.read_text(encoding="utf-8"))["words"]

    assert [word for word, reason in known.items() if len(reason) < 10] == []
