"""S3 in memory: versioned and unversioned buckets, conditional writes, multipart uploads, pinned ranged reads."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import BinaryIO, cast

from millrace.errors import (
    AccessDenied,
    NoSuchBucket,
    ObjectArchived,
    ObjectChanged,
    ObjectGone,
    ServiceUnavailable,
    TargetChanged,
    WriteConflict,
)
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, ObjectRange, OpenedObject, Published
from millrace.planning.targets import is_record
from tests.limits import demand_key, demand_metadata, demand_parts
from tests.simulation.calls import BEGINNING, Calls
from tests.simulation.faults import Fault

_PAGE = 2
"""Keys of one page of a listing."""
MOST_WRITES_LATE = 3
"""What a stale listing may lack of what was written last."""
_MULTIPART = 96
"""Bytes from which an output is uploaded in parts."""
KILLER = b"0,kills,0\n"
"""A row that kills the worker that reads it."""
_UNTIL_GRANTED = 4 * 3600.0
FORBIDDEN = b"0,forbidden,0\n"
"""A row of an object whose bytes nobody may read, as where the key that encrypts it is denied."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object; ``data`` None: a delete marker. ``seconds``: how long its conversion takes."""

    data: bytes | None
    etag: str
    modified: datetime
    version_id: str | None
    metadata: Mapping[str, str]
    seconds: float = 0.0

    def as_deleted(self) -> Version:
        """A deletion that leaves not even a marker."""
        return replace(self, data=None)

    @property
    def head(self) -> ObjectHead:
        """As S3 tells it."""
        return ObjectHead(
            etag=self.etag,
            size=len(self.data or b""),
            modified=self.modified,
            version_id=self.version_id,
            metadata=self.metadata,
        )


@dataclass(slots=True)
class Bucket:
    """Keys with their versions, oldest first; an unversioned bucket keeps one. ``earlier`` is for stale listings."""

    versioned: bool = False
    keys: dict[str, list[Version]] = field(default_factory=dict)
    earlier: list[dict[str, Version]] = field(default_factory=list)
    uploads: int = 0
    archived: set[str] = field(default_factory=set)
    """Keys whose bytes are in an archive tier."""
    since: dict[str, float] = field(default_factory=dict)
    """When what is current of a key became so. A version's own time is earlier if it is back, or came in parts."""
    _ids: int = 0

    def current(self, key: str) -> Version | None:
        """What a GET finds."""
        versions = self.keys.get(key)
        return versions[-1] if versions and versions[-1].data is not None else None

    def pinned(self, key: str, head: ObjectHead) -> Version | None:
        """The version that was opened, if it can still be had; without an id, what is there must have its ETag."""
        if head.version_id is None:
            current = self.current(key)
            return current if current is not None and current.etag == head.etag else None
        for version in self.keys.get(key, ()):
            if version.etag == head.etag and version.version_id == head.version_id and version.data is not None:
                return version
        return None

    def put(
        self,
        key: str,
        data: bytes | None,
        now: float,
        metadata: Mapping[str, str] | None = None,
        *,
        begun: float | None = None,
        seconds: float = 0.0,
    ) -> Version:
        """A new version, or a delete marker.

        ``begun``: it is a multipart upload begun then, whose Last-Modified that is (Amazon S3 User Guide, "Working with
        object metadata": the creation date of a multipart upload is the date of its initiation); its ETag counts parts.
        """
        self._change(key, now)
        etag = hashlib.md5(data or b"", usedforsecurity=False).hexdigest()
        self._ids += 1
        version = Version(
            data,
            etag if begun is None else f"{etag}-1",
            BEGINNING + timedelta(seconds=int(now if begun is None else begun)),
            f"v{self._ids}" if self.versioned else None,
            metadata or {},
            seconds,
        )
        if self.versioned:
            self.keys.setdefault(key, []).append(version)
        elif data is None:
            self.keys.pop(key, None)
        else:
            self.keys[key] = [version]
        return version

    def remove_newest(self, key: str, now: float) -> Version | None:
        """Delete the newest version or delete marker of a key for good; what was before it is current again."""
        versions = self.keys.get(key)
        if not self.versioned or not versions:
            return None
        self._change(key, now)
        removed = versions.pop()
        if not versions:
            del self.keys[key]
        return removed

    def _change(self, key: str, now: float) -> None:
        self.earlier.append(self.live())
        self.archived.discard(key)
        self.since[key] = now

    def live(self) -> dict[str, Version]:
        """Current versions by key."""
        return {key: there[-1] for key, there in self.keys.items() if there[-1].data is not None}


Written = tuple[float, ObjectRef, bytes | None]
"""When, where and what was written; None: deleted."""


@dataclass(slots=True)
class Buckets:
    """Satisfies ``object_store.ObjectStore`` for the actor that runs."""

    calls: Calls
    buckets: dict[str, Bucket]
    written: list[Written] = field(default_factory=list)
    on_delete: Callable[[ObjectRef], None] = lambda _ref: None
    granted_at: float | None = None
    assemblies: dict[str, dict[int, bytes]] = field(default_factory=dict)
    assembled: dict[str, Mapping[str, str]] = field(default_factory=dict)
    reads_at_once: bool = False
    """Whether a whole object is fetched when it is opened: for conversions that read in other threads."""

    def bucket(self, name: str) -> Bucket:
        """The bucket of that name."""
        if name not in self.buckets:
            raise NoSuchBucket(f"there is no bucket {name}")
        return self.buckets[name]

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """Pin the current version with the first range."""
        del tail_first

        def first() -> Version:
            there = self.bucket(ref.bucket).current(ref.key)
            if there is None:
                raise ObjectGone(f"{ref} is gone")
            if ref.key in self.bucket(ref.bucket).archived:
                raise ObjectArchived(f"{ref} is archived")
            if FORBIDDEN in (there.data or b"") and self._is_denied_still():
                raise AccessDenied(f"{ref}: its key is denied")
            return there

        version = self.calls.call("s3:GetObject", ref, first)
        reader = Ranges(self, ref, version)
        stream = io.BytesIO(reader.read_at_once()) if self.reads_at_once else cast("BinaryIO", reader)
        yield OpenedObject(version.head, stream)

    def _is_denied_still(self) -> bool:
        """Somebody sees the alarm, and grants what is missing some hours after it was first missed."""
        if self.granted_at is None:
            self.granted_at = self.calls.clock.now + _UNTIL_GRANTED
        return self.calls.clock.now < self.granted_at

    @contextmanager
    def reopen(self, ref: ObjectRef, head: ObjectHead) -> Iterator[OpenedObject]:
        """The version that was opened before, with a range of its own."""

        def find() -> Version:
            there = self.bucket(ref.bucket)
            pinned = there.pinned(ref.key, head)
            if pinned is None or (pinned.version_id is None and there.current(ref.key) != pinned):
                kind = ObjectChanged if there.current(ref.key) else ObjectGone
                raise kind(f"{ref} is another by now")
            return pinned

        version = self.calls.call("s3:GetObject range", ref, find)
        yield OpenedObject(version.head, io.BytesIO(version.data or b""))

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """The current version, or None."""

        def find() -> ObjectHead | None:
            there = self.bucket(ref.bucket).current(ref.key)
            return there.head if there else None

        return self.calls.call("s3:HeadObject", ref, find)

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> Uploading:
        """Begin an output."""
        return Uploading(self, target, dict(metadata))

    def assemble(
        self, target: ObjectRef, metadata: Mapping[str, str], *, token: str | None = None
    ) -> SimulatedAssembly:
        """Begin a multipart upload, or go on with one."""
        if token is None:
            demand_metadata(target, metadata)
            token = self.calls.call("s3:CreateMultipartUpload", target, lambda: self._begin_assembly(metadata))
        return SimulatedAssembly(self, target, token)

    def _begin_assembly(self, metadata: Mapping[str, str]) -> str:
        token = f"u{len(self.assembled) + 1}"
        self.assembled[token] = metadata
        self.assemblies[token] = {}
        return token

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete by name, if it has that ETag."""

        def remove() -> None:
            there = self.bucket(ref.bucket)
            current = there.current(ref.key)
            if etag is not None and (current is None or current.etag != etag):
                return
            if current is not None:
                self.on_delete(ref)
                there.put(ref.key, None, self.calls.clock.now)
                if not is_record(ref):
                    self.written.append((self.calls.clock.now, ref, None))

        self.calls.call("s3:DeleteObject", ref, remove)

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Page by page, in key order; a stale listing tells what was there some writes ago."""
        there, after = self.bucket(bucket), start_after
        lags = self.calls.may_be_stale and bool(there.earlier)
        stale = lags and self.calls.faults.draw(Fault.STALE, "s3:ListObjectsV2")
        most_late = min(MOST_WRITES_LATE, len(there.earlier))
        old = there.earlier[-1 - self.calls.choices.pick(most_late)] if stale else None

        def page() -> list[tuple[str, Version]]:
            found = sorted((old if old is not None else there.live()).items(), key=lambda item: item[0].encode())
            return [(key, one) for key, one in found if key.startswith(prefix) and key.encode() > after.encode()][
                :_PAGE
            ]

        while portion := self.calls.call("s3:ListObjectsV2", f"{bucket}/{prefix}", page):
            for key, version in portion:
                is_readable = key not in there.archived
                yield ListedObject(
                    ObjectRef(bucket, key), version.etag, version.head.size, version.modified, is_readable
                )
            after = portion[-1][0]

    def put_output(self, upload: Uploading, expected: str | None, metadata: Mapping[str, str]) -> Published:
        """The conditional write itself."""
        target, there = upload.target, self.bucket(upload.target.bucket)
        demand_key(target)
        demand_metadata(target, metadata)
        if self.calls.faults.draw(Fault.CONFLICT, "s3:PutObject"):
            raise WriteConflict(f"{target}: simulated")
        current = there.current(target.key)
        if (current.etag if current else None) != expected:
            raise TargetChanged(f"{target} is {current.etag if current else 'not there'}, not {expected}")
        return self._put(target, bytes(upload.pending), metadata)

    def _put(self, target: ObjectRef, data: bytes, metadata: Mapping[str, str]) -> Published:
        version = self.bucket(target.bucket).put(target.key, data, self.calls.clock.now, metadata)
        if not is_record(target):
            self.written.append((self.calls.clock.now, target, data))
        return Published(version.etag, len(data))


LEFT_AT_LEAST = 20.0
"""Seconds of an invocation that a conversion at once leaves: whose stream does not tell the time."""


class Ranges(io.RawIOBase):
    """A pinned object in two ranges; the first came with the opening."""

    def __init__(self, buckets: Buckets, ref: ObjectRef, version: Version) -> None:
        super().__init__()
        self._buckets, self._ref, self._version = buckets, ref, version
        data = version.data or b""
        self._held, self._position = data[: len(data) // 2], 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._version.data or b"")}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where the next byte is."""
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Fetch the second range when it is needed."""
        whole = self._version.data or b""
        end = len(whole) if size is None or size < 0 else min(len(whole), self._position + size)
        if end > len(self._held):
            self._held = self._buckets.calls.call("s3:GetObject range", self._ref, self._rest)
        data = self._held[self._position : end]
        self._position += len(data)
        return data

    def read_at_once(self) -> bytes:
        """All bytes, and the time that their conversion takes, up to what is left of the invocation."""
        data, calls = self.read(), self._buckets.calls
        actor = calls.scheduler.current
        left = actor.deadline - calls.clock.now - LEFT_AT_LEAST if actor is not None else 0.0
        if self._version.seconds and left > 0:
            calls.work(self._ref, min(self._version.seconds, left))
        return data

    def take_time(self, look_at_clock: Callable[[], None]) -> None:
        """Let the time pass that the conversion of this version takes."""
        if self._version.seconds:
            self._buckets.calls.work(self._ref, self._version.seconds, look_at_clock)

    def _rest(self) -> bytes:
        if KILLER in (self._version.data or b"") and self._buckets.calls.scheduler.current is not None:
            self._buckets.calls.crash(self._ref)
        there = self._buckets.bucket(self._ref.bucket)
        pinned = there.pinned(self._ref.key, self._version.head)
        if pinned is None or (self._version.version_id is None and there.current(self._ref.key) != pinned):
            kind = ObjectChanged if there.current(self._ref.key) else ObjectGone
            raise kind(f"{self._ref} is another by now")
        return self._version.data or b""


@dataclass(slots=True)
class Uploading:
    """Satisfies ``object_store.Upload``: one PUT if it is small, else parts."""

    buckets: Buckets
    target: ObjectRef
    metadata: dict[str, str]
    pending: bytearray = field(default_factory=bytearray)
    begun: bool = False
    completed: bool = False

    def write(self, data: bytes | memoryview, /) -> int:
        """Keep."""
        self.pending += data
        return len(memoryview(data).cast("B"))

    def discard(self) -> None:
        """Abort what was begun."""
        self.buckets.calls.demand_alive()
        if self.begun:
            self.begun = False
            self.buckets.calls.call("s3:AbortMultipartUpload", self.target, self._aborted)
        self.pending.clear()

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """One conditional PUT, or parts and their conditional completion."""
        call = self.buckets.calls.call
        if len(self.pending) < _MULTIPART:
            metadata = self.metadata | {"millrace-rows": str(rows)}
            return call("s3:PutObject", self.target, lambda: self.buckets.put_output(self, expected, metadata))
        if not self.begun:
            call("s3:CreateMultipartUpload", self.target, self._begin)
            self.begun = True
            call("s3:UploadPart", self.target, lambda: None)
        published = call("s3:CompleteMultipartUpload", self.target, lambda: self._complete(expected))
        self.begun = False
        return published

    def _begin(self) -> None:
        self.buckets.bucket(self.target.bucket).uploads += 1

    def _aborted(self) -> None:
        self.buckets.bucket(self.target.bucket).uploads -= 1

    def _complete(self, expected: str | None) -> Published:
        """S3 knows a completed upload no more; then what stands there is asked whether it is this one."""
        if self.completed:
            there = self.buckets.bucket(self.target.bucket).current(self.target.key)
            if there is None or dict(there.metadata) != self.metadata:
                raise ServiceUnavailable(f"{self.target}: NoSuchUpload")
            return Published(there.etag, len(self.pending))
        published = self.buckets.put_output(self, expected, self.metadata)
        self.completed = True
        self._aborted()
        return published


SMALLEST_SIMULATED_PART = 24
"""Bytes of a part of an upload but the last, in place of S3's 5 MiB: some outputs are one part, others many."""


@dataclass(slots=True)
class SimulatedAssembly:
    """Satisfies ``object_store.Assembly``."""

    buckets: Buckets
    target: ObjectRef
    token: str

    def sent(self) -> frozenset[int]:
        """The numbers of the parts that are there."""
        return self.buckets.calls.call("s3:ListParts", self.target, lambda: frozenset(self._parts()))

    def copy(self, number: int, content: ObjectRange) -> None:
        """Copy a range of an object that has its ETag."""

        def apply() -> None:
            there = self.buckets.bucket(content.ref.bucket).current(content.ref.key)
            if there is None:
                raise ObjectGone(f"{content.ref} is gone")
            self.demand_etag(there, content)
            self._parts()[number] = (there.data or b"")[content.start : content.end]

        self.buckets.calls.call("s3:UploadPartCopy", content.ref, apply)

    def demand_etag(self, there: Version, content: ObjectRange) -> None:
        """The condition of the copy."""
        if there.etag != content.etag:
            raise ObjectChanged(f"{content.ref} was overwritten")

    def send(self, number: int, content: bytes) -> None:
        """Keep a part."""

        def apply() -> None:
            self._parts()[number] = content

        self.buckets.calls.call("s3:UploadPart", self.target, apply)

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """The conditional completion."""
        return self.buckets.calls.call(
            "s3:CompleteMultipartUpload", self.target, lambda: self._complete(expected, rows)
        )

    def _complete(self, expected: str | None, rows: int) -> Published:
        parts = [content for _, content in sorted(self._parts().items())]
        demand_parts(self.target, list(map(len, parts)), smallest=SMALLEST_SIMULATED_PART)
        metadata = dict(self.buckets.assembled[self.token])
        assert metadata["millrace-rows"] == str(rows)
        whole = Uploading(self.buckets, self.target, metadata, pending=bytearray(b"".join(parts)))
        published = self.buckets.put_output(whole, expected, metadata)
        del self.buckets.assemblies[self.token]
        return published

    def discard(self) -> None:
        """Abort."""
        self.buckets.calls.call(
            "s3:AbortMultipartUpload", self.target, lambda: self.buckets.assemblies.pop(self.token, None)
        )

    def _parts(self) -> dict[int, bytes]:
        if self.token not in self.buckets.assemblies:
            raise ObjectGone(f"{self.target}: there is no upload {self.token}")
        return self.buckets.assemblies[self.token]
