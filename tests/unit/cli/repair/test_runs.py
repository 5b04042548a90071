"""`millrace reprocess`: what was put on the queue, and that nobody could be told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.page_plant import PagePlant

ANSWER = {
    "run_id": "20261128T213000",
    "dry_run": False,
    "selected": 7,
    "sent": 7,
    "ignored": 1,
    "out_of_scope": 0,
    "examples": ["s3://acme-in/in/2026/q0.csv"],
    "complete": True,
}


@pytest.mark.parametrize("untold", [None, "no bus"])
def test_it_says_what_is_on_the_queue_and_if_nobody_is_told(run: Any, untold: str | None) -> None:
    answer = ANSWER if untold is None else {**ANSWER, "untold": untold}

    ran = run("reprocess", "nightly", deployments=PagePlant(answers=[answer]))

    assert "run 20261128T213000: put 7 objects on the queue" in ran.out
    assert ("warning: others are told of this run later, or not at all: no bus" in ran.err) is (untold is not None)
