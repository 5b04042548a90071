"""What every function begins with: its settings, the deployed configuration, and clients that are shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from millrace.aws.dynamodb_ledger import DynamoDBLedger
from millrace.aws.sessions import Sessions
from millrace.aws.sqs_requests import SQSRequests
from millrace.config.document import Document, load
from millrace.deployment.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Settings, configuration and clients; no request is sent before a client is used."""

    settings: Settings
    document: Document
    sessions: Sessions
    ledger: DynamoDBLedger
    queues: Mapping[str, SQSRequests]
    """Each source connection's managed queue."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Foundation:
        """Read a deployed function's environment and the configuration that it names.

        Raises: InvalidConfiguration.
        """
        settings = Settings.from_environment(environment)
        document = load(settings.configuration_path)
        sessions = Sessions(document)
        client = sessions.client("sqs")
        return cls(
            settings=settings,
            document=document,
            sessions=sessions,
            ledger=DynamoDBLedger(sessions.client("dynamodb"), settings.ledger_table),
            queues={name: SQSRequests(client, url) for name, url in settings.queues.items()},
        )


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)
