"""The first phases: where one file is cut, or which files of a folder make a part."""

from __future__ import annotations

from typing import Any

from millrace.big_runs.documents import FRAME, PARTS, RunOrder, numbered
from millrace.big_runs.events import Phase, PhaseOutcome
from millrace.big_runs.run_work import RunWork, gather, leave_result
from millrace.big_runs.sources import files_to_document, head_of, open_pinned, read_files
from millrace.engine.parts.cutting import plan_file, scan_range, split
from millrace.engine.parts.documents import get_document, get_integer
from millrace.engine.parts.frames import FileFrame, RangeScan
from millrace.objects.store import ListedObject
from millrace.planning.model_syncs import select_files
from millrace.planning.plans import Build, Plan

MOST_RUN_PARTS = 9_000
"""An upload has 10,000 parts; some of them are headers, footers and what is glued of two parts."""
_MOST_FILES = 500
"""Files of a folder that are one part: their versions are one document, and opening them takes half a minute."""


def divide(work: RunWork) -> PhaseOutcome:
    """Look at the head of a file, or list a folder; the maps over its ranges or parts come next.

    Raises: CannotBeCut and whatever the head is refused for.
    """
    if isinstance(work.plan, Build):
        return PhaseOutcome(Phase.SURVEY, _items(_list_files(work, work.plan)))
    frame = _plan_frame(work, work.plan)
    if frame.needs_scan:
        return PhaseOutcome(Phase.SCAN, _items(len(frame.ranges)))
    return divide_ranges(work)


def _plan_frame(work: RunWork, plan: Plan) -> FileFrame:
    document = work.documents.find(FRAME)
    if document is not None:
        return FileFrame.from_document(get_document(document, "frame"), plan.recipe.read)
    with open_pinned(work.source_store, plan.source, head_of(work.order)) as file:
        frame = plan_file(file, plan.recipe.source_format, plan.recipe.read, part_bytes=part_bytes_of(work.order))
    work.documents.write(FRAME, {"frame": frame.to_document()})
    return frame


def part_bytes_of(order: RunOrder) -> int:
    """How large parts are: as ordered, or so large that they are not too many."""
    return max(order.part_bytes, -(-order.size // MOST_RUN_PARTS))


def scan(work: RunWork, index: int) -> None:
    """Scan one range of a file, for both states that it may begin in."""

    def do() -> dict[str, Any]:
        plan, frame = _plan_of(work)
        with open_pinned(work.source_store, plan.source, head_of(work.order)) as file:
            return {"scan": scan_range(file, frame, index).to_document()}

    leave_result(work.documents, numbered("scan", index), do)


def divide_ranges(work: RunWork) -> PhaseOutcome:
    """Fold the scans of a file into its parts; the map of surveys comes next. Raises as ``gather``."""
    _, frame = _plan_of(work)
    scans = list[RangeScan]()
    if frame.needs_scan:
        results = gather(work.documents, [numbered("scan", index) for index in range(len(frame.ranges))])
        if results.missing:
            return PhaseOutcome(Phase.SCAN, results.missing)
        scans.extend(RangeScan.from_document(get_document(found, "scan")) for found in results.found)
    parts = split(frame, scans)
    documents = [part.to_document() for part in parts]
    work.documents.write(PARTS, {"count": len(parts), "parts": documents})
    return PhaseOutcome(Phase.SURVEY, _items(len(parts)))


def _plan_of(work: RunWork) -> tuple[Plan, FileFrame]:
    assert isinstance(work.plan, Plan)  # noqa: S101 - for the type checker: a folder has no ranges
    return work.plan, _plan_frame(work, work.plan)


def _items(count: int) -> tuple[int, ...]:
    return tuple(range(count))


def _list_files(work: RunWork, build: Build) -> int:
    """Write down the files of a folder in batches, as the listing comes; the number of batches.

    The folder may change meanwhile, and this phase be repeated, or run twice at once. So each batch begins behind the
    last key of the batch before as it was written down, by whoever was first: no file is in two batches, or in none.
    """
    document = work.documents.find(FRAME)
    if document is not None:
        return get_integer(document, "count")
    batches, after = 0, ""
    while (written := _write_batch(work, build, batches, after)) is not None:
        batches, after = batches + 1, written
    work.documents.write(FRAME, {"count": batches})
    return batches


def _write_batch(work: RunWork, build: Build, number: int, after: str) -> str | None:
    """The last key of a batch, which is written if it was not; None: there are no files behind ``after``."""
    path = numbered("files", number)
    if work.documents.find(path) is None:
        batch = _take_batch(work, build, after)
        if not batch:
            return None
        work.documents.write(path, files_to_document(batch))
    return read_files(work.documents, build, number)[-1].ref.key


def _take_batch(work: RunWork, build: Build, after: str) -> list[ListedObject]:
    """The next files, so many that neither their number nor their bytes are too many for a part."""
    most_files = max(_MOST_FILES, -(-work.order.files // MOST_RUN_PARTS))
    most_bytes = part_bytes_of(work.order)
    batch, size = list[ListedObject](), 0
    for item in work.source_store.list(build.folder.bucket, build.prefix, start_after=after):
        for file in select_files(build, [item]):
            if batch and (len(batch) >= most_files or size + file.size > most_bytes):
                return batch
            batch.append(file)
            size += file.size
    return batch
