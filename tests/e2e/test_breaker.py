"""The circuit breaker: while a grant is missing nothing is received, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import State
from tests.e2e.commands import lines, run
from tests.e2e.denials import without
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e

OBJECTS = 50


def test_fifty_objects_survive_a_grant_that_was_taken_away(enforced: DeployedDemo) -> None:
    """The function pauses its own event source, nothing gets to the dead-letter queue, and resuming converts all."""
    refs = [in_folder(enforced, "in", f"denied/{number}.csv") for number in range(OBJECTS)]
    tasks = [task_of(enforced, "e2e csv", ref) for ref in refs]

    with without(enforced, "s3:PutObject"):
        for number, ref in enumerate(refs):
            enforced.upload(ref, f"id,name\n{number:03d},Ada\n".encode())
        enforced.wait_until(lambda: bool(_paused(enforced)), seconds=60, what="the event source to be paused")
        (paused,) = _paused(enforced)

    assert paused["resumed"] is False
    assert "s3:PutObject" in paused["reason"]
    assert _dead(enforced) == 0
    assert [line["queue"] for line in lines(enforced, "resume", "--json")] == [paused["queue"]]
    entries = enforced.wait(tasks, seconds=120, until=lambda entry: entry.state is State.CONVERTED)
    assert len(entries) == OBJECTS
    enforced.wait_until_idle(seconds=60)
    assert _dead(enforced) == 0
    assert _paused(enforced) == []
    assert all(enforced.read(entry.outputs[0].ref) for entry in entries.values())


def test_resuming_what_is_not_paused_is_wrong_use(enforced: DeployedDemo) -> None:
    """Exit 2, with what is paused."""
    done = run(enforced, "resume", "no-such-queue")
    assert done.returncode == 2
    assert "not paused" in done.stderr


def _paused(deployed: DeployedDemo) -> list[dict[str, Any]]:
    return lines(deployed, "resume", "--dry-run", "--json")


def _dead(deployed: DeployedDemo) -> int:
    return deployed.messages(deployed.resources.dead_letter_queue)
