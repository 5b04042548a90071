"""The deployed functions' world: built once a cold start, from the environment and the deployed configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from millrace import __version__
from millrace.aws import announcements, secrets
from millrace.aws.circuits import DynamoDBCircuits, FunctionEventSources
from millrace.aws.deployed import invoke_later
from millrace.aws.dynamodb_ledger import DynamoDBCheckpoints, DynamoDBLedger
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import MessageDelay, SQSRequests
from millrace.config.connection import QueueArn
from millrace.config.document import Document, load
from millrace.delivery.breaker import Breaker, Circuit
from millrace.delivery.intake import Intake
from millrace.delivery.worker import Outcome, Worker
from millrace.deployment.settings import Settings
from millrace.engine.formats.memory import use_lean_pool
from millrace.errors import MillraceError
from millrace.operations.reconcile import Reconciler
from millrace.operations.reprocess import Reprocessor
from millrace.planning.planner import Planner


@dataclass(frozen=True, slots=True)
class ConvertWorld:
    """What the convert function works with; ``breaker`` None outside of Lambda, where there is nothing to pause."""

    worker: Worker
    delay: MessageDelay
    breaker: Breaker | None
    _anew: Mapping[str, SQSRequests]

    def intake(self, queue_arn: str, *, tell: Callable[[Outcome], None], note: Callable[[str], None]) -> Intake:
        """Takes in messages of one queue; asked anew they go to the managed queue of its connection."""
        anew, breaker = self._anew.get(queue_arn.rpartition(":")[2]), self.breaker

        def hear(outcome: Outcome) -> None:
            tell(outcome)
            if breaker is not None:
                breaker.hear(outcome, queue_arn)

        return Intake(worker=self.worker, tell=hear, note=note, ask_anew=anew.send_again if anew else None)


def convert_world(
    environment: Mapping[str, str] = os.environ,
    *,
    announce: Callable[[Circuit], None] = lambda _circuit: None,
    trouble: Callable[[str], None] = lambda _reason: None,
) -> ConvertWorld:
    """Read settings and configuration, and make the clients; no request is sent yet.

    ``announce`` hears of an event source that was paused, ``trouble`` of what went wrong beside the work itself.
    """
    use_lean_pool(environment)
    settings = Settings.from_environment(environment)
    document = load(settings.configuration_path)
    sessions = Sessions(document)
    queues = sessions.client("sqs")
    managed = {name: SQSRequests(queues, url) for name, url in settings.queues.items()}
    worker = Worker.build(
        planner=Planner(document),
        ledger=DynamoDBLedger(sessions.client("dynamodb"), settings.ledger_table),
        stores=sessions,
        queues=managed,
        now=utc_now,
        engine=__version__,
        timeout_seconds=settings.timeout_seconds,
        obfuscation_key=_obfuscation_key(settings, sessions),
    )
    return ConvertWorld(
        worker,
        MessageDelay(queues),
        _breaker(settings, sessions, announce, trouble),
        _by_queue(settings, document, managed),
    )


def _by_queue(settings: Settings, document: Document, managed: Mapping[str, SQSRequests]) -> dict[str, SQSRequests]:
    """Each managed queue by the name of every queue that feeds it: its own, and the user's own of its connection."""
    by_name = {settings.queues[name].rpartition("/")[2]: queue for name, queue in managed.items()}
    for connection in document.connections:
        if isinstance(connection.notifications, QueueArn) and connection.name in managed:
            by_name[connection.notifications.arn.rpartition(":")[2]] = managed[connection.name]
    return by_name


def _breaker(
    settings: Settings, sessions: Sessions, announce: Callable[[Circuit], None], trouble: Callable[[str], None]
) -> Breaker | None:
    if settings.function is None:
        return None

    def tell(circuit: Circuit) -> None:
        announce(circuit)
        try:
            announcements.circuit_opened(sessions.client("events"), circuit)
        except MillraceError as error:
            trouble(str(error))

    return Breaker(
        circuits=DynamoDBCircuits(sessions.client("dynamodb"), settings.ledger_table),
        sources=FunctionEventSources(sessions.client("lambda"), settings.function),
        now=utc_now,
        announce=tell,
        trouble=trouble,
    )


def _obfuscation_key(settings: Settings, sessions: Sessions) -> Callable[[], bytes | None]:
    if settings.obfuscation_secret is None:
        return lambda: None
    return secrets.key_of(sessions.client("secretsmanager"), settings.obfuscation_secret)


def reprocessor(environment: Mapping[str, str] = os.environ) -> Reprocessor:
    """Read settings and configuration, and make the clients of the reprocess function."""
    settings = Settings.from_environment(environment)
    document = load(settings.configuration_path)
    sessions = Sessions(document)
    queues = sessions.client("sqs")
    return Reprocessor(
        planner=Planner(document),
        stores=sessions,
        index=DynamoDBLedger(sessions.client("dynamodb"), settings.ledger_table),
        queues={name: SQSRequests(queues, url) for name, url in settings.queues.items()},
        now=utc_now,
    )


@dataclass(frozen=True, slots=True)
class ReconcileWorld:
    """What the reconcile function works with; ``call`` has a function of that name invoked with an event, later."""

    reconciler: Reconciler
    call: Callable[[str, Mapping[str, Any]], None]


def reconcile_world(environment: Mapping[str, str] = os.environ) -> ReconcileWorld:
    """Read settings and configuration, and make the clients of the reconcile function."""
    settings = Settings.from_environment(environment)
    document = load(settings.configuration_path)
    sessions = Sessions(document)
    queues, table = sessions.client("sqs"), sessions.client("dynamodb")
    reconciler = Reconciler(
        planner=Planner(document),
        stores=sessions,
        index=DynamoDBLedger(table, settings.ledger_table),
        queues={name: SQSRequests(queues, url) for name, url in settings.queues.items()},
        checkpoints=DynamoDBCheckpoints(table, settings.ledger_table),
        now=utc_now,
    )
    return ReconcileWorld(reconciler, partial(invoke_later, sessions.client("lambda")))


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)
