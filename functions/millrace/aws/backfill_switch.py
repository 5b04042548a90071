"""The backfills' queue and its event source, through boto3."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from millrace.aws.circuits import EventSource, FunctionEventSources
from millrace.aws.faults import error_code, translated
from millrace.delivery.breaker import Circuits, how_to_resume
from millrace.errors import ConfigurationError, ServiceUnavailable
from millrace.operations.backfills.steering import QueueDepth
from millrace.operations.queue_facts import name_of_queue

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

_TRIES = 30
"""With five seconds between them: to switch takes Lambda up to a minute."""
_WAIT_SECONDS = 5.0
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


@dataclass(frozen=True)
class BackfillEventSource:
    """Satisfies ``operations.backfills.steering.BackfillSwitch``; ``function`` is the convert function's name."""

    sqs: SQSClient
    functions: LambdaClient
    circuits: Circuits
    url: str
    function: str
    sleep: Callable[[float], None] = time.sleep

    def depth(self) -> QueueDepth:
        """One GetQueueAttributes; SQS counts approximately."""
        names: Any = list(_COUNTS)
        with translated("sqs:GetQueueAttributes of", self.url):
            attributes: Any = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        waiting, hidden, delayed = (int(attributes[name]) for name in _COUNTS)
        return QueueDepth(waiting=waiting, hidden=hidden + delayed)

    def is_on(self) -> bool:
        """Whether it is on, or is being switched on."""
        return self._find().enabled

    def turn_on(self, concurrency: int | None = None) -> None:
        """One UpdateEventSourceMapping for both: a second one is refused while the first is at work."""
        source = self._find()
        if source.enabled and concurrency is None:
            return
        changes: Any = {} if concurrency is None else {"ScalingConfig": {"MaximumConcurrency": concurrency}}
        self._update(source, Enabled=True, **changes)

    def turn_off(self) -> None:
        """Switch it off, if it is on."""
        source = self._find()
        if source.enabled:
            self._update(source, Enabled=False)

    def find_trouble(self) -> str | None:
        """What an open circuit says; it is asked for by the queue's ARN."""
        circuit = self.circuits.get(self._arn)
        return how_to_resume(circuit) if circuit is not None and circuit.paused is not None else None

    @cached_property
    def _arn(self) -> str:
        return self._find().queue

    def _find(self) -> EventSource:
        """The event source, as it is now."""
        for source in FunctionEventSources(self.functions, self.function).all():
            if name_of_queue(source.queue) == name_of_queue(self.url):
                return source
        raise ConfigurationError(
            f"{self.function} does not receive from {name_of_queue(self.url)}; deploy with `millrace deploy`"
        )

    def _update(self, source: EventSource, **changes: Any) -> None:
        """Update it; one that is being switched is waited for, which takes up to a minute.

        Lambda refuses a change meanwhile (AWS Lambda API Reference, "UpdateEventSourceMapping").
        """
        with translated("lambda:UpdateEventSourceMapping on", source.queue):
            for _ in range(_TRIES):
                try:
                    self.functions.update_event_source_mapping(UUID=source.mapping, **changes)
                except ClientError as error:
                    if error_code(error) != "ResourceInUseException":
                        raise
                    self.sleep(_WAIT_SECONDS)
                else:
                    return
        raise ServiceUnavailable(f"the event source of {source.queue} is being switched; the schedule does it later")
