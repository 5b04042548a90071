"""Messages: what a queue's message asks for, in every shape in which S3's news travels, and our own requests.

Shapes: S3 event notifications (Amazon S3 User Guide, "Event message structure"), the same through SNS with or without
its envelope or as Lambda gets it from SNS, EventBridge ("Amazon S3 events: Object Created, Object Deleted, Object
Restore Completed"), S3's test event, and Millrace's own requests. S3 notifications form-encode keys: a space arrives as
``+``. EventBridge does not.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from millrace.errors import UnknownMessage
from millrace.mappings import leave_out_none
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef, Sequencer
from millrace.texts import shorten_text

_REQUEST_VERSION = 1
_ENVELOPES = 3
_UNREADABLE = (UnknownMessage, LookupError, TypeError, ValueError, AttributeError)
"""What is raised where a value is not what its field should hold."""
_S3_EVENTS = {
    "ObjectCreated:": ChangeKind.CREATED,
    "ObjectRemoved:": ChangeKind.REMOVED,
    "LifecycleExpiration:": ChangeKind.REMOVED,
    "ObjectRestore:Completed": ChangeKind.RESTORED,
}
_EVENTBRIDGE_EVENTS = {
    "Object Created": ChangeKind.CREATED,
    "Object Deleted": ChangeKind.REMOVED,
    "Object Restore Completed": ChangeKind.RESTORED,
}


class TicketResult(enum.StrEnum):
    """What became of a backfill's request."""

    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    """Nothing is left for the message to do; its object waits for its restore, or for a big run."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which request of a backfill this is: what becomes of it is counted once, however often the message comes.

    ``portion`` names some thousand requests that were sent together, and ``number`` counts within them from 0.
    """

    backfill: str
    portion: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One object to look at: because it changed, or because somebody asked (``sync`` and ``run_id`` are set then).

    ``reset_schema``: the run's first file of a table gives it a schema of its own. ``decides_format``: the run asks for
    the object's whole table, whose files have all moved to another format. ``deployment`` is the number of the
    deployment under which it was asked for: a worker of an older one leaves it to a newer one. ``ticket`` is set if a
    backfill asks.
    """

    change: ObjectChange
    sync: str | None = None
    run_id: str | None = None
    reset_schema: bool = False
    decides_format: bool = False
    deployment: int = 0
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What one message asks for; ``notes`` says what was passed over by rule, ``unreadable`` what nobody can read.

    Both are cut to what a log takes.
    """

    requests: tuple[Request, ...] = ()
    notes: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(map(shorten_text, self.notes)))
        object.__setattr__(self, "unreadable", tuple(map(shorten_text, self.unreadable)))


def parse_message(body: str) -> Message:
    """Read a message's body; raise UnknownMessage where no shape fits.

    Where a message holds several records and some cannot be read, the others are still returned, with ``unreadable``
    set: they are worked on, and the message as a whole is not acknowledged.
    """
    return _parse(body, envelopes=_ENVELOPES)


def _parse(body: str, *, envelopes: int) -> Message:
    data = _object(body)
    # S3 sends it when a notification is configured.
    if data.get("Event") == "s3:TestEvent":
        return Message(notes=(f"test event of bucket {data.get('Bucket')}",))
    if isinstance(data.get("Records"), list):
        return _records(data["Records"], envelopes=envelopes)
    # SNS without raw delivery has the message of S3 as a text in its own.
    if envelopes and _is_notification(data):
        return _parse(data["Message"], envelopes=envelopes - 1)
    if data.get("source") == "aws.s3" and isinstance(data.get("detail"), dict):
        return _eventbridge(data)
    if "millrace" in data:
        return _own_request(data)
    raise UnknownMessage(
        f"a message with the fields {sorted(data)[:8]} is none of: S3 notification, SNS notification, "
        "EventBridge event of aws.s3, Millrace request"
    )


def _is_notification(data: Mapping[str, Any]) -> bool:
    return data.get("Type") == "Notification" and isinstance(data.get("Message"), str)


def _object(body: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnknownMessage(f"the message is not JSON ({error}); it begins {body[:60]!r}") from error
    if not isinstance(data, dict):
        raise UnknownMessage(f"the message is a JSON {type(data).__name__}; expected an object")
    return data


def _records(records: list[Any], *, envelopes: int) -> Message:
    requests, notes, unreadable = list[Request](), list[str](), list[str]()
    for number, record in enumerate(records, start=1):
        try:
            message = _record(record, envelopes=envelopes)
        except _UNREADABLE as error:
            unreadable.append(f"record {number} of {len(records)}: {type(error).__name__}: {error}")
            continue
        requests.extend(message.requests)
        notes.extend(message.notes)
        unreadable.extend(message.unreadable)
    return Message(tuple(requests), tuple(notes), tuple(unreadable))


def _record(record: Mapping[str, Any], *, envelopes: int) -> Message:
    """A record of S3, or one of SNS, which holds a message of S3 (AWS Lambda Developer Guide, "Using Lambda with SNS").

    Versions above the known major are read like the known one: AWS promises that existing fields stay.
    """
    if record.get("EventSource") == "aws:sns" and envelopes:
        return _parse(_text(record["Sns"]["Message"]), envelopes=envelopes - 1)
    if record["eventSource"] != "aws:s3":
        raise UnknownMessage(f"eventSource {record['eventSource']!r} is not aws:s3")
    # AWS writes `ObjectCreated:Put`; other services that speak S3 write `s3:ObjectCreated:Put`.
    name = str(record["eventName"]).removeprefix("s3:")
    kind = next((kind for prefix, kind in _S3_EVENTS.items() if name.startswith(prefix)), None)
    bucket, stated = record["s3"]["bucket"]["name"], record["s3"]["object"]
    if kind is None:
        return Message(notes=(f"event {name} of s3://{bucket}/{stated.get('key')} changes no object's content",))
    # Keys come as in a form: `red+flower%2B1.jpg` for `red flower+1.jpg`.
    ref = _ref(bucket, unquote_plus(_text(stated["key"]), errors="strict"))
    return _to_message(kind, ref, stated, etag="eTag", version_id="versionId")


def _eventbridge(data: Mapping[str, Any]) -> Message:
    name, detail = data.get("detail-type"), data["detail"]
    kind = _EVENTBRIDGE_EVENTS.get(str(name))
    if kind is None:
        return Message(notes=(f"event {name!r} changes no object's content",))
    try:
        stated = detail["object"]
        ref = _ref(detail["bucket"]["name"], stated["key"])
        return _to_message(kind, ref, stated, etag="etag", version_id="version-id")
    except KeyError as error:
        raise UnknownMessage(f"EventBridge event {name!r} lacks {error}") from error
    except _UNREADABLE as error:
        raise UnknownMessage(f"EventBridge event {name!r} cannot be read: {error}") from error


def _to_message(kind: ChangeKind, ref: ObjectRef, stated: Mapping[str, Any], *, etag: str, version_id: str) -> Message:
    """One change by what an event states of the object; ``etag`` and ``version_id`` are what it calls these two."""
    sequencer, note = _read_sequencer(stated.get("sequencer"), ref)
    change = ObjectChange(
        kind=kind,
        ref=ref,
        sequencer=sequencer,
        etag=_etag(stated.get(etag)),
        version_id=_optional(stated.get(version_id)),
        size=_size(stated.get("size")),
    )
    return Message(requests=(Request(change=change),), notes=(note,) if note else ())


def _read_sequencer(value: object, ref: ObjectRef) -> tuple[Sequencer | None, str | None]:
    """A sequencer, or a note on why it counts as absent: emulators and other S3s send words there.

    The object is looked at as it is, so nothing depends on it but the order of late events.
    """
    if not value:
        return None, None
    try:
        return Sequencer.parse(_text(value)), None
    except _UNREADABLE as error:
        return None, f"{ref}: the event counts as one without a sequencer: {error}"


def _etag(value: object) -> str | None:
    return _text(value).strip('"') if value else None


def _text(value: object) -> str:
    """A value that must be text, and such as can be written; raise TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} where text is expected")
    value.encode()
    return value


def _ref(bucket: object, key: object) -> ObjectRef:
    """An object's address; raise ValueError if a part of it is empty: S3 has no such object."""
    ref = ObjectRef(_text(bucket), _text(key))
    if not ref.bucket or not ref.key:
        raise ValueError(f"an empty {'key' if ref.bucket else 'bucket name'}, which no object has")
    return ref


def _size(value: object) -> int | None:
    """A size in bytes; none where it is not told, or is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _optional(value: object) -> str | None:
    return _text(value) if value else None


def compose_message(request: Request) -> str:
    """Write a request as the body of a message that ``parse_message`` reads back equal."""
    change = request.change
    fields = {
        "millrace": _REQUEST_VERSION,
        "kind": change.kind,
        "bucket": change.ref.bucket,
        "key": change.ref.key,
        "sequencer": change.sequencer and change.sequencer.value,
        "etag": change.etag,
        "version_id": change.version_id,
        "size": change.size,
        "sync": request.sync,
        "run_id": request.run_id,
        "reset_schema": request.reset_schema or None,
        "decides_format": request.decides_format or None,
        "deployment": request.deployment or None,
        "ticket": request.ticket and asdict(request.ticket),
    }
    return json.dumps(leave_out_none(fields), ensure_ascii=False)


def _own_request(data: Mapping[str, Any]) -> Message:
    if data["millrace"] != _REQUEST_VERSION:
        raise UnknownMessage(
            f"a request of version {data['millrace']!r}; this version reads {_REQUEST_VERSION}: deploy the newer one"
        )
    try:
        kind, ref = ChangeKind(data["kind"]), _ref(data["bucket"], data["key"])
        message = _to_message(kind, ref, data, etag="etag", version_id="version_id")
        (request,) = message.requests
        asked = replace(
            request,
            sync=_optional(data.get("sync")),
            run_id=_optional(data.get("run_id")),
            reset_schema=data.get("reset_schema") is True,
            decides_format=data.get("decides_format") is True,
            deployment=_size(data.get("deployment")) or 0,
            ticket=_read_ticket(data.get("ticket")),
        )
        return replace(message, requests=(asked,))
    except _UNREADABLE as error:
        raise UnknownMessage(f"a Millrace request with {error}") from error


def _read_ticket(value: object) -> Ticket | None:
    """A backfill's ticket; raise TypeError or ValueError for what is none."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.60} where a ticket is expected")
    number = _size(value["number"])
    if number is None:
        raise ValueError(f"the ticket number {value['number']!r:.60}; expected a whole number from 0")
    return Ticket(_text(value["backfill"]), _text(value["portion"]), number)
