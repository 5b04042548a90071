"""The first phases: where one file is cut, or which files of a folder, or members of an archive, make a part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO

from millrace.big_runs.archive_members import ArchiveSource, needs_unpacking, unpack_tar
from millrace.big_runs.converting import publish_privately
from millrace.big_runs.documents import FRAME, INFLATED, INFLATED_OBJECT, PARTS, RunOrder, numbered
from millrace.big_runs.events import Phase, PhaseOutcome
from millrace.big_runs.run_work import RunWork, gather, leave_result
from millrace.big_runs.sources import FileSource, files_to_document, read_files
from millrace.engine.options import FileFormat
from millrace.engine.parts.cutting import plan_file, scan_range, split
from millrace.engine.parts.documents import get_document, get_integer
from millrace.engine.parts.framed import FRAME_BYTES, inflate, needs_inflating
from millrace.engine.parts.frames import FileFrame, RangeScan
from millrace.objects.store import ListedObject
from millrace.planning.model_syncs import file_of, select_files
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
    if _is_to_be_inflated(work, work.plan):
        return PhaseOutcome(Phase.INFLATE, _items(1))
    if work.plan.file_of_members is not None:
        return PhaseOutcome(Phase.SURVEY, _items(_list_members(work, work.plan)))
    frame = _plan_frame(work, work.plan)
    if frame.needs_scan:
        return PhaseOutcome(Phase.SCAN, _items(len(frame.ranges)))
    return divide_ranges(work)


def _is_to_be_inflated(work: RunWork, plan: Plan) -> bool:
    """Whether the file's text can be read from its beginning alone, and was not inflated yet; raises as ``gather``."""
    if gather(work.documents, [INFLATED]).found:
        return False
    if plan.file_of_members is not None:
        return needs_unpacking(plan, work.file_source)
    with work.file_source.open() as file:
        return needs_inflating(file, plan.recipe.source_format, plan.recipe.read)


def inflate_file(work: RunWork) -> None:
    """Write the text of a compressed file into one object of frames, each of which can be read alone.

    One invocation must be enough for it: a gzip file of some 100 GB of text, or a bzip2 file of some 12.
    """
    upload = work.target_store.upload(work.documents.place.at(INFLATED_OBJECT), {})
    check = work.inflating_limit()

    def do() -> dict[str, Any]:
        order = work.order
        # So that there are several frames, however small the file is.
        frame_bytes = max(1, min(FRAME_BYTES, order.part_bytes, order.size // 2))
        with work.file_source.open() as file:
            text = _unpack(work, file, upload.write, on_bytes=check, frame_bytes=frame_bytes)
        published = publish_privately(work.target_store, upload, work.documents.place.at(INFLATED_OBJECT), rows=0)
        return {"etag": published.etag, "size": published.size, "text": text}

    try:
        leave_result(work.documents, INFLATED, do)
    finally:
        upload.discard()


def _unpack(
    work: RunWork,
    file: BinaryIO,
    write: Callable[[bytes], object],
    *,
    on_bytes: Callable[[int], object],
    frame_bytes: int,
) -> int:
    """Write a compressed file's text, or a compressed tar, as frames; give the number of its bytes."""
    read = work.plan.recipe.read
    if not work.has_whole_files:
        return inflate(file, read, write, on_bytes=on_bytes, frame_bytes=frame_bytes)
    return unpack_tar(file, write, on_bytes=on_bytes, frame_bytes=frame_bytes, workers=read.work.processors)


def _list_members(work: RunWork, plan: Plan) -> int:
    """Write down the members of an archive in batches; the number of batches. Raises what the archive is refused for.

    A repeated phase makes the same batches, of the version that the order pins.
    """
    document = work.documents.find(FRAME)
    if document is not None:
        return get_integer(document, "count")
    listed = ArchiveSource(plan, work.file_source).list_members(partial(_batch_bytes, work.order))
    for number, batch in enumerate(listed.batches):
        work.documents.write(numbered("members", number), {"members": [member.to_document() for member in batch]})
    count = len(listed.batches)
    work.documents.write(FRAME, {"count": count, "formats": sorted(listed.formats), "reason": listed.reason})
    return count


def _plan_frame(work: RunWork, plan: Plan) -> FileFrame:
    source = work.file_source
    document = work.documents.find(FRAME)
    if document is not None:
        return FileFrame.from_document(get_document(document, "frame"), source.read)
    frame = _plan_few_ranges(source, plan.recipe.source_format, _part_bytes_of_text(work))
    work.documents.write(FRAME, {"frame": frame.to_document()})
    return frame


def _plan_few_ranges(source: FileSource, file_format: FileFormat, part_bytes: int) -> FileFrame:
    """What the file's head says, with no more ranges than a run has parts.

    Ranges are of text, or of row groups as they are unpacked: of a file that is compressed nobody knows before how many
    bytes these are.
    """
    with source.open() as file:
        frame = plan_file(file, file_format, source.read, part_bytes=part_bytes)
        while len(frame.ranges) > MOST_RUN_PARTS:
            part_bytes *= 2
            frame = plan_file(file, file_format, source.read, part_bytes=part_bytes)
    return frame


def _part_bytes_of_text(work: RunWork) -> int:
    inflated = work.documents.find(INFLATED)
    size = work.order.size if inflated is None else get_integer(inflated, "text")
    return _part_bytes(work.order, size)


def _part_bytes(order: RunOrder, size: int) -> int:
    """How large parts are: as ordered, or so large that they are not too many."""
    return max(order.part_bytes, -(-size // MOST_RUN_PARTS))


def _batch_bytes(order: RunOrder, size: int) -> int:
    """How large batches of whole files are at most: only two neighbours together are more than that for certain.

    Worked example: of files of 60 bytes each and batches of 100, every file is a batch of its own.
    """
    return _part_bytes(order, 2 * size)


def scan(work: RunWork, index: int) -> None:
    """Scan one range of a file, for both states that it may begin in."""

    def do() -> dict[str, Any]:
        frame = _frame_of(work)
        with work.file_source.open() as file:
            return {"scan": scan_range(file, frame, index).to_document()}

    leave_result(work.documents, numbered("scan", index), do)


def divide_ranges(work: RunWork) -> PhaseOutcome:
    """Fold the scans of a file into its parts; the map of surveys comes next. Raises as ``gather``."""
    frame = _frame_of(work)
    scans = list[RangeScan]()
    if frame.needs_scan:
        results = gather(work.documents, [numbered("scan", index) for index in range(len(frame.ranges))])
        # A child that died left nothing: its range alone is scanned once more.
        if results.missing:
            return PhaseOutcome(Phase.SCAN, results.missing)
        scans.extend(RangeScan.from_document(get_document(found, "scan")) for found in results.found)
    parts = split(frame, scans)
    documents = [part.to_document() for part in parts]
    work.documents.write(PARTS, {"count": len(parts), "parts": documents})
    return PhaseOutcome(Phase.SURVEY, _items(len(parts)))


def _frame_of(work: RunWork) -> FileFrame:
    assert isinstance(work.plan, Plan)  # noqa: S101 - for the type checker: a folder has no ranges
    return _plan_frame(work, work.plan)


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
    batches, after, formats = 0, "", set[str]()
    while batch := _write_batch(work, build, batches, after):
        batches, after = batches + 1, batch[-1].ref.key
        formats |= {recognised.format for file in batch if (recognised := file_of(build, file.ref.key))}
    if not batches:
        # All files went since the run was started: their table is there and has no rows, so one part of none makes it.
        work.documents.write(numbered("files", 0), files_to_document([]))
        if read_files(work.documents, build, 0):
            return _list_files(work, build)
        batches = 1
    work.documents.write(FRAME, {"count": batches, "formats": sorted(formats)})
    return batches


def _write_batch(work: RunWork, build: Build, number: int, after: str) -> Sequence[ListedObject]:
    """The files of a batch, which is written if it was not; none: there are no files behind ``after``."""
    path = numbered("files", number)
    if work.documents.find(path) is None:
        batch = _take_batch(work, build, after)
        if not batch:
            return ()
        work.documents.write(path, files_to_document(batch))
    return read_files(work.documents, build, number)


def _take_batch(work: RunWork, build: Build, after: str) -> list[ListedObject]:
    """The next files, so many that neither their number nor their bytes are too many for a part."""
    # Rounded up: a million files are 9,000 parts of at most 112, unless 500 are allowed anyway; ten million need 1,112.
    most_files = max(_MOST_FILES, -(-work.order.files // MOST_RUN_PARTS))
    most_bytes = _batch_bytes(work.order, work.order.size)
    batch, size = list[ListedObject](), 0
    for item in work.source_store.list(build.folder.bucket, build.prefix, start_after=after):
        for file in select_files(build, [item]):
            if batch and (len(batch) >= most_files or size + file.size > most_bytes):
                return batch
            batch.append(file)
            size += file.size
    return batch
