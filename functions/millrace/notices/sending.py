"""Send an event to a webhook: five tries in all, and never again to a receiver that is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from millrace.config.document import Document
from millrace.config.notices import Webhook, WebhookFormat
from millrace.errors import MillraceError, ServiceUnavailable, UsageError
from millrace.notices.envelopes import HeardEvent, WebhookRequest, to_request
from millrace.notices.events import WebhookTest, to_id

BACKOFF_SECONDS = (5, 60, 600, 3600)
"""How long a message waits after each failed try; after the fifth it is a dead letter."""
MOST_TRIES = len(BACKOFF_SECONDS) + 1


class Poster(Protocol):
    """Posts requests."""

    def post(self, url: str, request: WebhookRequest) -> int:
        """The status of the answer; raise ServiceUnavailable if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether a webhook is off: a receiver at ``url`` answered 410. ``revision`` grows by one with every put."""

    webhook: str
    url: str
    since: datetime | None
    revision: int = 0


class Switches(Protocol):
    """Where switches are kept."""

    def get(self, webhook: str) -> Switch | None:
        """The newest, read consistently."""
        ...

    def put(self, switch: Switch) -> None:
        """Replace revision ``switch.revision - 1`` (0: none yet); raise LostRace where another revision stands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of an event: ``status`` of the answer, None if nothing was sent because the webhook is off."""

    webhook: str
    event: str
    id: str
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSender:
    """Sends the events of one deployment. ``read_secret`` gives the text of a secret by its name."""

    document: Document
    deployment: str
    read_secret: Callable[[str, str], str]
    poster: Poster
    switches: Switches
    now: Callable[[], datetime]

    def send(self, name: str, event: HeardEvent) -> Sent:
        """Send an event; one that its receiver did not take raises ServiceUnavailable, to be tried again."""
        webhook = self._find(name)
        switch = self.switches.get(name)
        if not webhook.active or _is_off(switch, webhook):
            return Sent(webhook=name, event=event.name, id=event.id, status=None)
        status = self._post(webhook, event)
        # The receiver says that it wants no more, for good: the webhook is off until it has another address, or takes a
        # test.
        if status == HTTPStatus.GONE:
            self._switch(webhook, switch, since=self.now())
        elif not _is_taken(status):
            raise ServiceUnavailable(f"the receiver of webhook {name!r} answered {status}; expected 2xx")
        return Sent(webhook=name, event=event.name, id=event.id, status=status)

    def test(self, name: str) -> dict[str, Any]:
        """Send an event that says nothing, also to a webhook that is off: a receiver that takes it switches it on."""
        webhook, switch, now = self._find(name), self.switches.get(name), self.now()
        test = WebhookTest(
            id=to_id(WebhookTest.name, self.deployment, name, now.isoformat()),
            time=now,
            deployment=self.deployment,
            webhook=name,
        )
        answer: dict[str, Any] = {"webhook": name, "url": webhook.url, "id": test.id}
        try:
            status = self._post(webhook, HeardEvent(name=test.name, detail=test.to_detail()))
        except MillraceError as error:
            return answer | {"taken": False, "reason": str(error)}
        if _is_taken(status) and _is_off(switch, webhook):
            self._switch(webhook, switch, since=None)
        return answer | {"taken": _is_taken(status), "status": status}

    def list(self) -> list[dict[str, Any]]:
        """The webhooks as they are deployed, and since when those are off that are."""
        return [self._describe(webhook) for webhook in self.document.webhooks]

    def _describe(self, webhook: Webhook) -> dict[str, Any]:
        switch = self.switches.get(webhook.name)
        since = switch.since if switch is not None and _is_off(switch, webhook) else None
        return {
            "webhook": webhook.name,
            "url": webhook.url,
            "format": str(webhook.format),
            "syncs": list(webhook.syncs or ()),
            "events": list(map(str, webhook.wanted_events)),
            "active": webhook.active,
            "off_since": since.isoformat() if since is not None else None,
        }

    def _find(self, name: str) -> Webhook:
        for webhook in self.document.webhooks:
            if webhook.name == name:
                return webhook
        names = ", ".join(sorted(webhook.name for webhook in self.document.webhooks)) or "none"
        raise UsageError(f"there is no webhook {name!r}; the configuration has {names}")

    def _post(self, webhook: Webhook, event: HeardEvent) -> int:
        of = f"the secret {webhook.secret!r} of webhook {webhook.name!r}"
        request = to_request(
            event,
            form=WebhookFormat(webhook.format),
            secret=self.read_secret(webhook.secret, of),
            of=of,
            timestamp=int(self.now().timestamp()),
            is_model=event.detail.get("sync") in {sync.name for sync in self.document.model_syncs},
        )
        return self.poster.post(webhook.url, request)

    def _switch(self, webhook: Webhook, switch: Switch | None, *, since: datetime | None) -> None:
        last = switch or Switch(webhook=webhook.name, url=webhook.url, since=None)
        self.switches.put(replace(last, url=webhook.url, since=since, revision=last.revision + 1))


def _is_taken(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _is_off(switch: Switch | None, webhook: Webhook) -> bool:
    """Whether nothing is sent: what answered 410 was at this very address."""
    return switch is not None and switch.since is not None and switch.url == webhook.url


def find_wait(tries: int, waits: tuple[int, ...] = BACKOFF_SECONDS) -> int | None:
    """Seconds until the next try after so many; None: there is none."""
    return waits[tries - 1] if tries <= len(waits) else None


def parse_call(event: Mapping[str, Any]) -> str | None:
    """The webhook that a call by hand is to try; None: it asks for the list. Raises UsageError."""
    match event:
        case {"test": str(name)}:
            return name
        case {"list": True}:
            return None
    raise UsageError('expected {"test": "name of a webhook"} or {"list": true}')
