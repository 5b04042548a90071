"""Executions of big runs, as Step Functions answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from millrace.aws.step_functions import StepFunctions
from millrace.errors import ConfigurationError, ServiceUnavailable
from millrace.objects.machine import ExecutionStatus, MapProgress

REGION = "eu-central-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:millrace-big-run"
EXECUTION = MACHINE.replace(":stateMachine:", ":execution:")
ROLE = "arn:aws:iam::123456789012:role/machine"
BEGIN = datetime(2026, 11, 28, 12, tzinfo=UTC)
END = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
ARGUMENT = {"run": "r1", "order": {"connection": "lake", "home": "s3://lake/.millrace/runs/ü/"}}


@pytest.fixture
def machine() -> Iterator[StepFunctions]:
    """A machine in an account that does as AWS's API does, and goes nowhere."""
    with mock_aws():
        client = boto3.client(
            "stepfunctions", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )
        definition = json.dumps({"StartAt": "s", "States": {"s": {"Type": "Succeed"}}})
        client.create_state_machine(name="millrace-big-run", definition=definition, roleArn=ROLE)
        yield StepFunctions(client, MACHINE)


class TestExecutions:
    def test_are_started_under_their_name_and_found_by_it(self, machine: StepFunctions) -> None:
        machine.start("r1", ARGUMENT)

        found = machine.describe("r1")
        assert found is not None
        assert (found.name, found.status, found.argument) == ("r1", ExecutionStatus.RUNNING, ARGUMENT)

    def test_one_that_was_started_before_is_left_alone(self, machine: StepFunctions) -> None:
        """Whatever was said then: an execution of that name is the run."""
        machine.start("r1", ARGUMENT)
        machine.start("r1", ARGUMENT)
        machine.start("r1", ARGUMENT | {"more": 1})

        assert [execution.name for execution in machine.list()] == ["r1"]

    def test_one_that_is_over_is_not_started_again(self, machine: StepFunctions) -> None:
        machine.start("r1", ARGUMENT)
        machine.stop("r1", "enough")
        machine.start("r1", ARGUMENT)

        found = machine.describe("r1")
        assert found is not None
        assert found.status is ExecutionStatus.ABORTED
        assert found.stopped is not None

    def test_are_listed_by_status(self, machine: StepFunctions) -> None:
        for name in ("r1", "r2"):
            machine.start(name, ARGUMENT)
        machine.stop("r1", "enough")

        assert [execution.name for execution in machine.list(ExecutionStatus.RUNNING)] == ["r2"]
        assert {execution.name for execution in machine.list()} == {"r1", "r2"}

    def test_what_is_not_there_is_none_and_harmless_to_stop(self, machine: StepFunctions) -> None:
        machine.stop("r1", "enough")

        assert machine.describe("r1") is None


def _answering(operation: str, *, code: str = "", answer: dict[str, Any] | None = None) -> StepFunctions:
    """A machine whose client gives one answer, or one error."""
    client = boto3.client("stepfunctions", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    stubber = Stubber(client)
    if code:
        stubber.add_client_error(operation, code)
    else:
        stubber.add_response(operation, answer or {})
    stubber.activate()
    return StepFunctions(client, MACHINE)


class TestAnswers:
    """What moto does not say."""

    def test_the_emulators_error_for_one_that_runs_is_no_error(self) -> None:
        _answering("start_execution", code="ExecutionAlreadyExists").start("r1", ARGUMENT)

    def test_one_that_ended_meanwhile_is_stopped(self) -> None:
        _answering("stop_execution", code="ValidationException").stop("r1", "enough")

    def test_a_machine_that_is_gone_is_for_somebody_to_mend(self) -> None:
        with pytest.raises(ConfigurationError, match="millrace-big-run"):
            _answering("start_execution", code="StateMachineDoesNotExist").start("r1", ARGUMENT)

    def test_throttled_starts_are_tried_again(self) -> None:
        with pytest.raises(ServiceUnavailable):
            _answering("start_execution", code="ThrottlingException").start("r1", ARGUMENT)

    def test_one_that_is_about_to_be_redriven_runs(self) -> None:
        answer = {
            "executionArn": f"{EXECUTION}:r1",
            "stateMachineArn": MACHINE,
            "name": "r1",
            "status": "PENDING_REDRIVE",
            "startDate": BEGIN,
        }
        found = _answering("describe_execution", answer=answer).describe("r1")

        assert found is not None
        assert found.status is ExecutionStatus.RUNNING

    def test_progress_is_that_of_the_maps_children(self) -> None:
        """In the order of their start, by the label that each map has in the machine."""
        client = boto3.client(
            "stepfunctions", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )
        with Stubber(client) as stubber:
            runs = [_map_run("convert", END), _map_run("survey", BEGIN)]
            machine = {"stateMachineArn": f"{MACHINE}/children"}
            listed = [{name: run[name] for name in _LISTED} | machine for run in runs]
            stubber.add_response("list_map_runs", {"mapRuns": listed}, {"executionArn": f"{EXECUTION}:r1"})
            for run in runs:
                stubber.add_response("describe_map_run", run, {"mapRunArn": run["mapRunArn"]})

            progress = StepFunctions(client, MACHINE).progress("r1")

        assert progress == [
            MapProgress(phase=phase, started=started, parts=10, running=2, done=5, failed=3)
            for phase, started in (("survey", BEGIN), ("convert", END))
        ]


_LISTED = ("executionArn", "mapRunArn", "startDate")


def _map_run(label: str, started: datetime) -> dict[str, Any]:
    counts = {"pending": 0, "running": 2, "succeeded": 5, "failed": 1, "timedOut": 1, "aborted": 1, "total": 10}
    return {
        "mapRunArn": f"arn:aws:states:{REGION}:123456789012:mapRun:millrace-big-run/{label}:0a1b",
        "executionArn": f"{EXECUTION}:r1",
        "status": "RUNNING",
        "startDate": started,
        "maxConcurrency": 10,
        "toleratedFailurePercentage": 0.0,
        "toleratedFailureCount": 0,
        "itemCounts": {**counts, "resultsWritten": 0},
        "executionCounts": {**counts, "resultsWritten": 0},
    }
