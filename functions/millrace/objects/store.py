"""The port to buckets: pinned reads, and writes that nobody sees until they are published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import BinaryIO, Protocol

from millrace.objects.references import ObjectRef, SourceVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """One version of an object; ``etag`` without quotes, ``size`` in bytes, ``modified`` to the second."""

    etag: str
    size: int
    modified: datetime
    version_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def version(self) -> SourceVersion:
        """Which version it is."""
        return SourceVersion(etag=self.etag, version_id=self.version_id, size=self.size)


@dataclass(frozen=True, slots=True)
class OpenedObject:
    """An object pinned to one version, and its bytes, seekable."""

    head: ObjectHead
    stream: BinaryIO


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing shows it.

    ``is_readable``: the listing shows that it can be read. It cannot while it is archived; of Intelligent-Tiering, a
    listing does not show the tier.
    """

    ref: ObjectRef
    etag: str
    size: int
    modified: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class Published:
    """An output that stands in its place; ``etag`` without quotes, ``size`` in bytes."""

    etag: str
    size: int


class Publishable(Protocol):
    """An output that nobody sees before it is published."""

    def discard(self) -> None:
        """Abort; nothing of what was written remains. Harmless when called twice or after ``publish``."""
        ...

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """Make the object visible, whole, if the target still has the ETag ``expected`` (None: nothing stands there).

        Raises TargetChanged where something else stands there, WriteConflict where two writes met; both may be
        answered by calling again.
        """
        ...


class Upload(Publishable, Protocol):
    """An output in the making; a conversion's sink."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectRange:
    """The bytes of an object from ``start`` to before ``end``, as long as it has the ETag."""

    ref: ObjectRef
    etag: str
    start: int
    end: int


MOST_PARTS = 10_000
SMALLEST_PART = 5 * 2**20
LARGEST_PART = 5 * 2**30
"""Limits of a multipart upload; only its last part may be smaller (Amazon S3 User Guide, "Amazon S3 multipart upload
limits")."""


class Assembly(Publishable, Protocol):
    """An output that is put together of numbered parts, by any number of workers and invocations.

    A part may be sent again, also by two at once: the last one counts, and all of them have the same bytes.
    """

    @property
    def token(self) -> str:
        """What another worker goes on with."""
        ...

    def sent(self) -> frozenset[int]:
        """The numbers of the parts that are there, from 1. Raises ObjectGone if the assembly is no more."""
        ...

    def copy(self, number: int, content: ObjectRange) -> None:
        """Have the store copy a part of another object of it.

        Raises ObjectChanged if that object has another ETag, ObjectGone if it, or the assembly, is no more.
        """
        ...

    def send(self, number: int, content: bytes) -> None:
        """Send a part's bytes; raises as ``copy``."""
        ...


class ObjectStore(Protocol):
    """The buckets that one connection reaches."""

    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> AbstractContextManager[OpenedObject]:
        """Pin the current version and read it by ranges, the last range first for ``tail_first``.

        Raises ObjectGone, ObjectArchived, AccessDenied, NoSuchBucket; reads raise ObjectChanged where the pinned
        version is no longer to be had.
        """
        ...

    def reopen(self, ref: ObjectRef, head: ObjectHead) -> AbstractContextManager[OpenedObject]:
        """The version that was opened before, read by ranges.

        Raises ObjectChanged or ObjectGone, now or at a read, if it is no longer to be had: in a bucket that keeps
        versions, it is until somebody deletes it.
        """
        ...

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """The current version, or None where there is none."""
        ...

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> Upload:
        """Begin an output."""
        ...

    def assemble(self, target: ObjectRef, metadata: Mapping[str, str], *, token: str | None = None) -> Assembly:
        """Begin an output that is put together of parts, or go on with one; what it is has been said when it began."""
        ...

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete one object by its name; no error if there is none.

        With an ``etag`` only if the object has it still; another that stands there by now stays, without an error.
        """
        ...

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Every object below a prefix, in key order."""
        ...


class Stores(Protocol):
    """The object store of each connection."""

    def __getitem__(self, connection: str, /) -> ObjectStore:
        """The store of the connection of that name."""
        ...
