"""The source files of a build: each read at one version, and remembered in one object until the next build."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO, Self

from millrace.delivery.object_origin import origin_of
from millrace.engine.file_origin import FileOrigin
from millrace.errors import ObjectGone, TargetChanged, WriteConflict
from millrace.ledger.claims import LEASE_MARGIN
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, ObjectStore, Stores
from millrace.planning.plans import Build

_RECORD_VERSION = 1


@dataclass(slots=True)
class PinnedFiles:
    """Opens files: each time at the version that it was first opened at, which may be newer than the listed one.

    A build opens large files twice, to find their types and to convert them. Without the pin, a folder that keeps
    changing would never be built.
    """

    store: ObjectStore
    heads: dict[ObjectRef, ObjectHead] = field(default_factory=dict)

    @contextmanager
    def open(self, file: ObjectRef) -> Iterator[BinaryIO]:
        """The pinned version; raise ObjectGone or ObjectChanged if it is no longer to be had."""
        head = self.heads.get(file)
        with self.store.open(file) if head is None else self.store.reopen(file, head) as opened:
            self.heads[file] = opened.head
            yield opened.stream

    def origin(self, file: ObjectRef) -> FileOrigin:
        """What source columns hold of a file, once it has been opened."""
        return origin_of(file, self.heads[file])

    def as_read(self, listed: ListedObject) -> ListedObject:
        """A listed file with what was read of it."""
        head = self.heads.get(listed.ref)
        if head is None:
            return listed
        return replace(listed, etag=head.etag, size=head.size, modified=head.modified)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """Files whose entries in the ledger say that they are in the table: for each key an ETag and a time.

    It is believed only if the build's entry names its ETag: a ledger that lost entries, or was restored, does not.
    ``run_id`` is the run that a person asked for, which a record of its own lets go on where it was cut.
    """

    fingerprint: str
    run_id: str | None = None
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def has(self, file: ListedObject) -> bool:
        """Whether nothing was written to the file since its entry was written."""
        return self.files.get(file.ref.key) == (file.etag, file.modified.isoformat())

    def to_bytes(self) -> bytes:
        """Compressed JSON, the same for the same record."""
        content = {
            "millrace": _RECORD_VERSION,
            "fingerprint": self.fingerprint,
            "run_id": self.run_id,
            "files": self.files,
        }
        return gzip.compress(json.dumps(content, ensure_ascii=False).encode(), 6, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read back what ``to_bytes`` gave; None for anything else, which is as good as no record."""
        try:
            content = json.loads(gzip.decompress(data))
            if content["millrace"] != _RECORD_VERSION:
                return None
            files = {str(key): (str(etag), str(modified)) for key, (etag, modified) in content["files"].items()}
            return cls(
                fingerprint=str(content["fingerprint"]),
                run_id=content["run_id"],
                files=files,
            )
        except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record, and the ETag of the object that holds it; None: there is no object."""

    record: FileRecord | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class FileRecords:
    """Keeps each build's record in one object of the target, at ``Build.record``."""

    stores: Stores | Mapping[str, ObjectStore]

    def read(self, build: Build) -> StoredRecord:
        """The record of the last build, if it can be read."""
        try:
            with self.stores[build.target_connection].open(build.record) as opened:
                return StoredRecord(FileRecord.from_bytes(opened.stream.read()), opened.head.etag)
        except ObjectGone:
            return StoredRecord(None, None)

    def write(self, build: Build, record: FileRecord, last: StoredRecord) -> str | None:
        """Replace the record that was read, and give the new one's ETag; None if another build was quicker."""
        upload = self.stores[build.target_connection].upload(build.record, {})
        try:
            upload.write(record.to_bytes())
            with suppress(TargetChanged, WriteConflict):
                return upload.publish(expected=last.etag, rows=len(record.files)).etag
            return None
        finally:
            upload.discard()


def trust_file(file: ListedObject, listed_at: datetime) -> tuple[str, str]:
    """What a record says of a file: without a time if the file may be written again within the same second.

    S3 gives times to the second, and by its own clock: what was written within the margin of clocks before the listing
    is looked up in the ledger once more by the next build.
    """
    is_fresh = file.modified > listed_at - LEASE_MARGIN
    return file.etag, "" if is_fresh else file.modified.isoformat()
