"""The machine of big runs through boto3: executions of one Step Functions state machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from millrace.aws.faults import error_code, translated
from millrace.objects.machine import Execution, ExecutionStatus, MapProgress
from millrace.texts import to_json_text


class StepFunctions:
    """Satisfies ``machine.Machine`` for the state machine of an ARN; also says how far an execution's maps are."""

    def __init__(self, client: Any, machine: str) -> None:
        self._client = client
        self._machine = machine

    def start(self, name: str, argument: Mapping[str, Any]) -> None:
        """One StartExecution.

        AWS answers as if it had started where an execution of that name and input runs, and by an error where it has
        ended, for 90 days; the emulator answers by the error in both cases (AWS Step Functions API Reference,
        "StartExecution").
        """
        with translated("states:StartExecution of", self._machine), _ignoring("ExecutionAlreadyExists"):
            self._client.start_execution(stateMachineArn=self._machine, name=name, input=to_json_text(argument))

    def describe(self, name: str) -> Execution | None:
        """One DescribeExecution."""
        arn = self._execution(name)
        with translated("states:DescribeExecution of", arn), _ignoring("ExecutionDoesNotExist"):
            return _to_execution(self._client.describe_execution(executionArn=arn))
        return None

    def stop(self, name: str, reason: str) -> None:
        """One StopExecution, whose ValidationException says that the execution has ended."""
        arn = self._execution(name)
        with (
            translated("states:StopExecution of", arn),
            _ignoring("ExecutionDoesNotExist", "ValidationException"),
        ):
            self._client.stop_execution(executionArn=arn, error="Stopped", cause=reason)

    def list(self, status: ExecutionStatus | None = None) -> Iterator[Execution]:
        """Pages of ListExecutions, which leave children out."""
        asked = {"stateMachineArn": self._machine, **({"statusFilter": str(status)} if status else {})}
        with translated("states:ListExecutions of", self._machine):
            for page in self._client.get_paginator("list_executions").paginate(**asked):
                yield from map(_to_execution, page["executions"])

    def progress(self, name: str) -> Sequence[MapProgress]:
        """The maps of an execution in the order of their start: ListMapRuns, and DescribeMapRun of each."""
        arn = self._execution(name)
        runs: Any = []
        with translated("states:ListMapRuns of", arn), _ignoring("ExecutionDoesNotExist"):
            for page in self._client.get_paginator("list_map_runs").paginate(executionArn=arn):
                runs += [self._client.describe_map_run(mapRunArn=run["mapRunArn"]) for run in page["mapRuns"]]
        return sorted(map(_to_progress, runs), key=lambda progress: progress.started)

    def _execution(self, name: str) -> str:
        """The ARN of an execution: `arn:aws:states:eu-central-1:111122223333:execution:millrace-big-run:<name>`."""
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"


@contextmanager
def _ignoring(*codes: str) -> Iterator[None]:
    """Go on where AWS answers by one of these codes."""
    try:
        yield
    except ClientError as error:
        if error_code(error) not in codes:
            raise


def _to_execution(answer: Mapping[str, Any]) -> Execution:
    return Execution(
        name=answer["name"],
        status=_to_status(answer["status"]),
        started=answer["startDate"],
        stopped=answer.get("stopDate"),
        cause=answer.get("cause"),
        argument=json.loads(answer["input"]) if "input" in answer else None,
    )


def _to_status(status: str) -> ExecutionStatus:
    """AWS has one more, of executions that are about to be redriven."""
    return ExecutionStatus.RUNNING if status == "PENDING_REDRIVE" else ExecutionStatus(status)


def _to_progress(answer: Mapping[str, Any]) -> MapProgress:
    counts = answer["executionCounts"]
    # arn:aws:states:eu-central-1:111122223333:mapRun:millrace-big-run/survey:0a1b2c3d
    phase = answer["mapRunArn"].rpartition("/")[2].partition(":")[0]
    return MapProgress(
        phase=phase,
        started=answer["startDate"],
        stopped=answer.get("stopDate"),
        parts=counts["total"],
        running=counts["running"],
        done=counts["succeeded"],
        failed=counts["failed"] + counts["timedOut"] + counts["aborted"],
    )
