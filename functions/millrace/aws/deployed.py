"""Where a deployment's table, queues and functions are, by the outputs of its stacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from millrace.aws.faults import error_code, explain, translated
from millrace.deployment.settings import processing_stack, storage_stack
from millrace.errors import ConfigurationError, MillraceError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment's resources; ``queues`` maps source connections to URLs, ``syncs`` are the active ones' names.

    ``reconcile_function`` is None where no sync is active; so are ``backfill_function`` and ``backfill_queue``, a URL.
    These and ``big_run_machine``, an ARN, are None in deployments of 0.1; ``history``, the folder of finished work, is
    None if nothing is exported; ``database`` is the stack's own of catalogued tables. ``webhook_queues`` maps webhooks
    to URLs; without any there is no ``webhook_function``. ``commit_queue`` and ``commit_dead_letter_queue`` (URLs) and
    ``commit_function`` are None where no sync has tables of Iceberg.
    """

    ledger_table: str
    dead_letter_queue: str
    queues: Mapping[str, str]
    convert_function: str
    reprocess_function: str
    syncs: tuple[str, ...]
    reconcile_function: str | None = None
    big_run_machine: str | None = None
    backfill_function: str | None = None
    backfill_queue: str | None = None
    history: str | None = None
    database: str | None = None
    webhook_function: str | None = None
    webhook_queues: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    commit_function: str | None = None
    commit_queue: str | None = None
    commit_dead_letter_queue: str | None = None

    @property
    def dead_letter_queues(self) -> tuple[str, ...]:
        """The URLs of the deployment's own dead-letter queues, that of commits last."""
        commits = self.commit_dead_letter_queue
        return (self.dead_letter_queue,) if commits is None else (self.dead_letter_queue, commits)

    @classmethod
    def find(cls, cloudformation: Any, name: str) -> Deployed:
        """Look the stacks up; raise ConfigurationError if there is no such deployment in this account and region."""
        stacks = (storage_stack(name), processing_stack(name))
        outputs: dict[str, str] = {}
        for stack in stacks:
            outputs |= _read_outputs(cloudformation, stack)
        return cls.of(outputs)

    @classmethod
    def of(cls, outputs: Mapping[str, str]) -> Deployed:
        """Read the outputs of both stacks; raise ConfigurationError if one is missing."""
        try:
            return cls(
                ledger_table=outputs["LedgerTable"],
                dead_letter_queue=outputs["DeadLetterQueue"],
                queues=json.loads(outputs["Queues"]),
                convert_function=outputs["ConvertFunction"],
                reprocess_function=outputs["ReprocessFunction"],
                syncs=tuple(json.loads(outputs["Syncs"])),
                reconcile_function=outputs.get("ReconcileFunction"),
                big_run_machine=outputs.get("BigRunMachine"),
                backfill_function=outputs.get("BackfillFunction"),
                backfill_queue=outputs.get("BackfillQueue"),
                history=outputs.get("History"),
                database=outputs.get("Database"),
                webhook_function=outputs.get("WebhookFunction"),
                webhook_queues=json.loads(outputs.get("WebhookQueues", "{}")),
                commit_function=outputs.get("CommitFunction"),
                commit_queue=outputs.get("CommitQueue"),
                commit_dead_letter_queue=outputs.get("CommitDeadLetterQueue"),
            )
        except KeyError as missing:
            raise ConfigurationError(
                f"the stacks have no output {missing}; deploy this version with `millrace deploy`"
            ) from missing


def _read_outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    region = cloudformation.meta.region_name
    try:
        (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        # CloudFormation says "ValidationError" of a stack that is not there.
        if not isinstance(error, ClientError) or error_code(error) != "ValidationError":
            raise explain(error, "cloudformation:DescribeStacks of", stack) from error
        raise ConfigurationError(
            f"there is no stack {stack} in {region}; deploy it with `millrace deploy`, choose another region "
            "(AWS_PROFILE, AWS_REGION), or name another deployment with --name"
        ) from error
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", ())}


def invoke(client: LambdaClient, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Invoke a function and wait; its answer. Raises MillraceError with what the function raised."""
    with translated("lambda:InvokeFunction on", function):
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise MillraceError(f"{function} failed: {result.get('errorType')}: {result.get('errorMessage')}")
    return result


def invoke_later(client: LambdaClient, function: str, event: Mapping[str, Any]) -> None:
    """Have a function invoked with ``event``, and do not wait for it."""
    with translated("lambda:InvokeFunction on", function):
        client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())
