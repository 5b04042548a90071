"""Objects above one ranged read, in a versioned bucket that the stack made: every row comes out, once and in order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.large import row_differences, write_large
from millrace.ledger.entries import Entry, State
from tests.e2e.places import in_folder

pytestmark = pytest.mark.e2e

SEED = 16


@pytest.fixture(scope="module")
def converted(opened: DeployedDemo, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Task, Entry, pa.Table]]:
    """Three objects of 20 MB, each under both syncs that want it."""
    files = write_large(tmp_path_factory.mktemp("large"), SEED)
    rows = {in_folder(opened, "in", f"large/{file.name}"): (file, table) for file, table in files.items()}
    for ref, (file, _) in rows.items():
        opened.upload(ref, file.read_bytes())
    entries = opened.wait(opened.tasks(rows), seconds=180)
    return [(task, entry, rows[task.source][1]) for task, entry in entries.items()]


def test_every_row_is_as_it_was(opened: DeployedDemo, converted: list[tuple[Task, Entry, pa.Table]]) -> None:
    assert len(converted) == 6
    for task, entry, rows in converted:
        assert entry.state is State.CONVERTED, (task, entry.failure)
        output = entry.outputs[0].ref
        assert row_differences(rows, output.key, opened.read(output)) == [], f"{task.source} became {output}"
        assert entry.rows.read == entry.rows.written == rows.num_rows


def test_ranges_of_one_version_were_asked_for(
    opened: DeployedDemo, converted: list[tuple[Task, Entry, pa.Table]]
) -> None:
    """Otherwise the test above shows nothing of how versions are read."""
    assert all(entry.version.version_id for _, entry, _ in converted)
    requests = opened.emulator.request_log.read_text().splitlines()
    pinned = [line for line in requests if "|GET|" in line and "versionId=" in line and "/in/large/" in line]
    assert len(pinned) >= len(converted)
