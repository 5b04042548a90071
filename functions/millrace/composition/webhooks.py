"""The webhook function's world: the sender, its queues, and the dead-letter queue."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from millrace.aws import secrets
from millrace.aws.sqs_requests import ReceivedMessages
from millrace.aws.webhook_switches import DynamoDBSwitches
from millrace.composition.base import Foundation, utc_now
from millrace.errors import MillraceError
from millrace.mappings import leave_out_none
from millrace.notices.envelopes import HeardEvent
from millrace.notices.posting import HttpPoster
from millrace.notices.sending import BACKOFF_SECONDS, Sent, WebhookSender, find_wait
from millrace.operations.dead_letters import WEBHOOK_FAILED
from millrace.texts import shorten_text


class MessageResult(enum.StrEnum):
    """What may become of a message."""

    SENT = "sent"
    OFF = "off"
    """Nothing was sent: the webhook is off."""
    TRIED_AGAIN = "tried again"
    DEAD_LETTER = "dead letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one message."""

    result: MessageResult
    webhook: str | None = None
    sent: Sent | None = None
    reason: str | None = None

    @property
    def acknowledge(self) -> bool:
        """Whether the message may be deleted."""
        return self.result is not MessageResult.TRIED_AGAIN

    @property
    def metric(self) -> str:
        """``WebhookSent``, ``WebhookOff``, ``WebhookTriedAgain`` or ``WebhookDeadLetter``."""
        return "Webhook" + "".join(map(str.capitalize, self.result.split()))

    def to_log(self) -> dict[str, Any]:
        """The keys of its log line; nothing of what was sent."""
        said = {"webhook": self.webhook, "reason": self.reason}
        if self.sent is not None:
            said |= {"event": self.sent.event, "event_id": self.sent.id}
            return leave_out_none(said | {"status": self.sent.status})
        return leave_out_none(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookWorld:
    """What the webhook function works with; ``waits`` are the seconds after each failed try."""

    sender: WebhookSender
    messages: ReceivedMessages
    names: Mapping[str, str]
    """The webhooks by the names of their queues."""
    waits: tuple[int, ...] = BACKOFF_SECONDS

    def take(self, record: Mapping[str, Any]) -> Taken:
        """Send one message's event; one that was not taken comes back later, and is a dead letter in the end."""
        arn = record["eventSourceARN"]
        queue = arn.rpartition(":")[2]
        name = self.names.get(queue)
        try:
            event = HeardEvent.parse(record["body"])
            sent = self.sender.send(name or queue, event)
        except (MillraceError, ValueError, LookupError, TypeError) as error:
            return self._fail(record, arn, name, error)
        return Taken(result=MessageResult.OFF if sent.status is None else MessageResult.SENT, webhook=name, sent=sent)

    def _fail(self, record: Mapping[str, Any], arn: str, name: str | None, error: Exception) -> Taken:
        reason = shorten_text(str(error) if isinstance(error, MillraceError) else f"no event of ours: {error!r}")
        # A receipt is a try: the queue hides a message from others while it is sent, and nothing else receives it.
        tries = int(record["attributes"].get("ApproximateReceiveCount") or 1)
        wait = find_wait(tries, self.waits) if isinstance(error, MillraceError) else None
        if wait is not None:
            self.messages.put_off(arn, record["receiptHandle"], wait)
            return Taken(result=MessageResult.TRIED_AGAIN, webhook=name, reason=reason)
        named = {"reason": reason, "error": WEBHOOK_FAILED, "queue": arn.rpartition(":")[2]}
        self.messages.bury(record["body"], named)
        return Taken(result=MessageResult.DEAD_LETTER, webhook=name, reason=reason)


@dataclass(slots=True)
class _CachedSecrets:
    """Secrets as they were at most five minutes ago, so that a rotated one is used soon."""

    client: Any
    now: Callable[[], datetime]
    held: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def read(self, secret: str, of: str) -> str:
        """The text of a secret by its name. Raises BadCredentials, AccessDenied."""
        there = self.held.get(secret)
        if there is None or self.now() - there[0] > _SECRETS_ARE_FRESH_FOR:
            remedy = "make it with: aws secretsmanager create-secret"
            there = self.now(), secrets.read(self.client, secret, of=of, remedy=remedy)
            self.held[secret] = there
        return there[1]


_SECRETS_ARE_FRESH_FOR = timedelta(minutes=5)
"""A secret that was rotated counts after that time at the latest; to read it for each event would be paid for."""


def webhook_world(
    environment: Mapping[str, str] = os.environ, *, waits: tuple[int, ...] = BACKOFF_SECONDS
) -> WebhookWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    base = Foundation.from_environment(environment)
    settings = base.settings
    sender = WebhookSender(
        document=base.document,
        deployment=settings.name,
        read_secret=_CachedSecrets(base.sessions.client("secretsmanager"), utc_now).read,
        # The stacks refuse plain http but on the emulator.
        poster=HttpPoster(may_be_loopback=any(webhook.is_plain for webhook in base.document.webhooks)),
        switches=DynamoDBSwitches(base.sessions.client("dynamodb"), settings.ledger_table),
        now=utc_now,
    )
    return WebhookWorld(
        sender=sender,
        messages=ReceivedMessages(base.sessions.client("sqs"), settings.dead_letters),
        names={url.rpartition("/")[2]: name for name, url in settings.webhook_queues.items()},
        waits=waits,
    )
