"""The site: its pages are all in the navigation, its links are as they are there, and each example has a page."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.site.example_pages import read_summaries, render_example, split_comment
from docs.site.staging import page_of, rewrite_links, stage_site
from millrace.cli.reference import render_page, write_pages
from tests.places import EXAMPLES, ROOT
from tests.unit.docs.test_links import find_broken

SETTINGS = tomllib.loads((ROOT / "docs" / "site" / "zensical.toml").read_text(encoding="utf-8"))["project"]
GUIDES = frozenset({"fields"})
COMMANDS_PAGE = ROOT / "docs" / "commands.md"


def _pages_of(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from _pages_of(target)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Zensical reads."""
    target = tmp_path_factory.mktemp("site") / "docs"
    stage_site(ROOT, target)
    return target


def test_each_page_is_in_the_navigation_once(staged: Path) -> None:
    pages = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*.md"))

    assert sorted(_pages_of(SETTINGS["nav"])) == pages


def test_the_styles_and_scripts_of_our_own_are_there(staged: Path) -> None:
    own = [*SETTINGS["extra_css"], *SETTINGS["extra_javascript"]]

    assert own == sorted(f"assets/{path.name}" for path in (staged / "assets").iterdir())


def test_each_link_leads_somewhere_on_the_site_as_well(staged: Path) -> None:
    broken = {path.relative_to(staged).as_posix(): list(find_broken(path)) for path in staged.rglob("*.md")}

    assert {page: links for page, links in broken.items() if links} == {}


def test_each_example_has_a_guide_that_the_list_of_guides_names(staged: Path) -> None:
    guides = (ROOT / "docs" / "guides.md").read_text(encoding="utf-8")
    summaries = read_summaries(EXAMPLES / "README.md")

    assert [name for name in summaries if f"(../examples/{name}) | {summaries[name]} |" not in guides] == []
    assert all((staged / "examples" / f"{name}.md").is_file() for name in summaries)


def test_a_guide_shows_the_configuration_the_files_and_what_becomes_of_them() -> None:
    page = render_example(EXAMPLES / "fields", "tables and fields chosen")

    assert page.startswith("# Fields\n\nThis guide shows tables and fields chosen.\n")
    assert "      - id: customers\n        fields:\n" in page
    assert "`customers.csv`\n\n````text\n" in page
    assert "`sales/all orders.jsonl`\n\n````json\n" in page


def test_parquet_is_shown_as_a_table_with_its_types() -> None:
    page = render_example(EXAMPLES / "catalog", "a table")

    assert "`orders/2026-11-20.parquet`\n\n| " in page
    assert "`: *int64* |" in page


def test_what_is_no_text_is_not_shown() -> None:
    assert "bytes, which are no text)" in render_example(EXAMPLES / "compression", "compressed files")


def test_the_comment_of_a_configuration_is_prose() -> None:
    assert split_comment("# Two *signs*\n# in it.\n\na: 1 # one\n") == ("Two \\*signs\\* in it.", "a: 1 # one")
    assert split_comment("a: 1\n") == ("", "a: 1")


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("docs/values.md", "values.md"),
        ("docs/decisions/README.md", "decisions/README.md"),
        ("README.md", "index.md"),
        ("SECURITY.md", "security.md"),
        ("examples/fields", "examples/fields.md"),
        ("examples/fields/input/a.csv", "examples/fields.md"),
        ("examples", "guides.md"),
        ("examples/README.md", "guides.md"),
        ("examples/starter.yaml", None),
        ("examples/no_guide", None),
        ("functions/millrace/errors.py", None),
    ],
)
def test_where_a_file_of_the_repository_is_on_the_site(path: str, page: str | None) -> None:
    assert page_of(path, GUIDES) == page


def test_links_are_rewritten_outside_of_code() -> None:
    text = "[a](../../SECURITY.md#x) ![p](../pictures/p.png) [s](../../functions/x.py) [w](https://w.example/)\n"
    code = "```\n[a](../../SECURITY.md)\n```\n"
    expected = "[a](../security.md#x) ![p](../pictures/p.png) s [w](https://w.example/)\n"

    assert rewrite_links(text + code, "docs/decisions/1.md", "decisions/1.md", GUIDES) == expected + code
    assert rewrite_links("[a](docs/values.md#x)", "README.md", "index.md", GUIDES) == "[a](values.md#x)"
    assert rewrite_links("[a](../SECURITY.md)", "docs/values.md", "values.md", GUIDES) == "[a](security.md)"


def test_the_page_of_commands_is_what_the_commands_say(tmp_path: Path) -> None:
    """Whoever changes a command or an option runs `make docs`."""
    page = tmp_path / "commands.md"
    write_pages(iter([page]))

    assert page.read_text(encoding="utf-8") == render_page() == COMMANDS_PAGE.read_text(encoding="utf-8")
