"""The reference of the fields is what the models say, and its examples are sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from millrace.config.base import Section
from millrace.config.reference import by_place, main, page, reference
from millrace.errors import UsageError
from tests.places import ROOT

PAGE = ROOT / "docs" / "configuration.md"
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_is_what_the_models_say() -> None:
    """Whoever changes a field runs `make docs`."""
    text = PAGE.read_text(encoding="utf-8")

    assert page(text) == text


def test_writing_a_page_again_changes_nothing(tmp_path: Path) -> None:
    """What is written by hand stays; what is generated is replaced."""
    outdated = tmp_path / "page.md"
    outdated.write_text(PAGE.read_text(encoding="utf-8").replace("`s3_bucket_region`", "`region`"), encoding="utf-8")

    main([str(outdated)])

    assert outdated.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!-- fields: models[] -->", "<!-- fields: modles[] -->"),
        ("<!-- fields: models[] -->", "<!-- fields: connections[] -->"),
        ("## Schedules", "<!-- fields: models[] -->\n<!-- end -->"),
    ],
)
def test_no_object_is_forgotten(old: str, new: str) -> None:
    """A place that is unknown, missing or there twice is named."""
    with pytest.raises(UsageError, match=r"models\[\]"):
        page(PAGE.read_text(encoding="utf-8").replace(old, new))


@pytest.mark.parametrize(("place", "section"), by_place().items(), ids=str)
def test_every_field_has_its_row(place: str, section: type[Section]) -> None:
    """With all six cells, its synonyms and what is read-only."""
    table = [line for line in reference(section).splitlines() if line.startswith("|")][2:]
    named = {name for line in table for name in re.findall(r"`(\w+)`", re.split(r"(?<!\\)\|", line)[1])}

    assert named == {*section.model_fields, *section.synonyms, *section.read_only}, place
    assert {len(re.split(r"(?<!\\)\|", line)) for line in table} == {8}
    assert all(re.search(r" \[(doc|ours)\] \|$", line) for line in table)


def _fields() -> Iterator[tuple[str, FieldInfo, Any]]:
    for place, section in by_place().items():
        hints = get_type_hints(section, include_extras=True)
        for name, field in section.model_fields.items():
            yield f"{place}.{name}", field, hints[name]


FIELDS = list(_fields())


@pytest.mark.parametrize(("field", "hint"), [one[1:] for one in FIELDS], ids=[one[0] for one in FIELDS])
def test_examples_are_sound(field: FieldInfo, hint: Any) -> None:
    """What the reference and an editor offer is taken."""
    for example in field.examples or []:
        assert TypeAdapter(hint).validate_python(example) not in (None, "")


def test_every_value_has_an_example() -> None:
    """But for objects, whose fields have theirs, and for secrets."""
    without = {
        place
        for place, section in by_place().items()
        for line in reference(section).splitlines()
        if re.search(r"^\| `\w+`(, `\w+`)? \| (?!.*\]\(#|`s3`|secret|read-only).* \| – \| [^|]*\|$", line)
    }

    assert without == set()


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors)
    return set(anchors)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    """Within a page, to another page, and to its headings."""
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        page_name, _, anchor = target.partition("#")
        there = path.parent / page_name if page_name else path
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there.read_text(encoding="utf-8")), target


VENDOR = """
auth_mode csv_has_headers enable_event_notifications is_single_table s3_bucket_name s3_bucket_region aws_access_key_id
aws_secret_access_key iam_role_arn event_queue_arn is_directory_snapshot single_table_file_format single_table_name
single_table_file_formats directory_glob_pattern skip_lines aws_user external_id file_format key model_from subfolder
target.configuration.format destination_configuration.format destination_configuration.subfolder name type
"""
"""Every field of Polytomic's page on S3 connections."""


def test_every_field_of_the_vendors_page_is_gone_through() -> None:
    """So are the fields of bulk and model syncs that are marked as documented by them."""
    text = (ROOT / "docs" / "coming-from-polytomic.md").read_text(encoding="utf-8")
    cells = {
        name for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    documented = {
        name
        for section in (by_place()["bulk_syncs[]"], by_place()["bulk_syncs[].schemas[]"], by_place()["model_syncs[]"])
        for name, field in section.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra["x-mark"] == "doc"
    }
    words = {word for cell in cells for word in re.split(r"[.\[\]]+", cell)}

    assert set(VENDOR.split()) <= cells
    assert {name.replace("_connection", "_connection_id") for name in documented} - {"name", "model"} <= words
