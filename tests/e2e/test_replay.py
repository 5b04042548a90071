"""Rows that were put aside are shown, and their object is converted again by the deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import State
from tests.e2e.commands import lines
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e


def test_bad_rows_are_shown_and_read_again(deployed: DeployedDemo, configuration: Path) -> None:
    """Under a new fence, with counts that add up; the options are the same, so the same row stays aside."""
    ref = in_folder(deployed, "exports", "till replay/2026-11-28.csv")
    task = task_of(deployed, "tills-to-parquet", ref)
    deployed.upload(ref, b"till\n--\nid;amount\n1;2,50\n2\n3;1,25\n")
    first = deployed.wait([task], seconds=60)[task]
    assert (first.state, first.rows.written, first.rows.quarantined) == (State.QUARANTINED, 2, 1)

    replay = ("replay", "tills-to-parquet", "--config", str(configuration), "--key", ref.key, "--json")
    shown, summary = lines(deployed, *replay)
    assert (shown["source"], shown["way"], shown["rows_quarantined"]) == (str(ref), "convert again", 1)
    assert summary["dry_run"]
    assert deployed.wait([task], seconds=10)[task].fence == first.fence

    assert lines(deployed, *replay, "--yes")[-1]["sent"] == 1
    again = deployed.wait([task], seconds=60, until=lambda entry: entry.settled and entry.fence > first.fence)[task]
    assert (again.state, again.rows) == (first.state, first.rows)
    assert {output.ref for output in again.outputs} == {output.ref for output in first.outputs}
