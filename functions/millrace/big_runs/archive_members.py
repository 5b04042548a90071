"""An archive whose members are one table: batches of whole members are its parts, in the order of the members' names.

What a tar holds of a member is read from its place, which is written down once: to look for it, every part would walk
from header to header again. A zip lists its members at its end, and each part reads that list.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from millrace.big_runs.documents import RunDocuments, RunOrder, numbered
from millrace.big_runs.sources import FileSource, file_source, head_of
from millrace.delivery.object_origin import origin_of
from millrace.delivery.table_conversion import members_of, source_of_member
from millrace.engine.file_origin import FileOrigin
from millrace.engine.formats.streams.archive import (
    Archive,
    Limits,
    Member,
    is_compressed_tar,
    open_archive,
    open_unpacked_tar,
    recognise_member,
    unpacking_limit,
)
from millrace.engine.formats.streams.decompression import open_unpacked
from millrace.engine.options import FileFormat
from millrace.engine.parts.documents import get_items
from millrace.engine.parts.framed import find_text_frames, open_text, write_frames
from millrace.engine.parts.ranges import open_range
from millrace.engine.table_sources import Source
from millrace.errors import MalformedFile
from millrace.mappings import by_name
from millrace.objects.store import ObjectStore
from millrace.planning.plans import Plan

_MOST_MEMBERS = 500
"""Members that are one part: each of a tar is asked for by itself."""


@dataclass(frozen=True, slots=True)
class PlacedMember:
    """A member as it is written down: its name, its bytes, and where they are if the archive has them as they are."""

    name: str
    size: int
    place: tuple[int, int] | None

    def to_document(self) -> list[Any]:
        """The member, for ``from_document``."""
        return [self.name, self.size, self.place]

    @classmethod
    def from_document(cls, document: Any) -> PlacedMember:
        """The member that gave the document."""
        name, size, place = document
        return cls(str(name), int(size), (int(place[0]), int(place[1])) if place is not None else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMembers:
    """The members of a run's archive, batch by batch; ``reason`` says which others are ignored."""

    batches: tuple[tuple[PlacedMember, ...], ...]
    formats: frozenset[FileFormat]
    reason: str | None


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """The archive of a run: the object, or the tar that it was inflated into."""

    plan: Plan
    source: FileSource

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes without the compression of all of it."""
        with self.source.open() as file:
            yield open_text(file, find_text_frames(file, self.source.read.work)) if self.source.is_inflated else file

    def open_archive(self, file: BinaryIO) -> AbstractContextManager[Archive]:
        """Its members; raises as ``archive.open_archive``."""
        if self.source.is_inflated:
            return open_unpacked_tar(file, file_format=self.members_format)
        return open_archive(file, self.plan.source.key, file_format=self.members_format)

    @property
    def members_format(self) -> FileFormat | None:
        """The format of all members, or None."""
        assert self.plan.file_of_members is not None  # noqa: S101 - for the type checker: others have no members
        return self.plan.file_of_members.members_format

    def list_members(self, batch_bytes: Callable[[int], int]) -> ListedMembers:
        """All members that are read, in batches; ``batch_bytes`` gives about how large these are by the sum of all.

        Raises as ``open_archive`` and ``table_conversion.members_of``.
        """
        with self.open() as file, self.open_archive(file) as archive:
            formats = {source.format for source in members_of(self.plan, archive, FileOrigin())}
            most = batch_bytes(sum(member.size for member in archive.members))
            return ListedMembers(
                batches=tuple(_to_batches(archive.members, most)),
                formats=frozenset(formats),
                reason=archive.describe_ignored(),
            )


def _to_batches(members: tuple[Member, ...], most_bytes: int) -> Iterator[tuple[PlacedMember, ...]]:
    batch, size = list[PlacedMember](), 0
    for member in members:
        if batch and (len(batch) >= _MOST_MEMBERS or size + member.size > most_bytes):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(PlacedMember(member.name, member.size, member.place))
        size += member.size
    yield tuple(batch)


def needs_unpacking(plan: Plan, source: FileSource) -> bool:
    """Whether the members of an archive can be found only once its compression is undone."""
    with source.open() as file:
        return is_compressed_tar(file, plan.source.key)


def unpack_tar(
    source: BinaryIO,
    write: Callable[[bytes], object],
    *,
    on_bytes: Callable[[int], object],
    frame_bytes: int,
    workers: int | None,
    limits: Limits | None = None,
) -> int:
    """Write a compressed tar as frames that can be read from any place; give the number of its bytes.

    Raises ArchiveTooBig as one invocation does, and what ``on_bytes`` raises.
    """
    check_size = unpacking_limit(source.seek(0, io.SEEK_END), limits)

    def check(unpacked: int) -> None:
        check_size(unpacked)
        on_bytes(unpacked)

    return write_frames(open_unpacked(source), write, on_bytes=check, frame_bytes=frame_bytes, workers=workers)


@dataclass(frozen=True, slots=True)
class MembersOfArchive:
    """A batch of the members of a run's archive."""

    archive: ArchiveSource
    members: tuple[PlacedMember, ...]
    origin: FileOrigin
    rows: int | None = None

    @classmethod
    def read(
        cls, plan: Plan, order: RunOrder, documents: RunDocuments, store: ObjectStore, index: int
    ) -> MembersOfArchive:
        """The batch, by the run's documents."""
        archive = ArchiveSource(plan, file_source(plan, order, documents, store))
        listed = get_items(documents.read(numbered("members", index)), "members")
        return cls(archive, tuple(map(PlacedMember.from_document, listed)), origin_of(plan.source, head_of(order)))

    @contextmanager
    def open(self) -> Iterator[list[Source]]:
        """Each member as a source, while the archive is open."""
        with self.archive.open() as file:
            if all(member.place is not None for member in self.members):
                yield self._to_sources({}, file)
                return
            with self.archive.open_archive(file) as archive:
                yield self._to_sources(by_name(archive.members), file)

    def pins(self) -> list[dict[str, Any]]:
        """None: all parts read the version of the order."""
        return []

    def _to_sources(self, opened: Mapping[str, Member], file: BinaryIO) -> list[Source]:
        members = [opened.get(member.name) or self._to_member(member, file) for member in self.members]
        return [source_of_member(self.archive.plan, member, self.origin) for member in members]

    def _to_member(self, member: PlacedMember, file: BinaryIO) -> Member:
        known = recognise_member(member.name, self.archive.members_format)
        if known is None or member.place is None:
            raise MalformedFile(f"the archive has no member {member.name!r} any more: does somebody write to it?")
        return Member(member.name, known, member.size, partial(_open_place, file, *member.place))


@contextmanager
def _open_place(file: BinaryIO, start: int, end: int) -> Iterator[BinaryIO]:
    yield open_range(file, start, end)
