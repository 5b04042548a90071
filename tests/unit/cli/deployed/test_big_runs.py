"""`millrace runs`: what a person sees of big runs, and may do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.aws.deployed import Deployed
from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, State
from millrace.objects.references import ObjectRef, SourceVersion
from tests.fakes import InMemoryLedger

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:millrace-big-run"
SOURCE = ObjectRef("acme-in", "in/huge.csv")
HOME = ObjectRef("acme-out", "lake/.millrace/runs/orders-2f1e/")
RUN = "orders-2f1e"


@dataclass
class FakeStepFunctions:
    """As much of the client of Step Functions as a machine needs; executions and map runs are answers of AWS."""

    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    map_runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, name: str, status: str = "RUNNING", **fields: Any) -> None:
        """An execution that began four minutes ago."""
        argument = {
            "run": RUN,
            "order": {"connection": "lake", "home": str(HOME), "sync": "orders", "source": str(SOURCE)},
            "about": {"sync": "orders", "source": str(SOURCE), "size": 12_000_000_000},
        }
        self.executions[name] = {
            "name": name,
            "status": status,
            "startDate": datetime.now(UTC) - timedelta(seconds=270),
            "input": json.dumps(argument),
            **fields,
        }

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803 - AWS's names
        """Keep it."""
        assert stateMachineArn == MACHINE
        self.add(name, input=input)
        return {}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """As AWS answers."""
        name = executionArn.rpartition(":")[2]
        if name not in self.executions:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist", "Message": ""}}, "DescribeExecution")
        return self.executions[name]

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Abort it."""
        assert error == "Stopped"
        found = self.describe_execution(executionArn=executionArn)
        found.update(status="ABORTED", cause=cause, stopDate=datetime.now(UTC))
        return {}

    def describe_map_run(self, *, mapRunArn: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """As AWS answers."""
        every = [run for runs in self.map_runs.values() for run in runs]
        return next(run for run in every if run["mapRunArn"] == mapRunArn)

    def get_paginator(self, operation: str) -> FakePages:
        """Pages of a list."""
        return FakePages(self, operation)


@dataclass
class FakePages:
    """One page of all there is."""

    client: FakeStepFunctions
    operation: str

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        """The page."""
        if self.operation == "list_map_runs":
            return [{"mapRuns": self.client.map_runs.get(asked["executionArn"].rpartition(":")[2], [])}]
        newest_first = reversed(self.client.executions.values())
        wanted = asked.get("statusFilter")
        return [{"executions": [one for one in newest_first if wanted in {None, one["status"]}]}]


@dataclass
class RunDeployments:
    """A deployment with a machine, and one entry that waits for a big run."""

    steps: FakeStepFunctions = field(default_factory=FakeStepFunctions)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    machine: str | None = MACHINE

    def find(self, name: str) -> tuple[Deployed, InMemoryLedger]:
        """The deployment."""
        deployed = Deployed(
            ledger_table="t",
            dead_letter_queue="d",
            queues={},
            convert_function="c",
            reprocess_function="r",
            syncs=("orders",),
            big_run_machine=self.machine,
        )
        return deployed, self.ledger

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Nothing is invoked here."""
        raise NotImplementedError

    def client(self, service: str) -> Any:
        """The machine's."""
        assert service == "stepfunctions"
        return self.steps


@pytest.fixture
def deployments() -> RunDeployments:
    """A run whose parts are converted: 17 of 48, after four minutes."""
    made = RunDeployments()
    made.steps.add(RUN)
    begin = datetime.now(UTC) - timedelta(seconds=200)
    made.steps.map_runs[RUN] = [
        _map_run("survey", begin, succeeded=48, stopDate=begin + timedelta(seconds=30)),
        _map_run("convert", begin + timedelta(seconds=30), succeeded=17, running=10),
    ]
    made.ledger.put(_entry())
    return made


def _map_run(label: str, started: datetime, *, succeeded: int, running: int = 0, **fields: Any) -> dict[str, Any]:
    counts = {"running": running, "succeeded": succeeded, "failed": 0, "timedOut": 0, "aborted": 0, "total": 48}
    arn = f"arn:aws:states:eu-central-1:123456789012:mapRun:millrace-big-run/{label}:0a1b"
    return {"mapRunArn": arn, "startDate": started, "executionCounts": counts, **fields}


def _entry() -> Entry:
    facts = BigRunFacts(name=RUN, execution=RUN, connection="lake", home=HOME)
    version = SourceVersion(etag="e", size=12_000_000_000)
    entry = Entry(sync="orders", source=SOURCE, state=State.WAITING, revision=1, fence=1, fingerprint="f", engine="e")
    return replace(entry, version=version, big_run=facts)


class TestLooking:
    def test_a_list_says_what_is_converted_and_how_far_it_is(self, run: Any, deployments: RunDeployments) -> None:
        ran = run("runs", "list", deployments=deployments)

        assert ran.out == f"{RUN}: running for 4 min, convert 17 of 48 parts: {SOURCE} (orders)\n"

    def test_a_list_of_those_at_work_leaves_others_out(self, run: Any, deployments: RunDeployments) -> None:
        deployments.steps.add("orders-old", "TIMED_OUT", stopDate=datetime.now(UTC))

        assert "orders-old: timed out after 4 min" in run("runs", "list", deployments=deployments).out
        assert "orders-old" not in run("runs", "list", "--running", deployments=deployments).out

    def test_a_run_is_shown_with_its_phases_and_its_entry(self, run: Any, deployments: RunDeployments) -> None:
        ran = run("runs", "show", RUN, deployments=deployments)

        assert "  survey: 48 of 48 parts in 30 s\n" in ran.out
        # 170 s for 17 parts: 31 are left.
        assert "  convert: 17 of 48 parts in 2 min, 10 at work, about 5 min are left\n" in ran.out
        assert f"  ledger: {SOURCE} is waiting\n" in ran.out

    def test_json_has_the_same(self, run: Any, deployments: RunDeployments) -> None:
        shown = json.loads(run("runs", "show", RUN, "--json", deployments=deployments).out)

        assert (shown["run"], shown["status"], shown["sync"], shown["source"]) == (
            RUN,
            "RUNNING",
            "orders",
            str(SOURCE),
        )
        assert [(phase["phase"], phase["done"], phase["parts"]) for phase in shown["phases"]] == [
            ("survey", 48, 48),
            ("convert", 17, 48),
        ]
        assert shown["entry"]["state"] == "waiting"

    def test_an_unknown_run_is_wrong_use_and_the_newest_are_named(self, run: Any, deployments: RunDeployments) -> None:
        ran = run("runs", "show", "orders", deployments=deployments)

        assert ran.code == 2
        assert f"there is no big run 'orders'; the newest are '{RUN}'" in ran.err

    def test_nothing_is_said_so(self, run: Any) -> None:
        assert run("runs", "list", deployments=RunDeployments()).out == "there was no big run in the last 90 days\n"

    def test_an_older_deployment_has_to_be_deployed(self, run: Any) -> None:
        ran = run("runs", "list", deployments=RunDeployments(machine=None))

        assert ran.code == 2
        assert "deploy this version with `millrace deploy`" in ran.err


class TestStopping:
    def test_stops_with_its_reason_and_says_how_to_go_on(self, run: Any, deployments: RunDeployments) -> None:
        ran = run("runs", "stop", RUN, "--reason", "wrong file", deployments=deployments)

        assert ran.out == f"stopped: {RUN}; go on with it: millrace runs resume {RUN}\n"
        assert deployments.steps.executions[RUN]["cause"] == "wrong file"

    def test_one_that_is_over_is_left_alone(self, run: Any, deployments: RunDeployments) -> None:
        deployments.steps.executions[RUN].update(status="SUCCEEDED", stopDate=datetime.now(UTC))

        ran = run("runs", "stop", RUN, deployments=deployments)

        assert ran.out == f"not stopped: {RUN} is over, succeeded after 4 min\n"


class TestResuming:
    def test_one_that_was_stopped_goes_on_under_the_next_name(self, run: Any, deployments: RunDeployments) -> None:
        run("runs", "stop", RUN, deployments=deployments)
        failure = Failure(branch=Branch.DATA, error="RunStopped", message="was stopped")
        entry = deployments.ledger.get("orders", SOURCE)
        assert entry is not None
        deployments.ledger.put(replace(entry, state=State.FAILED, failure=failure, revision=entry.revision + 1))

        ran = run("runs", "resume", RUN, deployments=deployments)

        assert ran.out == f"goes on as {RUN}-2: millrace runs show {RUN}-2\n"
        assert deployments.steps.executions[f"{RUN}-2"]["input"] == deployments.steps.executions[RUN]["input"]
        resumed = deployments.ledger.get("orders", SOURCE)
        assert resumed is not None
        assert resumed.state is State.WAITING

    def test_an_older_run_of_the_same_object_is_not_resumed(self, run: Any, deployments: RunDeployments) -> None:
        run("runs", "stop", RUN, deployments=deployments)
        entry = deployments.ledger.get("orders", SOURCE)
        assert entry is not None
        assert entry.big_run is not None
        newer = replace(entry.big_run, name="orders-newer", execution="orders-newer")
        deployments.ledger.put(replace(entry, state=State.FAILED, big_run=newer, revision=entry.revision + 1))

        ran = run("runs", "resume", RUN, deployments=deployments)

        assert ran.code == 2
        assert "that is orders-newer" in ran.err

    def test_one_that_was_to_be_resumed_and_never_started_is_started(
        self, run: Any, deployments: RunDeployments
    ) -> None:
        run("runs", "stop", RUN, deployments=deployments)
        entry = deployments.ledger.get("orders", SOURCE)
        assert entry is not None
        assert entry.big_run is not None
        resumed = replace(entry.big_run, execution=f"{RUN}-2")
        deployments.ledger.put(replace(entry, big_run=resumed, revision=entry.revision + 1))

        ran = run("runs", "resume", RUN, deployments=deployments)

        assert ran.out == f"goes on as {RUN}-2: millrace runs show {RUN}-2\n"
        assert f"{RUN}-2" in deployments.steps.executions

    def test_one_that_is_at_work_is_not_resumed(self, run: Any, deployments: RunDeployments) -> None:
        ran = run("runs", "resume", RUN, deployments=deployments)

        assert ran.code == 2
        assert f"{RUN} is at work: convert 17 of 48 parts" in ran.err
