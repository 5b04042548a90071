"""The user's side: objects that are written, overwritten and deleted, and the events that tell of it, or do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from millrace.objects.references import ChangeKind, ObjectRef
from tests.simulation.buckets import Bucket, Version
from tests.simulation.calls import Calls
from tests.simulation.faults import Fault
from tests.simulation.light import HEADER
from tests.simulation.queue import Queue
from tests.simulation.setups import SOURCE_BUCKET

_PARTS = "xyz"
_DELAYS = {
    Fault.EVENT_LATE: (20.0, 400.0),
    Fault.EVENT_BEYOND_LEASE: (1000.0, 8000.0),
    Fault.EVENT_BEYOND_RETENTION: (15 * 86_400.0, 16 * 86_400.0),
}


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
    on_the_way: list[News] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    history: dict[str, list[Version]] = field(default_factory=dict)
    _sequence: int = 0
    _versions: int = 0

    def put(self, key: str, *, tell: bool = True) -> None:
        """Write new bytes, now and then those of an earlier version."""
        choices, earlier = self.calls.choices, [one.data for one in self.history.get(key, ()) if one.data]
        if self.bucket.current(key) is not None:
            self.calls.faults.count(Fault.OVERWRITTEN, "the source's bucket")
        again = earlier and self.calls.faults.draw(Fault.SAME_BYTES_AGAIN, "the source's bucket")
        data = earlier[choices.pick(len(earlier))] if again else self._rows()
        version = self._write(key, data)
        if tell:
            self._tell(ChangeKind.CREATED, key, version)

    def write(self, key: str, data: bytes) -> None:
        """Write these bytes."""
        self._tell(ChangeKind.CREATED, key, self._write(key, data))

    def put_twice(self, key: str) -> None:
        """Two writes at nearly the same time, of which S3 may tell but one."""
        self.put(key, tell=False)
        first = self.history[key][-1]
        self.put(key, tell=False)
        told = first if self.calls.choices.pick(2) else self.history[key][-1]
        self.calls.faults.count(Fault.ONE_EVENT_FOR_TWO, "the source's bucket")
        self._tell(ChangeKind.CREATED, key, told)

    def delete(self, key: str) -> None:
        """Delete."""
        if self.bucket.current(key) is None:
            return
        self.calls.faults.count(Fault.DELETED, "the source's bucket")
        self._tell(ChangeKind.REMOVED, key, self._write(key, None))

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

    def _write(self, key: str, data: bytes | None) -> Version:
        version = self.bucket.put(key, data, self.calls.clock.now)
        self.history.setdefault(key, []).append(version)
        self.calls.note("user writes" if data else "user deletes", key, f"{version.etag[:6]} {data!r}"[:100])
        return version

    def _rows(self) -> bytes:
        """A few rows that no other version has."""
        choices = self.calls.choices
        self._versions += 1
        count = 1 + choices.pick(4)
        rows = [f"{row},{_PARTS[choices.pick(3)]},{self._versions}\n" for row in range(1, count + 1)]
        if choices.chance(self.bad_rows):
            rows[choices.pick(count)] = f"{self._versions},x\n"
        return HEADER + "".join(rows).encode()

    def _tell(self, kind: ChangeKind, key: str, version: Version) -> None:
        faults = self.calls.faults
        self._sequence += 1
        # S3's sequencers vary in length; trailing zeros are what they leave out.
        sequencer = f"{0x0AD + self._sequence:04X}".rstrip("0")
        body = _body(kind, key, version, sequencer, eventbridge=bool(faults.choices.pick(2)))
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


def _body(kind: ChangeKind, key: str, version: Version, sequencer: str, *, eventbridge: bool) -> str:
    detail: dict[str, Any] = {"sequencer": sequencer}
    if kind is ChangeKind.CREATED:
        detail["size"] = len(version.data or b"")
    if eventbridge:
        detail |= {"key": key, "etag": version.etag, "version-id": version.version_id}
        name = "Object Created" if kind is ChangeKind.CREATED else "Object Deleted"
        about = {"bucket": {"name": SOURCE_BUCKET}, "object": detail}
        return json.dumps({"source": "aws.s3", "detail-type": name, "detail": about})
    name = "ObjectCreated:Put" if kind is ChangeKind.CREATED else "ObjectRemoved:Delete"
    detail |= {"key": quote_plus(key), "eTag": version.etag, "versionId": version.version_id}
    s3 = {"bucket": {"name": SOURCE_BUCKET}, "object": detail}
    return json.dumps({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name, "s3": s3}]})


def source(key: str) -> ObjectRef:
    """The object of that key."""
    return ObjectRef(SOURCE_BUCKET, key)
