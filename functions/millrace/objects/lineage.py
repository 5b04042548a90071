"""Where an output came from, as it travels with the output: S3 metadata and Parquet key-value metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from millrace.objects.references import ObjectRef, Position, Sequencer

_PREFIX = "millrace-"
_HASHED = "sha256:"
_LONGEST_SOURCE = 1024
_MOST_METADATA = 2048
"""S3 allows 2 KB of user metadata: the sum of the bytes of UTF-8 of all names and values, without ``x-amz-meta-``.

Values here are ASCII, since S3 gives others back encoded by RFC 2047 (Amazon S3 User Guide, "Working with object
metadata")."""
_ROOM_FOR_ROWS = len("millrace-rows") + 20
"""The count of rows is added when the upload is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The source version, the claim and the configuration that an output was made from.

    ``owner`` is who may replace the output, where that is not the source itself but a table that it is a file of;
    ``sequencer`` is then the file's place among the table's.
    """

    sync: str
    source: str
    etag: str
    version_id: str | None
    sequencer: Position | None
    fence: int
    fingerprint: str
    engine: str
    owner: str | None = None

    @classmethod
    def of(
        cls,
        *,
        sync: str,
        source: ObjectRef,
        etag: str,
        version_id: str | None,
        sequencer: Position | None,
        fence: int,
        fingerprint: str,
        engine: str,
        owner: ObjectRef | None = None,
    ) -> Self:
        """The lineage of what is made from ``source``."""
        return cls(
            sync=sync,
            source=_encoded(source),
            etag=etag,
            version_id=version_id,
            sequencer=sequencer.shortened() if sequencer else None,
            fence=fence,
            fingerprint=fingerprint,
            engine=release_of(engine),
            owner=_encoded(owner) if owner else None,
        )

    def is_of(self, sync: str, owner: ObjectRef) -> bool:
        """Whether the output belongs to that owner under that sync: a source object, or a table of many."""
        return self.sync == sync and _is_address_of(self.owner or self.source, owner)

    def is_made_of(self, source: ObjectRef) -> bool:
        """Whether the output was made of some version of this object."""
        return _is_address_of(self.source, source)

    def source_ref(self) -> ObjectRef:
        """The source object; raise InvalidReference where its key was too long to be carried."""
        return ObjectRef.parse(unquote(self.source))

    def owner_ref(self) -> ObjectRef | None:
        """The table that the output is, if it is one; raises what ``source_ref`` does."""
        return ObjectRef.parse(unquote(self.owner)) if self.owner else None

    def to_metadata(self) -> dict[str, str]:
        """S3 user metadata: ASCII alone, and with the count of rows within what S3 takes.

        What is too long in sum is shortened: the longer of source and table to its hash, then the other; then the
        version goes, which nothing compares. A sync's name of 64 letters that need 12 bytes each then still fits.
        """
        fields = {
            "sync": quote(self.sync),
            "source": self.source,
            "source-etag": self.etag,
            "source-version": self.version_id,
            "sequencer": self.sequencer and self.sequencer.value,
            "fence": str(self.fence),
            "fingerprint": self.fingerprint,
            "engine": self.engine,
            "table": self.owner,
        }
        metadata = {_PREFIX + name: value for name, value in fields.items() if value}
        return _shorten(metadata)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Read S3 user metadata back; None where it is not Millrace's."""
        stored = {name.removeprefix(_PREFIX): value for name, value in metadata.items() if name.startswith(_PREFIX)}
        try:
            sequencer = stored.get("sequencer")
            return cls(
                sync=unquote(stored["sync"]),
                source=stored["source"],
                etag=stored["source-etag"],
                version_id=stored.get("source-version"),
                sequencer=Sequencer(sequencer) if sequencer else None,
                fence=int(stored["fence"]),
                fingerprint=stored["fingerprint"],
                engine=stored["engine"],
                owner=stored.get("table"),
            )
        except (KeyError, ValueError):
            return None

    def inside_file(self) -> dict[str, str]:
        """Key-value metadata for the file itself: only what the same source and configuration give again.

        Sequencer, fence and version id differ between two deliveries of the same bytes and would make outputs differ.
        """
        return {
            "millrace.sync": self.sync,
            "millrace.source": self.source,
            "millrace.source_etag": self.etag,
            "millrace.fingerprint": self.fingerprint,
            "millrace.engine": self.engine,
        }


def release_of(engine: str) -> str:
    """The version of an engine, without what it ran with: of `0.1.0+native`, which used the native kernel, `0.1.0`.

    Outputs are the same either way, so that nothing is stale, and no output says more, for the kernel's sake.
    """
    return engine.partition("+")[0]


def _encoded(source: ObjectRef) -> str:
    text = quote(str(source), safe="/:")
    return text if len(text) <= _LONGEST_SOURCE else _hashed(source)


def _hashed(source: ObjectRef) -> str:
    return _HASHED + hashlib.sha256(str(source).encode()).hexdigest()


def _is_address_of(text: str, ref: ObjectRef) -> bool:
    """Whether a text of metadata names an object, by its address or by the hash of that."""
    return text in {_encoded(ref), _hashed(ref)}


def _hash_encoded(text: str) -> str:
    """The hash of an object's address by its encoded form, which may be a hash already."""
    return text if text.startswith(_HASHED) else _hashed(ObjectRef.parse(unquote(text)))


def _shorten(metadata: dict[str, str]) -> dict[str, str]:
    addresses = [name for name in (f"{_PREFIX}source", f"{_PREFIX}table") if name in metadata]
    # The longest first: often one hash is enough, and the other address can still be read.
    for name in sorted(addresses, key=lambda name: len(metadata[name]), reverse=True):
        if _is_too_long(metadata):
            metadata[name] = _hash_encoded(metadata[name])
    if _is_too_long(metadata):
        metadata.pop(f"{_PREFIX}source-version", None)
    return metadata


def _is_too_long(metadata: Mapping[str, str]) -> bool:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    return size + _ROOM_FOR_ROWS > _MOST_METADATA
