"""The deployed functions' world: built once a cold start, from the environment and the deployed configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from millrace import __version__
from millrace.aws import secrets
from millrace.aws.deployed import invoke_later
from millrace.aws.dynamodb_ledger import DynamoDBCheckpoints, DynamoDBLedger
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import MessageDelay, SQSRequests
from millrace.config import load
from millrace.plan import Planner
from millrace.reconciliation import Reconciler
from millrace.requeue import Reprocessor
from millrace.settings import Settings
from millrace.worker import Worker


@dataclass(frozen=True, slots=True)
class ConvertWorld:
    """What the convert function works with."""

    worker: Worker
    delay: MessageDelay


def convert_world(environment: Mapping[str, str] = os.environ) -> ConvertWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    settings = Settings.from_environment(environment)
    document = load(settings.configuration_path)
    sessions = Sessions(document)
    queues = sessions.client("sqs")
    worker = Worker.build(
        planner=Planner(document),
        ledger=DynamoDBLedger(sessions.client("dynamodb"), settings.ledger_table),
        stores=sessions,
        queues={name: SQSRequests(queues, url) for name, url in settings.queues.items()},
        now=utc_now,
        engine=__version__,
        timeout_seconds=settings.timeout_seconds,
        obfuscation_key=_obfuscation_key(settings, sessions),
    )
    return ConvertWorld(worker, MessageDelay(queues))


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
