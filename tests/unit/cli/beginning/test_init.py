"""`millrace init`: what it writes is valid, what it asks is clear, and nothing is written over."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from millrace.cli.beginning.draft import Draft, FirstLayout, parse_draft
from millrace.config.connection import ManagedQueue
from millrace.config.document import load
from millrace.config.layout import DirectorySnapshot, Folder, MultiTable, SingleTable
from millrace.engine.options import TARGET_FORMATS

GIVEN = ("--source", "s3://acme-in/up", "--destination", "acme-lake", "--region", "eu-central-1")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


class AtTerminal(io.StringIO):
    """Input that a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("to", "layout", "notifications"), [*itertools.product(TARGET_FORMATS, FirstLayout, (True, False))]
)
def test_every_draft_is_valid_and_says_what_was_answered(to: Any, layout: FirstLayout, notifications: bool) -> None:  # noqa: FBT001 - a given value
    draft = Draft(
        source=Folder("acme-in", "Zürich: 50% #1/'x' \"y\""),
        destination=Folder("acme-lake", "a"),
        format=to,
        layout=layout,
        notifications=notifications,
        region="eu-central-1",
    )

    document = parse_draft(draft.to_text(Path("x.schema.json")))

    inbox = document.connection("inbox")
    kinds = {
        FirstLayout.FILES: MultiTable,
        FirstLayout.TABLE: SingleTable,
        FirstLayout.FOLDERS: DirectorySnapshot,
    }
    assert inbox.root == draft.source
    assert isinstance(inbox.layout, kinds[layout])
    assert isinstance(inbox.notifications, ManagedQueue) == notifications
    assert document.bulk_syncs[0].format == to


def test_options_alone_write_a_file_and_the_schema_that_its_first_line_names(run: Any, tmp_path: Path) -> None:
    ran = run("init", *GIVEN)

    assert ran.code == 0, ran.err
    first = (tmp_path / "millrace.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./millrace.schema.json"
    assert json.loads((tmp_path / "millrace.schema.json").read_text())["title"] == "Millrace configuration"
    assert load(tmp_path / "millrace.yaml").bulk_syncs[0].format == "parquet"
    for step in ("millrace validate", "millrace demo --config", "millrace deploy"):
        assert step in ran.out


def test_what_is_not_given_is_asked_and_a_wrong_answer_again(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = AtTerminal("acme_in\nacme-in/up\nacme-lake\nexcel\ncsv\ntable\nno\neu-west-1\n")
    monkeypatch.setattr("io.StringIO", lambda _text: answers)

    ran = run("init", "orders.yaml")

    assert ran.code == 0, ran.err
    document = load(tmp_path / "orders.yaml")
    assert document.connection("inbox").notifications is None
    assert document.bulk_syncs[0].format == "csv"
    assert "expected one of csv, json" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "acme"], "--destination is missing, and nobody is here to ask"),
        ([*GIVEN[:4]], "--region is missing"),
        ([*GIVEN, "--format", "excel"], "--format 'excel': expected one of csv"),
        ([*GIVEN, "--layout", "tree"], "--layout 'tree': expected one of files, table, folders"),
        (["--source", "https://acme"], "--source 'https://acme': expected s3://bucket/folder"),
        ([*GIVEN[:4], "--region", "Frankfurt"], "--region 'Frankfurt': expected a region, such as eu-central-1"),
        (["orders.json", *GIVEN], "ends in .yaml or .yml"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(run: Any, tmp_path: Path, words: list[str], said: str) -> None:
    ran = run("init", *words)

    assert ran.code == 2
    assert said in ran.err
    assert list(tmp_path.iterdir()) == []


def test_results_within_the_source_are_refused_before_anything_is_written(run: Any, tmp_path: Path) -> None:
    ran = run("init", "--source", "acme", "--destination", "acme/out", "--region", "eu-central-1")

    assert ran.code == 1
    assert "overlaps" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["millrace.yaml", "millrace.schema.json"])
def test_a_file_that_is_there_is_kept_unless_force_is_said(run: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")

    ran = run("init", *GIVEN)

    assert ran.code == 2
    assert f"{name}: already there" in ran.err
    assert (tmp_path / name).read_text() == "mine"
    assert run("init", *GIVEN, "--force").code == 0
    assert (tmp_path / name).read_text() != "mine"
