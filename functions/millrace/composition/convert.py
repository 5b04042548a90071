"""The convert function's world: the worker, its queues, and the breaker that pauses an event source."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from millrace import __version__
from millrace.aws import announcements, secrets
from millrace.aws.circuits import DynamoDBCircuits, FunctionEventSources
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import MessageDelay, SQSRequests
from millrace.composition.base import Foundation, utc_now
from millrace.config.connection import QueueArn
from millrace.delivery.breaker import Breaker, Circuit
from millrace.delivery.intake import Intake
from millrace.delivery.worker import Outcome, Worker
from millrace.deployment.settings import Settings
from millrace.engine.formats.memory import use_lean_pool
from millrace.errors import MillraceError
from millrace.planning.planner import Planner


class Witness(Protocol):
    """Hears what the function's log and metrics should say beside the work itself."""

    def circuit_opened(self, circuit: Circuit) -> None:
        """Take note of an event source that was paused."""
        ...

    def trouble(self, reason: str) -> None:
        """Take note of what went wrong beside the work, such as an announcement that was not sent."""
        ...


@dataclass(frozen=True, slots=True)
class ConvertWorld:
    """What the convert function works with; ``breaker`` None outside of Lambda, where there is nothing to pause."""

    worker: Worker
    delay: MessageDelay
    breaker: Breaker | None
    _feeding: Mapping[str, SQSRequests]

    def intake(self, queue_arn: str, *, tell: Callable[[Outcome], None], note: Callable[[str], None]) -> Intake:
        """The intake of one queue; a message that is asked once more goes to its connection's managed queue."""
        managed = self._feeding.get(queue_arn.rpartition(":")[2])
        breaker = self.breaker

        def hear(outcome: Outcome) -> None:
            tell(outcome)
            if breaker is not None:
                breaker.hear(outcome, queue_arn)

        ask = managed.send_again if managed is not None else None
        return Intake(worker=self.worker, tell=hear, note=note, ask_anew=ask)

    def direct_intake(self, *, tell: Callable[[Outcome], None], note: Callable[[str], None]) -> Intake:
        """The intake of events that no queue brought: there is none to pause, and none to send to."""
        return Intake(worker=self.worker, tell=tell, note=note)


def convert_world(witness: Witness, environment: Mapping[str, str] = os.environ) -> ConvertWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    use_lean_pool(environment)
    base = Foundation.from_environment(environment)
    worker = Worker.build(
        planner=Planner(base.document),
        ledger=base.ledger,
        stores=base.sessions,
        queues=base.queues,
        now=utc_now,
        engine=__version__,
        timeout_seconds=base.settings.timeout_seconds,
        obfuscation_key=obfuscation_key(base.settings, base.sessions),
    )
    delay = MessageDelay(base.sessions.client("sqs"))
    return ConvertWorld(worker, delay, _breaker(base, witness), _by_feeding_queue(base))


def _by_feeding_queue(base: Foundation) -> dict[str, SQSRequests]:
    """Each managed queue by the name of every queue that feeds it: itself, and its connection's queue of the user."""
    by_name = {base.settings.queues[name].rpartition("/")[2]: queue for name, queue in base.queues.items()}
    for connection in base.document.connections:
        if isinstance(connection.notifications, QueueArn) and connection.name in base.queues:
            by_name[connection.notifications.arn.rpartition(":")[2]] = base.queues[connection.name]
    return by_name


def _breaker(base: Foundation, witness: Witness) -> Breaker | None:
    settings, sessions = base.settings, base.sessions
    if settings.function is None:
        return None

    def announce(circuit: Circuit) -> None:
        witness.circuit_opened(circuit)
        try:
            announcements.put_circuit_opened(sessions.client("events"), circuit)
        except MillraceError as error:
            witness.trouble(str(error))

    return Breaker(
        circuits=DynamoDBCircuits(sessions.client("dynamodb"), settings.ledger_table),
        sources=FunctionEventSources(sessions.client("lambda"), settings.function),
        now=utc_now,
        announce=announce,
        trouble=witness.trouble,
    )


def obfuscation_key(settings: Settings, sessions: Sessions) -> Callable[[], bytes | None]:
    """Gives the key of obfuscated fields when it is first asked for; None where no sync obfuscates any."""
    if settings.obfuscation_secret is None:
        return _no_key
    return secrets.key_of(sessions.client("secretsmanager"), settings.obfuscation_secret)


def _no_key() -> None:
    return None
