"""The requests that webhooks get: an event in its envelope, and the headers that sign it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.config.notices import WebhookEvent, WebhookFormat
from millrace.mappings import leave_out_none
from millrace.notices.signatures import parse_secrets, sign_polytomic, sign_standard

_TEST = "webhook.test"
_NAMES = {name.detail_type: str(name) for name in WebhookEvent} | {"Millrace Webhook Test": _TEST}
_ENDINGS = {
    WebhookEvent.RUN_STARTED: "running",
    WebhookEvent.RUN_COMPLETED: "completed",
    WebhookEvent.RUN_FAILED: "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardEvent:
    """An event as EventBridge hands it over: its short name and its detail."""

    name: str
    detail: Mapping[str, Any]

    @classmethod
    def parse(cls, body: str) -> HeardEvent:
        """Read a message of a webhook's queue; raises ValueError or LookupError where it is no event of ours."""
        message = json.loads(body)
        return cls(name=_NAMES[message["detail-type"]], detail=message["detail"])

    @property
    def id(self) -> str:
        """The event's own id, which a repetition has, too."""
        return str(self.detail["id"])


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What is posted."""

    body: bytes
    headers: Mapping[str, str]


def to_request(
    event: HeardEvent, *, form: WebhookFormat, secret: str, of: str, timestamp: int, is_model: bool
) -> WebhookRequest:
    """An event's request; ``secret`` is the text of a webhook's secret, ``of`` its name. Raises BadCredentials.

    ``is_model``: the event's sync is a model sync, which the vendor's format calls by other names.
    """
    common = {"content-type": "application/json", "user-agent": "Millrace"}
    if form is WebhookFormat.POLYTOMIC:
        body = _to_body(_to_vendors(event, is_model=is_model))
        return WebhookRequest(body, common | {"Polytomic-Signature": sign_polytomic(body, secret)})
    body = _to_body({"type": event.name, "timestamp": event.detail["time"], "data": event.detail})
    signature = sign_standard(event.id, timestamp, body, parse_secrets(secret, of=of))
    signed = {"webhook-id": event.id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    return WebhookRequest(body, common | signed)


def _to_body(envelope: Mapping[str, Any]) -> bytes:
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def _to_vendors(event: HeardEvent, *, is_model: bool) -> dict[str, Any]:
    """The vendor's envelope: ``{"type": "bulk_sync.completed", "event": {"name": ..., "organization_id": ...}}``.

    The vendor names things by UUIDs; ours are made of the names, so that they are the same in every event.
    """
    detail = event.detail
    deployment, sync = str(detail["deployment"]), str(detail.get("sync", ""))
    error = detail.get("error", {})
    said = {
        "name": sync or detail.get("webhook", ""),
        "organization_id": _to_uuid(deployment),
        "sync_id": _to_uuid(deployment, sync),
        "execution_id": _to_uuid(deployment, sync, str(detail.get("run", ""))),
        "trigger": detail.get("trigger"),
        "completed_at": detail["time"],
        "record_count": detail.get("rows", {}).get("written"),
        "error_count": detail.get("rows", {}).get("quarantined"),
        "error": error.get("message"),
    }
    return {"type": _to_vendors_type(event.name, is_model=is_model), "event": leave_out_none(said)}


def _to_vendors_type(name: str, *, is_model: bool) -> str:
    """The vendor ends one of them in ``errors`` for model syncs, and in ``error`` for bulk syncs."""
    kind = "sync" if is_model else "bulk_sync"
    if name == WebhookEvent.RUN_COMPLETED_WITH_ERRORS:
        return f"{kind}.completed_with_error{'s' if is_model else ''}"
    return f"{kind}.{_ENDINGS[WebhookEvent(name)]}" if name != _TEST else _TEST


def _to_uuid(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\x1f".join(names)))
