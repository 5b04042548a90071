"""What a big run reads: a table of sources, each a part of one file or a whole file of a folder, batch by batch.

Every phase sees the same versions. Of one file the order says which. The files of a folder are pinned by the part that
surveys them, and its survey says which versions it read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO, Protocol

from millrace.big_runs.documents import (
    FRAME,
    INFLATED,
    INFLATED_OBJECT,
    PARTS,
    RunDocuments,
    RunOrder,
    head_from_document,
    head_to_document,
    numbered,
)
from millrace.delivery.build_conversion import source_of_file
from millrace.delivery.build_files import PinnedFiles
from millrace.delivery.object_origin import origin_of
from millrace.engine.options import Compression, ReadOptions
from millrace.engine.parts.cutting import part_source
from millrace.engine.parts.documents import Document, get_document, get_integer, get_items, get_text
from millrace.engine.parts.frames import FileFrame, FilePart
from millrace.engine.table_sources import Source
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, ObjectStore
from millrace.planning.plans import Build, Plan


class RunSources(Protocol):
    """The sources of one part of a run, and the versions that were read of them."""

    @property
    def rows(self) -> int | None:
        """How many rows were counted in it before, bad ones among them; None if nobody has."""
        ...

    def open(self) -> AbstractContextManager[list[Source]]:
        """The sources, in the order of the table; they can be read until it is closed."""
        ...

    def pins(self) -> list[dict[str, Any]]:
        """What was read of each file, as a document: none of one file's part, whose version the order has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """What is read of a run's one file: the source object, or what it was inflated into, and how."""

    store: ObjectStore
    ref: ObjectRef
    head: ObjectHead
    read: ReadOptions
    is_inflated: bool = False

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file, seekable; raise ObjectChanged or ObjectGone if its version is no longer to be had."""
        with self.store.reopen(self.ref, self.head) as opened:
            yield opened.stream


def file_source(plan: Plan, order: RunOrder, documents: RunDocuments, store: ObjectStore) -> FileSource:
    """The file that all phases but the inflating one read."""
    document = documents.find(INFLATED)
    if document is None:
        return FileSource(store=store, ref=plan.source, head=head_of(order), read=plan.recipe.read)
    head = ObjectHead(
        etag=get_text(document, "etag"), size=get_integer(document, "size"), modified=head_of(order).modified
    )
    # A bomb was refused while it was inflated; what was no bomb may be packed more tightly here.
    work = replace(plan.recipe.read.work, unpacked_freely=get_integer(document, "text"))
    read = replace(plan.recipe.read, compression=Compression.ZSTD, work=work)
    ref = documents.place.at(INFLATED_OBJECT)
    return FileSource(store=documents.store, ref=ref, head=head, read=read, is_inflated=True)


@dataclass(frozen=True, slots=True)
class PartOfFile:
    """One part of the one file of a run."""

    plan: Plan
    head: ObjectHead
    source: FileSource
    frame: FileFrame
    part: FilePart
    rows: int | None

    @classmethod
    def read(cls, plan: Plan, order: RunOrder, documents: RunDocuments, store: ObjectStore, index: int) -> PartOfFile:
        """The part of a run's file, by the run's documents."""
        source = file_source(plan, order, documents, store)
        frame = FileFrame.from_document(get_document(documents.read(FRAME), "frame"), source.read)
        parts = get_items(documents.read(PARTS), "parts")
        part, rows = _to_part(parts[index]), None
        if index + 1 < len(parts):
            rows = _to_part(parts[index + 1]).row - part.row
        return cls(plan, head_of(order), source, frame, part, rows)

    @contextmanager
    def open(self) -> Iterator[list[Source]]:
        """The part alone; it has the file's own name, which errors of one file leave out."""
        source = part_source(None, self.source.open, self.frame, self.part)
        yield [replace(source, find_origin=partial(origin_of, self.plan.source, self.head))]

    def pins(self) -> list[dict[str, Any]]:
        """None: all parts read the version of the order."""
        return []


@dataclass(frozen=True, slots=True)
class FilesOfFolder:
    """A batch of the files of a folder; pinned when they are first opened, or as ``pinned`` has them."""

    build: Build
    files: tuple[ListedObject, ...]
    pinned: PinnedFiles
    rows: int | None = None

    @classmethod
    def read(
        cls, build: Build, documents: RunDocuments, store: ObjectStore, index: int, survey: Document | None
    ) -> FilesOfFolder:
        """The batch, by the run's documents; with a survey at the versions that it read."""
        pinned = PinnedFiles(store)
        for pin in get_items(survey, "pins") if survey is not None else ():
            ref, head = _pin_from_document(pin)
            pinned.heads[ref] = head
        return cls(build, read_files(documents, build, index), pinned)

    @contextmanager
    def open(self) -> Iterator[list[Source]]:
        """Each file as a source."""
        yield [source_of_file(self.build, file, self.pinned) for file in self.files]

    def pins(self) -> list[dict[str, Any]]:
        """The versions that were opened."""
        return [_pin_to_document(ref, head) for ref, head in self.pinned.heads.items()]

    def as_read(self) -> list[ListedObject]:
        """The files with what was read of them."""
        return list(map(self.pinned.as_read, self.files))


def _to_part(document: Any) -> FilePart:
    return FilePart.from_document(document)


def head_of(order: RunOrder) -> ObjectHead:
    """The version of a run's one object."""
    assert order.head is not None  # noqa: S101 - for the type checker: the order of an object has its version
    return order.head


def files_to_document(files: list[ListedObject]) -> dict[str, Any]:
    """A batch of a listing; all files are of one bucket."""
    return {"files": [[file.ref.key, file.etag, file.size, file.modified.isoformat()] for file in files]}


def read_files(documents: RunDocuments, build: Build, index: int) -> tuple[ListedObject, ...]:
    """A batch of a run's files."""
    rows: Any = get_items(documents.read(numbered("files", index)), "files")
    return tuple(_to_listed(build.folder.bucket, row) for row in rows)


def _to_listed(bucket: str, row: Any) -> ListedObject:
    key, etag, size, modified = row
    head = head_from_document({"etag": etag, "size": size, "modified": modified})
    return ListedObject(ObjectRef(bucket, key), head.etag, head.size, head.modified)


def _pin_to_document(ref: ObjectRef, head: ObjectHead) -> dict[str, Any]:
    return {"bucket": ref.bucket, "key": ref.key, **head_to_document(head)}


def _pin_from_document(pin: Any) -> tuple[ObjectRef, ObjectHead]:
    """A file and the version that was read of it."""
    fields: Mapping[str, Any] = pin
    return ObjectRef(str(fields["bucket"]), str(fields["key"])), head_from_document(fields)
