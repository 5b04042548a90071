"""What one small object costs: AWS calls on the way of success, and the time of a warm function."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest

from millrace.demo.deployed import DeployedDemo
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e


def test_small_object_costs_one_read_one_write_and_three_ledger_calls(opened: DeployedDemo) -> None:
    """One GetItem, two PutItem, one GET, one PUT; no HEAD, no list, no second look."""
    _convert(opened, "warm.csv", b"a\n1\n")
    opened.wait_until_idle(seconds=30)
    before = opened.function_calls()

    _convert(opened, "counted.csv", _ten_kilobytes())
    opened.wait_until_idle(seconds=30)

    calls = opened.function_calls() - before
    assert calls == Counter({"GetItem": 1, "PutItem": 2, "S3 GET": 1, "S3 PUT": 1})


def test_warm_function_is_quick(opened: DeployedDemo, capsys: pytest.CaptureFixture[str]) -> None:
    """A 10 kB CSV is claimed, converted, published and settled in well under a second."""
    milliseconds = [_convert(opened, f"timed/{number}.csv", _ten_kilobytes()) for number in range(10)]

    with capsys.disabled():
        print(f"\n10 kB CSV in a warm function, ms: {sorted(milliseconds)}")  # noqa: T201 -- a figure to report
    assert statistics.median(milliseconds) < 1000


def _convert(deployed: DeployedDemo, name: str, content: bytes) -> int:
    task = task_of(deployed, "e2e figures", ref := in_folder(deployed, "figures", name))
    deployed.upload(ref, content)
    found = deployed.wait([task], seconds=30)[task].milliseconds
    assert found is not None
    return found


def _ten_kilobytes() -> bytes:
    lines = [f"{number},name {number},2026-01-01,{number}.50" for number in range(330)]
    return "\n".join(["id,name,day,amount", *lines]).encode()
