"""What a big run keeps of itself: JSON documents below its home.

All but the round and the trouble are written once and never change.

::

    order.json                       what is to be done: written before the machine is started
    frame.json  files/00000.json     one file's frame, or a folder's files, batch by batch
    members/00000.json               an archive's members, batch by batch
    inflated/text.zst  inflated/00000.json   the text of a compressed file, in frames, and which object that is
    scan/00000.json  parts.json      the ranges of a file, and its parts
    survey/00000.json                what one part's columns are, and the versions of the files it read
    round.json                       how often all parts had to be converted, and what was learned
    table-0.json                     the joined survey of a round, and the schema of the table
    part/0/00000-0  part/0/00000.json   one part's outputs in a round, and what came of it
    assembly/…                       uploads that are being put together
    settled/00000.json               files of a folder whose entries are written
    trouble.json                     what a child raised last; written over by the next one
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from millrace.big_runs.events import RunPlace
from millrace.engine.parts.documents import SCHEMA, Document, from_bytes, to_bytes
from millrace.errors import LostRace, ObjectGone, TargetChanged, WriteConflict
from millrace.mappings import get_fields, leave_out_none
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.objects.store import ObjectHead, ObjectStore

A = TypeVar("A")
B = TypeVar("B")
_READERS = 16
"""Documents that are fetched side by side: one takes some 20 ms, and a run has up to 10,000 of a kind."""
_TRIES = 5
ORDER, FRAME, PARTS, ROUND = "order.json", "frame.json", "parts.json", "round.json"
TROUBLE = "trouble.json"
INFLATED, INFLATED_OBJECT = "inflated/00000.json", "inflated/text.zst"


@dataclass(frozen=True, slots=True)
class RunDocuments:
    """Reads and writes a run's documents. ``workers`` fetch many of them side by side."""

    store: ObjectStore
    place: RunPlace
    workers: int = _READERS

    def find(self, path: str) -> Document | None:
        """A document; None if there is none."""
        try:
            with self.store.open(self.place.at(path)) as opened:
                return from_bytes(opened.stream.read())
        except ObjectGone:
            return None

    def read(self, path: str) -> Document:
        """A document that must be there; raise LostRace if the run's objects are no more."""
        document = self.find(path)
        if document is None:
            raise LostRace(f"{self.place.at(path)} is no more: the run ended, or its objects expired")
        return document

    def write(self, path: str, document: dict[str, Any]) -> None:
        """Write a document once: if it is there, it stays, since a repeated phase makes the same."""
        with suppress(TargetChanged):
            self._put(path, document, None)

    def replace(self, path: str, document: dict[str, Any]) -> None:
        """Write a document over the one that is there."""
        for _ in range(_TRIES):
            head = self.store.head(self.place.at(path))
            with suppress(TargetChanged, WriteConflict):
                self._put(path, document, head.etag if head else None)
                return
        raise LostRace(f"{self.place.at(path)} is being written by others")

    def delete(self, path: str) -> None:
        """Delete a document that is there; to delete any would leave a mark in a bucket that keeps versions."""
        if self.find(path) is not None:
            self.store.delete(self.place.at(path))

    def _put(self, path: str, document: dict[str, Any], expected: str | None) -> None:
        upload = self.store.upload(self.place.at(path), {})
        try:
            upload.write(to_bytes({"schema": SCHEMA, **document}))
            upload.publish(expected=expected, rows=0)
        finally:
            upload.discard()

    def find_all(self, paths: Sequence[str]) -> Iterator[Document | None]:
        """Documents in the order of their paths, several fetched at a time."""
        yield from map_ordered(self.find, paths, workers=self.workers)

    def read_all(self, paths: Sequence[str]) -> Iterator[Document]:
        """As ``find_all``, of documents that must be there; raises as ``read``."""
        yield from map_ordered(self.read, paths, workers=self.workers)


def map_ordered(function: Callable[[A], B], items: Sequence[A], *, workers: int) -> Iterator[B]:
    """The results for items in their order; several are worked on at a time, a few of the results are in memory."""
    if workers <= 1:
        yield from map(function, items)
        return
    step = 4 * workers
    with ThreadPoolExecutor(workers, "big-run") as threads:
        for start in range(0, len(items), step):
            yield from threads.map(function, items[start : start + step])


def numbered(folder: str, index: int) -> str:
    """The path of a document among its like: ``survey/00017.json``."""
    return f"{folder}/{index:05}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a big run is to do: written once, before it begins.

    ``source`` is the object, or the folder of a model; ``head`` is the version of an object that all phases read, None
    for a folder, whose ``files`` are counted. ``size`` is in bytes. How it is read follows from the configuration:
    ``fingerprint`` and ``shape`` are of that which the run belongs to. ``now`` is the instant of relative filters and
    record timestamps. ``digest`` is what lineage says of a folder's version.
    """

    run: str
    sync: str
    source: ObjectRef
    fence: int
    fingerprint: str
    shape: str
    engine: str
    deployment: int
    now: datetime
    part_bytes: int
    head: ObjectHead | None = None
    digest: str | None = None
    files: int = 1
    size: int = 0
    run_id: str | None = None
    reset_schema: bool = False
    decides_format: bool = False

    @property
    def version(self) -> SourceVersion:
        """Which version of the source the run reads."""
        return self.head.version if self.head is not None else SourceVersion(etag=self.digest)

    def to_document(self) -> dict[str, Any]:
        """The order, for ``from_document``."""
        fields = get_fields(self, *_ORDER_FIELDS)
        fields |= {"source": str(self.source), "now": self.now.isoformat()}
        fields |= {"head": head_to_document(self.head) if self.head is not None else None}
        return leave_out_none(fields)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The order that gave the document."""
        fields: dict[str, Any] = {name: document.get(name) for name in _ORDER_FIELDS}
        fields |= {
            "source": ObjectRef.parse(str(document["source"])),
            "now": datetime.fromisoformat(str(document["now"])),
            "head": head_from_document(document["head"]) if "head" in document else None,
        }
        return cls(**fields)


_ORDER_FIELDS = (
    "run",
    "sync",
    "fence",
    "fingerprint",
    "shape",
    "engine",
    "deployment",
    "part_bytes",
    "digest",
    "files",
    "size",
    "run_id",
    "reset_schema",
    "decides_format",
)


def head_to_document(head: ObjectHead) -> dict[str, Any]:
    """What pins a version of an object; its metadata is not needed."""
    fields = {"etag": head.etag, "size": head.size, "modified": head.modified.isoformat()}
    return fields | leave_out_none({"version_id": head.version_id})


def head_from_document(document: Any) -> ObjectHead:
    """The head that gave the document."""
    return ObjectHead(
        etag=str(document["etag"]),
        size=int(document["size"]),
        modified=datetime.fromisoformat(str(document["modified"])),
        version_id=document.get("version_id"),
    )
