"""The files of a folder whose table a run has made: their versions, their entries in the ledger, what changed since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from millrace.big_runs.documents import numbered
from millrace.big_runs.events import DONE, PhaseOutcome
from millrace.big_runs.run_work import RunWork, find_made_entry
from millrace.big_runs.sources import FilesOfFolder
from millrace.big_runs.surveying import survey_path
from millrace.delivery.build_files import FileRecord, trust_file
from millrace.delivery.builds import Builds
from millrace.engine.parts.documents import get_document
from millrace.errors import LostRace
from millrace.objects.store import ListedObject
from millrace.planning.model_syncs import digest_files
from millrace.planning.plans import Build

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FilesRead:
    """The files of a run's table as they were read, summed up: digest, the newest's time, number."""

    digest: str
    modified: datetime
    count: int


def sum_up_files(work: RunWork, build: Build) -> FilesRead:
    """The files that a run read; a batch of them is in memory at a time."""
    modified, count = _EPOCH, 0

    def count_files() -> Iterator[ListedObject]:
        nonlocal modified, count
        for file in _files_as_read(work, build):
            modified, count = max(modified, file.modified), count + 1
            yield file

    digest = digest_files(build, count_files())
    return FilesRead(digest, modified, count)


def _files_as_read(work: RunWork, build: Build) -> Iterator[ListedObject]:
    for index in range(work.parts):
        yield from _batch_as_read(work, build, index)


def _batch_as_read(work: RunWork, build: Build, index: int) -> list[ListedObject]:
    survey = work.documents.read(survey_path(index))
    return FilesOfFolder.read(build, work.documents, work.source_store, index, survey).as_read()


def settle_files(work: RunWork, index: int) -> None:
    """Write the entries of a batch of files: they are in the table."""
    build, path = _build_of(work), numbered("settled", index)
    entry = find_made_entry(work.order, work.ports)
    if entry is None or work.documents.find(path) is not None:
        return
    builds, written = _builds(work), dict[str, tuple[str, str]]()
    for file in _batch_as_read(work, build, index):
        if builds.settle_file(build, file, entry):
            written[file.ref.key] = trust_file(file, work.order.now)
    work.documents.write(path, {"files": written})


def finish_files(work: RunWork) -> PhaseOutcome:
    """Remember which files are written down, and ask for the next table if the folder has changed meanwhile."""
    build, entry = _build_of(work), find_made_entry(work.order, work.ports)
    if entry is None:
        return PhaseOutcome(DONE)
    builds, files = _builds(work), dict[str, tuple[str, str]]()
    for document in work.documents.read_all([numbered("settled", index) for index in range(work.parts)]):
        batch: Any = get_document(document, "files")
        files.update({key: (etag, modified) for key, (etag, modified) in batch.items()})
    record = FileRecord(fingerprint=build.fingerprint, run_id=work.order.run_id, files=files)
    record_etag = builds.records.write(build, record, builds.records.read(build))
    # If the race is lost, a file has asked for the next build since: its message does what is left.
    with suppress(LostRace):
        named = builds.name_record(build, entry, record_etag)
        builds.look_for_changes(build, named, str(named.version.etag))
    return PhaseOutcome(DONE)


def _build_of(work: RunWork) -> Build:
    assert isinstance(work.plan, Build)  # noqa: S101 - for the type checker: only a folder's table has files
    return work.plan


def _builds(work: RunWork) -> Builds:
    ports = work.ports
    return Builds(claims=ports.claims, stores=ports.stores, queues=ports.queues, timeout_seconds=ports.timeout_seconds)
