"""What is said about objects in buckets: references, versions, changes and their order."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Self

from millrace.errors import InvalidReference, UnknownMessage

_SEQUENCER_WIDTH = 64


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """One object's bucket and decoded key; prints as ``s3://bucket/key``."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read ``s3://bucket/key``; raise InvalidReference for anything else."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise InvalidReference(f"{uri!r} is not an object's address; expected s3://bucket/key")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in an order, in a form that compares as text; only places of one kind can be compared."""

    value: str

    def shortened(self) -> Self:
        """The place as lineage carries it."""
        return self


@dataclass(frozen=True, slots=True, order=True)
class Sequencer(Position):
    """The order of S3's events for one key, in the form that compares as text.

    S3 gives hexadecimal numbers of varying length that are compared after padding the shorter one with zeros on the
    right (Amazon S3 User Guide, "Event message structure"). Across keys the order means nothing.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take a sequencer as an event carries it; raise UnknownMessage where it is not hexadecimal."""
        digits = text.strip().upper()
        if not digits or len(digits) > _SEQUENCER_WIDTH or set(digits) - set("0123456789ABCDEF"):
            raise UnknownMessage(f"sequencer {text!r} is not a hexadecimal number of at most {_SEQUENCER_WIDTH} digits")
        return cls(digits.ljust(_SEQUENCER_WIDTH, "0"))

    def __str__(self) -> str:
        return self.value


class ChangeKind(enum.StrEnum):
    """What happened to an object."""

    CREATED = "created"
    REMOVED = "removed"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """A version of a source, as far as it is known; ``etag`` without quotes, ``size`` in bytes.

    A build's ETag is the digest of its files.
    """

    etag: str | None = None
    version_id: str | None = None
    size: int | None = None

    def updated(self, newer: Self) -> Self:
        """What ``newer`` says, and of this version what it leaves open."""
        return type(self)(
            etag=newer.etag or self.etag,
            version_id=newer.version_id or self.version_id,
            size=self.size if newer.size is None else newer.size,
        )


UNKNOWN_VERSION = SourceVersion()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One change of one object, as an event told it; what the event did not say is None."""

    kind: ChangeKind
    ref: ObjectRef
    sequencer: Sequencer | None = None
    etag: str | None = None
    version_id: str | None = None
    size: int | None = None

    @property
    def version(self) -> SourceVersion:
        """The version that it made, as far as the event says."""
        return SourceVersion(etag=self.etag, version_id=self.version_id, size=self.size)

    def at_version(self, version: SourceVersion) -> Self:
        """The same change, of the version that the bucket has."""
        return replace(self, etag=version.etag, version_id=version.version_id, size=version.size)
