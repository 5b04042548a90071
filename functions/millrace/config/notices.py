"""Who is told of what: each sync's ``notify``, and the webhooks."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, Section, ours
from millrace.config.fields import Flag, Name, SecretName, check_distinct, text_rule


class Notify(enum.StrEnum):
    """Which events of a sync are sent, from the fewest to all."""

    NONE = "none"
    FAILURES = "failures"
    RUNS = "runs"
    OBJECTS = "objects"

    def includes(self, level: Notify) -> bool:
        """Whether events of a level are sent: each level has those of the levels before it."""
        return level is not Notify.NONE and _ORDER.index(level) <= _ORDER.index(self)


_ORDER = tuple(Notify)


def notify_field() -> Notify:
    """The field of a sync that chooses its events."""
    choice: Notify = Field(
        default=Notify.FAILURES,
        description="Which events are sent to EventBridge. none; failures: what failed or has rows put aside; runs:"
        " those, and the beginning and end of runs, builds and comparisons, and changes of tables; objects: those, and"
        " every object that is converted or removed.",
        examples=["runs"],
        json_schema_extra=ours(),
    )
    return choice


class WebhookEvent(enum.StrEnum):
    """The events that a webhook may ask for, by their short names."""

    OBJECT_CONVERTED = "object.converted"
    OBJECT_QUARANTINED = "object.quarantined"
    OBJECT_FAILED = "object.failed"
    OBJECT_REMOVED = "object.removed"
    RUN_STARTED = "run.started"
    RUN_COMPLETED = "run.completed"
    RUN_COMPLETED_WITH_ERRORS = "run.completed_with_errors"
    RUN_FAILED = "run.failed"
    TABLE_SCHEMA_CHANGED = "table.schema_changed"
    TABLE_REPLACED = "table.replaced"
    SYNC_CAUGHT_UP = "sync.caught_up"
    CIRCUIT_OPENED = "circuit.opened"
    CIRCUIT_CLOSED = "circuit.closed"
    DEAD_LETTER = "dead_letter"
    UNACCOUNTED = "unaccounted"

    @property
    def detail_type(self) -> str:
        """What EventBridge calls it: ``Millrace Run Completed With Errors``."""
        words = self.value.replace(".", " ").replace("_", " ").split()
        return " ".join(["Millrace", *map(str.capitalize, words)])


class WebhookFormat(enum.StrEnum):
    """The envelope and the signature of what is sent."""

    STANDARD = "standard"
    POLYTOMIC = "polytomic"


RUN_EVENTS = (
    WebhookEvent.RUN_STARTED,
    WebhookEvent.RUN_COMPLETED,
    WebhookEvent.RUN_COMPLETED_WITH_ERRORS,
    WebhookEvent.RUN_FAILED,
)
"""What the vendor's format has names for."""


def is_loopback(host: str | None) -> bool:
    """Whether a host is this very machine, as the local emulator's receivers are."""
    if host == "localhost":
        return True
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return False


def _url(text: str) -> str:
    if not _is_url(text):
        raise ValueError("https://host/path without user, password and fragment; http:// on loopback, for the emulator")
    return text


def _is_url(text: str) -> bool:
    """Whether a request can be sent there, and nothing in it is meant for somebody else than its host."""
    if not text.isprintable() or " " in text:
        return False
    parts = urlsplit(text)
    # http://localhost:8080/ is for trying it out on one machine; a fragment, #top, is never sent to anybody.
    is_plain = parts.scheme == "http" and is_loopback(parts.hostname)
    return _has_sound_port(parts) and not parts.fragment and (parts.scheme == "https" or is_plain)


def _has_sound_port(parts: SplitResult) -> bool:
    """Whether there is a host, no user and no password, and a port that is a number, if one is given."""
    try:
        # What is no number is found when it is asked for.
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


WebhookUrl = Annotated[str, AfterValidator(text_rule(_url)), WithJsonSchema({"type": "string", "format": "uri"})]


_MOST_OF_SYNCS = 1400
"""Characters of JSON: EventBridge's pattern has 2,048 (EventBridge quotas), and the events' names take 600 of them."""


def _too_many_syncs(syncs: object) -> Iterator[Contradiction]:
    """Yield what is wrong with a list of syncs that no rule can name; its items are still as they were given."""
    if not isinstance(syncs, list | tuple):
        return
    size = len(json.dumps(list(map(str, syncs))))
    if size > _MOST_OF_SYNCS:
        yield Contradiction(
            "syncs",
            f"found {len(syncs)} names of {size:,} characters together; EventBridge chooses by {_MOST_OF_SYNCS:,} at"
            " most. Leave syncs out for all of them, or make two webhooks of this one, with the same url and secret",
        )


class Webhook(Section):
    """An address that events are sent to, each signed."""

    place: ClassVar[str] = "webhooks[]"

    name: Name = Field(description="Unique name.", examples=["operations"], json_schema_extra=ours())
    url: WebhookUrl = Field(
        description="Where to send: https, and no redirect is followed. A receiver answers with 2xx within 10 seconds.",
        examples=["https://hooks.example.com/millrace"],
        json_schema_extra=ours(),
    )
    secret: SecretName = Field(
        description="Name or ARN of the Secrets Manager secret that signs: whsec_ and 24 to 64 bytes in base64. Two of"
        " them with a space between, the new one first, while it is rotated.",
        examples=["millrace/webhook"],
        json_schema_extra=ours(),
    )
    syncs: Annotated[NonEmpty[Name], AfterValidator(check_distinct)] | None = Field(
        default=None,
        description="Syncs whose events are sent; default: all, and what is of no sync.",
        examples=[["orders to parquet"]],
        json_schema_extra=ours() | AT_LEAST_ONE,
    )
    events: Annotated[NonEmpty[WebhookEvent], AfterValidator(check_distinct)] | None = Field(
        default=None,
        description="Events that are sent, of those that notify of their syncs asks for; default: all of them.",
        examples=[["object.failed", "run.failed"]],
        json_schema_extra=ours() | AT_LEAST_ONE,
    )
    format: WebhookFormat = Field(
        default=WebhookFormat.STANDARD,
        description="standard: Standard Webhooks. polytomic: the vendor's envelope, names and signature, for receivers"
        " that were written for it; it has names for events of runs alone.",
        json_schema_extra=ours(),
    )
    active: Flag = Field(default=True, description="Whether anything is sent.", json_schema_extra=ours())

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the events to those that the format has names for, and the syncs to what one rule can name."""
        yield from _too_many_syncs(given.get("syncs"))
        asked = given.get("events")
        if given.get("format") != WebhookFormat.POLYTOMIC or not isinstance(asked, list | tuple):
            return
        if nameless := [name for name in asked if name not in RUN_EVENTS]:
            yield Contradiction(
                "events", f"the format polytomic has names for {', '.join(RUN_EVENTS)}, and none for {nameless[0]}"
            )

    @property
    def wanted_events(self) -> tuple[WebhookEvent, ...]:
        """The events that are sent."""
        if self.events is not None:
            return self.events
        return RUN_EVENTS if self.format is WebhookFormat.POLYTOMIC else tuple(WebhookEvent)

    @property
    def is_plain(self) -> bool:
        """Whether it is sent without TLS, which the emulator alone does."""
        return urlsplit(self.url).scheme == "http"
