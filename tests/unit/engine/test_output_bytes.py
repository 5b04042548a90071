"""Outputs of the examples have the bytes that 0.1.0 wrote, so that a reprocess after an upgrade changes nothing.

A change that alters bytes on purpose (a newer pyarrow, another encoding) records them again and says so in CHANGELOG.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from millrace.engine.files import Job, convert_file
from millrace.engine.options import FileFormat
from tests.places import EXAMPLES, TESTS

RECORDED: dict[str, str] = json.loads((TESTS / "unit/engine/recorded/output_digests.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("conversion", RECORDED)
def test_output_has_the_recorded_bytes(conversion: str, tmp_path: Path) -> None:
    """Each example file to each format, SHA-256 of the output."""
    source, target_format = conversion.split(" -> ")
    target = tmp_path / "output"

    convert_file(Job(source=str(EXAMPLES / "data" / source), target=str(target), to=FileFormat(target_format)))

    assert hashlib.sha256(target.read_bytes()).hexdigest() == RECORDED[conversion]
