"""`millrace import` as a user meets it: files and standard input, what is written over, exit codes, what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.config.document import load
from tests.unit.config.polytomic.answers import vendor_bulk_sync, vendor_connection, vendor_connections


@pytest.fixture
def answers(tmp_path: Path) -> list[str]:
    connections, syncs = tmp_path / "connections.json", tmp_path / "syncs.json"
    connections.write_text(json.dumps({"data": vendor_connections()}))
    syncs.write_text(json.dumps({"data": [vendor_bulk_sync(), vendor_bulk_sync("o", "old", active=False)]}))
    return [str(connections), str(syncs)]


def test_a_file_is_written_that_is_valid_and_lists_what_is_to_do(run: Any, tmp_path: Path, answers: list[str]) -> None:
    output = tmp_path / "millrace.yaml"

    ran = run("import", *answers, "--output", str(output))

    assert (ran.code, ran.out) == (0, "")
    assert [sync.name for sync in load(output).bulk_syncs] == ["orders"]
    assert "passed over: bulk sync 'old'" in ran.err
    assert "# to do: connection 'landing'" in output.read_text()
    assert f"{output}: 2 connections, 1 bulk sync; 1 object passed over, 2 to do; valid" in ran.err


def test_standard_input_and_output(run: Any, tmp_path: Path, answers: list[str]) -> None:
    ran = run("import", "-", answers[1], "--output", "-", stdin=Path(answers[0]).read_text())

    (tmp_path / "out.yaml").write_text(ran.out)
    assert ran.code == 0
    assert load(tmp_path / "out.yaml").connections


def test_a_file_that_exists_stays_without_force(run: Any, tmp_path: Path, answers: list[str]) -> None:
    output = tmp_path / "millrace.yaml"
    output.write_text("mine")

    refused = run("import", *answers, "--output", str(output))

    assert refused.code == 2
    assert "exists; give --force" in refused.err
    assert output.read_text() == "mine"
    assert run("import", *answers, "--output", str(output), "--force").code == 0
    assert output.read_text() != "mine"


def test_what_is_not_valid_yet_is_written_with_its_problems(run: Any, tmp_path: Path) -> None:
    answer, output = tmp_path / "c.json", tmp_path / "out.yaml"
    answer.write_text(json.dumps([vendor_connection(s3_bucket_region="")]))

    ran = run("import", str(answer), "--output", str(output))

    assert ran.code == 1
    assert "error: connections[0].configuration.s3_bucket_region: required, but not given" in ran.err
    assert output.exists()


def test_nothing_is_written_of_nothing(run: Any, tmp_path: Path) -> None:
    answer, output = tmp_path / "c.json", tmp_path / "out.yaml"
    answer.write_text(json.dumps([vendor_connection() | {"type": {"id": "gcs"}}]))

    ran = run("import", str(answer), "--output", str(output))

    assert ran.code == 2
    assert "passed over: connection 'landing'" in ran.err
    assert not output.exists()


def test_a_file_that_is_not_there_or_no_text(run: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")

    missing, binary = (run("import", str(tmp_path / name), "-o", "-") for name in ("gone.json", "x.json"))

    assert (missing.code, binary.code) == (2, 2)
    assert "gone.json: cannot be read" in missing.err
    assert "not UTF-8 text: byte 0" in binary.err
