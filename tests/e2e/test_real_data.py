"""Files that people published, through the deployed function into every format, compared value by value."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.deployment.project import find_project
from millrace.engine.options import recognise
from millrace.ledger.entries import State
from tests.e2e.places import in_folder
from tests.e2e.records import differences, read

pytestmark = pytest.mark.e2e

DATA = find_project().root.parent / "shared" / "data"
FILES = sorted(file for file in DATA.glob("*") if recognise(file.name)) if DATA.is_dir() else []


@pytest.mark.skipif(not FILES, reason=f"there is no real data in {DATA}")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_real_file_says_the_same_in_every_format(opened: DeployedDemo, file: Path) -> None:
    """Whatever a sync makes of it, a reader finds what the source said."""
    ref = in_folder(opened, "shop", f"data/{file.name}")
    opened.upload(ref, file.read_bytes())
    tasks = opened.tasks([ref])
    source = read(file.name, file.read_bytes())

    entries = opened.wait(tasks, seconds=60)

    assert len(tasks) == 4
    for entry in entries.values():
        assert entry.state is State.CONVERTED, entry.failure
        output = entry.outputs[0].ref
        target = read(output.key, opened.read(output))
        if file.suffix == ".parquet":
            target = [{name: row[name] for name in source[0]} for row in target]
        assert differences(source, target) == [], f"{file.name} became {output}"
