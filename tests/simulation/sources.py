"""The user's side: objects that are written, overwritten and deleted, and the events that tell of it, or do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import quote_plus

from millrace.objects.references import ChangeKind, ObjectRef
from tests.simulation.buckets import FORBIDDEN, KILLER, Bucket, Version
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault
from tests.simulation.files import to_file
from tests.simulation.queue import Queue
from tests.simulation.setups import SOURCE_BUCKET

_PARTS = "xyz"
_WHERE = "the source's bucket"
_LONGEST_UPLOAD = 7200.0
_DELAYS = {
    Fault.EVENT_LATE: (20.0, 400.0),
    Fault.EVENT_BEYOND_LEASE: (1000.0, 8000.0),
    Fault.EVENT_BEYOND_RETENTION: (15 * 86_400.0, 16 * 86_400.0),
}


@dataclass(frozen=True, slots=True)
class EventName:
    """What S3 calls an event in EventBridge and in its notifications; ``deletion`` is the type of a deletion."""

    eventbridge: str
    s3: str
    deletion: str | None = None


@dataclass(eq=False, slots=True)
class News:
    """A notification on its way to the queue."""

    due: float
    body: str


@dataclass(slots=True)
class Sources:
    """Writes to the source bucket, and tells the queue."""

    calls: Calls
    bucket: Bucket
    queue: Queue
    bad_rows: float = 0.0
    killers: float = 0.0
    forbidden: float = 0.0
    multipart: float = 0.0
    """How often a write is a multipart upload that began earlier."""
    durations: tuple[float, ...] = (0.0,)
    """Seconds that a conversion may take."""
    on_the_way: list[News] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    history: dict[str, list[Version]] = field(default_factory=dict)
    """Versions and delete markers in the order in which each became current."""
    _sequence: int = 0
    _versions: int = 0

    def put(self, key: str, *, tell: bool = True) -> None:
        """Write new bytes, now and then those of an earlier version."""
        choices, earlier = self.calls.choices, [one.data for one in self.history.get(key, ()) if one.data]
        if self.bucket.current(key) is not None:
            self.calls.faults.count(Fault.OVERWRITTEN, _WHERE)
        again = earlier and self.calls.faults.draw(Fault.SAME_BYTES_AGAIN, _WHERE)
        data = earlier[choices.pick(len(earlier))] if again else self._rows(key)
        version = self._write(key, data)
        if tell:
            self._tell(ChangeKind.CREATED, key, version)

    def write(self, key: str, data: bytes, *, begun: float | None = None) -> None:
        """Write these bytes; ``begun``: by a multipart upload that began then."""
        self._tell(ChangeKind.CREATED, key, self._write(key, data, begun))

    def put_twice(self, key: str) -> None:
        """Two writes at nearly the same time, of which S3 may tell but one."""
        self.put(key, tell=False)
        first = self.history[key][-1]
        self.put(key, tell=False)
        told = first if self.calls.choices.pick(2) else self.history[key][-1]
        self.calls.faults.count(Fault.ONE_EVENT_FOR_TWO, _WHERE)
        self._tell(ChangeKind.CREATED, key, told)

    def delete(self, key: str) -> None:
        """Delete."""
        if self.bucket.current(key) is None:
            return
        self.calls.faults.count(Fault.DELETED, _WHERE)
        self._tell(ChangeKind.REMOVED, key, self._write(key, None))

    def remove_newest(self, key: str) -> None:
        """Delete the newest version for good, or the delete marker: in a versioned bucket what was before is back.

        S3 sends the event of a deletion for both: ``ObjectRemoved:Delete``, or ``Object Deleted`` of the type
        ``Permanently Deleted``, with the version that was deleted (Amazon S3 User Guide, "Supported event types for
        SQS, SNS, and Lambda" and "Using EventBridge"). Nothing tells of the version that is current now.
        """
        removed = self.bucket.remove_newest(key, self.calls.clock.now)
        if removed is None:
            return
        self.calls.faults.count(Fault.UNDELETED if removed.data is None else Fault.VERSION_DELETED, _WHERE)
        versions = self.bucket.keys.get(key)
        self.history[key].append(versions[-1] if versions else removed.as_deleted())
        self.calls.note("user deletes a version", key, removed.version_id)
        self._tell(ChangeKind.REMOVED, key, removed, for_good=True)

    def archive(self, key: str) -> None:
        """Move the current bytes to an archive tier, as a lifecycle rule does, of which no event is sent here."""
        if self.bucket.current(key) is not None:
            self.calls.faults.count(Fault.ARCHIVED, _WHERE)
            self.calls.note("archived", key)
            self.bucket.archived.add(key)

    def restore(self, key: str) -> None:
        """Bring archived bytes back, of which S3 tells."""
        version = self.bucket.current(key)
        if key in self.bucket.archived and version is not None:
            self.calls.note("restored", key)
            self.bucket.archived.discard(key)
            self._tell(ChangeKind.RESTORED, key, version)

    def deliver_due(self) -> None:
        """Let arrive what is due."""
        now = self.calls.clock.now
        due = [news for news in self.on_the_way if news.due <= now]
        if due:
            self.on_the_way = [news for news in self.on_the_way if news.due > now]
            for news in due:
                self.queue.add(news.body)

    def next_due(self) -> float | None:
        """When the next arrives."""
        return min((news.due for news in self.on_the_way), default=None)

    def _write(self, key: str, data: bytes | None, begun: float | None = None) -> Version:
        choices, now = self.calls.choices, self.calls.clock.now
        if data is not None and choices.chance(self.multipart):
            begun = max(0.0, now - choices.between(0.0, _LONGEST_UPLOAD))
            self.calls.faults.count(Fault.OLDER_TIME, _WHERE)
        seconds = self.durations[choices.pick(len(self.durations))] if len(self.durations) > 1 else self.durations[0]
        version = self.bucket.put(key, data, now, begun=begun, seconds=seconds)
        self.history.setdefault(key, []).append(version)
        self.calls.note("user writes" if data else "user deletes", key, f"{version.etag[:6]} {data!r}"[:100])
        return version

    def _rows(self, key: str) -> bytes:
        """A file of a few rows that no other version has."""
        choices = self.calls.choices
        self._versions += 1
        count = 1 + choices.pick(4)
        rows = [f"{row},{_PARTS[choices.pick(3)]},{self._versions}" for row in range(1, count + 1)]
        if choices.chance(self.bad_rows):
            rows[choices.pick(count)] = f"{self._versions},x"
        harm = KILLER if choices.chance(self.killers) else FORBIDDEN if choices.chance(self.forbidden) else b""
        if harm == FORBIDDEN:
            self.calls.faults.count(Fault.FORBIDDEN, _WHERE)
        return to_file(key, rows, harm)

    def _tell(self, kind: ChangeKind, key: str, version: Version, *, for_good: bool = False) -> None:
        faults = self.calls.faults
        self._sequence += 1
        # S3's sequencers vary in length; trailing zeros are what they leave out.
        sequencer = f"{0x0AD + self._sequence:04X}".rstrip("0")
        name = _name_event(kind, for_good=for_good or version.version_id is None)
        body = _body(name, key, version, sequencer, eventbridge=bool(faults.choices.pick(2)))
        self.told.append(body)
        if faults.draw(Fault.EVENT_LOST, kind):
            self.calls.note("event lost", key, sequencer)
            return
        copies = 2 if faults.draw(Fault.EVENT_TWICE, kind) else 1
        for _ in range(copies):
            delay = self._delay(kind)
            self.on_the_way.append(News(self.calls.clock.now + delay, body))
            self.calls.note("event", f"{kind} {key}", f"sequencer {sequencer}, in {delay:.0f} s")

    def _delay(self, kind: ChangeKind) -> float:
        faults = self.calls.faults
        spans = (span for late, span in _DELAYS.items() if faults.draw(late, kind))
        return next((faults.choices.between(*span) for span in spans), 0.0)


_CREATED = EventName("Object Created", "ObjectCreated:Put")
_RESTORED = EventName("Object Restore Completed", "ObjectRestore:Completed")
_MARKED = EventName("Object Deleted", "ObjectRemoved:DeleteMarkerCreated", "Delete Marker Created")
_DELETED = EventName("Object Deleted", "ObjectRemoved:Delete", "Permanently Deleted")


def _name_event(kind: ChangeKind, *, for_good: bool) -> EventName:
    """``for_good``: nothing is kept of what was deleted, as a version, or an object of an unversioned bucket."""
    match kind:
        case ChangeKind.CREATED:
            return _CREATED
        case ChangeKind.RESTORED:
            return _RESTORED
        case ChangeKind.REMOVED:
            return _DELETED if for_good else _MARKED
        case _:
            assert_never(kind)


def _body(event: EventName, key: str, version: Version, sequencer: str, *, eventbridge: bool) -> str:
    detail: dict[str, Any] = {"sequencer": sequencer}
    if event.deletion is None:
        detail["size"] = len(version.data or b"")
    if eventbridge:
        detail |= {"key": key, "etag": version.etag, "version-id": version.version_id}
        about: dict[str, Any] = {"bucket": {"name": SOURCE_BUCKET}, "object": detail}
        if event.deletion is not None:
            about["deletion-type"] = event.deletion
        return json.dumps({"source": "aws.s3", "detail-type": event.eventbridge, "detail": about})
    detail |= {"key": quote_plus(key), "eTag": version.etag, "versionId": version.version_id}
    s3 = {"bucket": {"name": SOURCE_BUCKET}, "object": detail}
    return json.dumps({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event.s3, "s3": s3}]})


def source(key: str) -> ObjectRef:
    """The object of that key."""
    return ObjectRef(SOURCE_BUCKET, key)
