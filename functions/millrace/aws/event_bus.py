"""Events on the account's default bus, for everybody who has made a rule for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from millrace.aws.faults import translated
from millrace.deployment.settings import EVENT_SOURCE
from millrace.errors import ServiceUnavailable
from millrace.notices.events import Event

_MOST_BYTES = 200_000
"""Of the details in one request, which takes 256 KB and 10 events in all (Amazon EventBridge API Reference,
"PutEvents")."""
_MOST_EVENTS = 10
"""Of one request (Amazon EventBridge API Reference, "PutEvents")."""


class EventBus:
    """Puts events on the bus; satisfies ``notices.telling.Send`` by ``send``. The client is made at the first event."""

    def __init__(self, make_client: Callable[[], Any]) -> None:
        self._make_client = make_client

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(self, events: Sequence[Event]) -> None:
        """Return when the bus has them all; raises ServiceUnavailable or AccessDenied, and then it may have some."""
        for portion in _divide(list(map(_to_request, events))):
            names = ", ".join(entry["DetailType"] for entry in portion)
            with translated("events:PutEvents of", names):
                answer = self._client.put_events(Entries=portion)
            if answer["FailedEntryCount"]:
                raise ServiceUnavailable(f"events:PutEvents of {names} was refused: {answer['Entries']}")


def _to_request(event: Event) -> dict[str, Any]:
    # Not escaped to ASCII: a key in Cyrillic would take three times its bytes.
    detail = json.dumps(event.to_detail(), ensure_ascii=False)
    # Half a character, which no service takes, would keep the event from ever being sent.
    detail = detail.encode(errors="backslashreplace").decode()
    return {"Source": EVENT_SOURCE, "DetailType": event.detail_type, "Time": event.time, "Detail": detail}


def _divide(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entries in as few requests as they fit into."""
    portion: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        length = len(entry["Detail"].encode(errors="replace"))
        if portion and (len(portion) == _MOST_EVENTS or size + length > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += length
    if portion:
        yield portion
