"""`millrace history` and `millrace costs`: what a person sees."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.aws.deployed import Deployed
from millrace.cli.deployed.history import _parse_time
from millrace.errors import UsageError
from millrace.ledger.entries import Branch, Failure, State
from tests.fakes import InMemoryLedger
from tests.unit.operations.history.test_history import finished

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class HistoryDeployments:
    """A deployment that exports nothing; ``memory`` is of its function, None: nobody may ask."""

    def __init__(self, memory: int | None = 1024) -> None:
        self.ledger = InMemoryLedger()
        self.memory = memory
        now = datetime.now(UTC) - timedelta(minutes=5)
        failure = Failure(branch=Branch.DATA, error="RaggedRow", message="row 7 has 3 fields", row=7)
        works = [
            finished("in/a.csv", now),
            finished("in/2026/b.csv", now - timedelta(minutes=1), sync="other", seconds=10.0),
            replace(finished("in/c\n.csv", now), state=State.FAILED, failure=failure),
        ]
        for entry in works:
            self.ledger.entries[entry.sync, entry.source] = entry

    def find(self, _name: str) -> tuple[Deployed, Any]:
        """The deployment, and its ledger."""
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="d",
            queues={},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly", "other"),
        )
        return deployed, self.ledger

    def client(self, _service: str) -> Any:
        """Lambda's."""
        return self

    def get_function_configuration(self, **_asked: str) -> dict[str, Any]:
        """As AWS answers."""
        if self.memory is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetFunctionConfiguration")
        return {"MemorySize": self.memory, "Architectures": ["arm64"]}


class TestHistoryCommand:
    def test_lists_works_with_what_they_took(self, run: Any) -> None:
        ran = run("history", deployments=HistoryDeployments())
        heading, *lines = ran.out.splitlines()

        assert heading.split() == ["day", "time", "state", "rows", "bytes", "seconds", "dollars", "object", "(sync)"]
        assert len(lines) == 3
        assert "s3://acme-in/in/2026/b.csv (other)" in lines[0], "the newest is last"
        assert "in/c\\n.csv (nightly): RaggedRow" in ran.out, "a key cannot steer the terminal"

    def test_gives_json_lines(self, run: Any) -> None:
        ran = run("history", "--json", "--sync", "other", deployments=HistoryDeployments())
        (work,) = map(json.loads, ran.out.splitlines())

        assert (work["sync"], work["seconds"], work["gigabyte_seconds"]) == ("other", 10.0, 10.0)
        assert work["day"] == work["finished"][:10]

    def test_shows_the_newest_and_says_so(self, run: Any) -> None:
        ran = run("history", "--limit", "1", deployments=HistoryDeployments())

        assert len(ran.out.splitlines()) == 2
        assert "the newest 1 are shown: --limit 0 shows all" in ran.err

    def test_says_that_there_is_nothing(self, run: Any) -> None:
        assert "no work has finished" in run("history", "--state", "removed", deployments=HistoryDeployments()).out

    @pytest.mark.parametrize(
        "arguments", [("--state", "waiting"), ("--since", "tomorrow"), ("--until", "99999999999w"), ("--since", "")]
    )
    def test_refuses_what_makes_no_sense(self, run: Any, arguments: tuple[str, str]) -> None:
        ran = run("history", *arguments, deployments=HistoryDeployments())

        assert (ran.code, ran.out) == (2, "") or ran.code == 1
        assert arguments[0] in ran.err

    def test_who_may_not_ask_about_the_function_sees_all_but_its_costs(self, run: Any) -> None:
        ran = run("history", deployments=HistoryDeployments(memory=None))

        assert "lack the function's time" in ran.err
        assert len(ran.out.splitlines()) == 4


class TestCostsCommand:
    def test_sums_and_says_by_which_prices(self, run: Any) -> None:
        ran = run("costs", deployments=HistoryDeployments())
        heading, first, second, total = ran.out.splitlines()

        assert heading.split()[-1] == "sync"
        assert (first.split()[-1], second.split()[-1]) == ("other", "nightly"), "the dearest first"
        assert "by list prices of us-east-1 (November 2026)" in total

    def test_gives_json_by_folder(self, run: Any) -> None:
        ran = run("costs", "--by", "prefix", "--depth", "2", "--json", deployments=HistoryDeployments())
        sums = {cost["prefix"]: cost["works"] for cost in map(json.loads, ran.out.splitlines())}

        assert sums == {"s3://acme-in/in/": 2, "s3://acme-in/in/2026/": 1}


@pytest.mark.parametrize(
    ("text", "is_end", "moment"),
    [
        ("2026-11-28", False, datetime(2026, 11, 28, tzinfo=UTC)),
        ("2026-11-28", True, datetime(2026, 11, 29, tzinfo=UTC)),
        ("2026-11-28T10:30", True, datetime(2026, 11, 28, 10, 30, tzinfo=UTC)),
        ("2026-11-28T10:30+02:00", False, datetime(2026, 11, 28, 8, 30, tzinfo=UTC)),
        ("24h", False, NOW - timedelta(days=1)),
        ("2w", False, NOW - timedelta(days=14)),
    ],
)
def test_a_time_is_a_day_a_moment_or_a_span(text: str, is_end: bool, moment: datetime) -> None:  # noqa: FBT001 - a case
    assert _parse_time(text, "--since", now=NOW, is_end=is_end) == moment


def test_another_text_is_refused() -> None:
    with pytest.raises(UsageError, match="--since is '7 days'; expected a UTC day"):
        _parse_time("7 days", "--since", now=NOW, is_end=False)
