"""Each part becomes complete outputs of its own below the run's home, which nobody reads before they are joined."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

from millrace.big_runs.documents import numbered
from millrace.big_runs.run_work import RunWork, leave_result
from millrace.big_runs.surveying import KnownTable, Round, survey_path
from millrace.engine.destination import Converted, Destination
from millrace.engine.one_file import as_it_is
from millrace.engine.parts.converting import KnownColumns, convert_part
from millrace.engine.parts.documents import Document, get_document, get_items
from millrace.engine.row_counts import RowCounts
from millrace.engine.table_survey import TableSurvey
from millrace.engine.tables.rows import Table
from millrace.errors import LostRace, MiscountedRows, TargetChanged, WriteConflict
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead, ObjectStore, Published, Upload
from millrace.planning.plans import Plan

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateOutput:
    """What a part wrote into one output: the object, as it is, and its rows; ``directory`` is a partition's."""

    ref: ObjectRef
    etag: str
    size: int
    rows: int
    directory: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The output, for ``from_document``."""
        return {**asdict(self), "ref": str(self.ref)}

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """The output that gave the document."""
        return cls(**{**document, "ref": ObjectRef.parse(document["ref"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """What a part became: its rows, its outputs (one, or one a partition) and its bad rows."""

    rows: RowCounts
    outputs: tuple[PrivateOutput, ...]
    quarantine: PrivateOutput | None = None

    def to_document(self) -> dict[str, Any]:
        """The result, for ``from_document``."""
        return {
            "rows": asdict(self.rows),
            "outputs": [output.to_document() for output in self.outputs],
            "quarantine": self.quarantine.to_document() if self.quarantine is not None else None,
        }

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The result that gave the document."""
        rows: Any = document["rows"]
        quarantine = document["quarantine"]
        return cls(
            rows=RowCounts(**rows),
            outputs=tuple(map(PrivateOutput.from_document, get_items(document, "outputs"))),
            quarantine=PrivateOutput.from_document(quarantine) if quarantine is not None else None,
        )


def convert_one_part(work: RunWork, index: int) -> None:
    """Convert a part with the columns of the table, and leave its outputs and counts."""
    round_ = Round.read(work.documents)
    leave_result(work.documents, round_.path(index), partial(_convert, work, round_, index))


def _convert(work: RunWork, round_: Round, index: int) -> dict[str, Any]:
    survey_document = work.documents.read(survey_path(index))
    own = TableSurvey.from_document(get_document(survey_document, "survey"))
    table = KnownTable.from_document(work.documents.read(round_.table_path))
    within = _within(work, table, round_)
    known = KnownColumns(survey=table.survey.of(own), apart=round_.apart, formats=work.formats, within=within)
    puts_aside = work.plan.quarantine is not None
    outputs = _PartOutputs(work.target_store, partial(_private_ref, work, round_, index), puts_aside)
    part = work.sources(index, survey_document)
    with part.open() as sources:
        done = convert_part(sources, known, work.recipe, outputs.destination, work.context(index))
    try:
        _check_rows(done, part.rows, index)
        return outputs.publish(done).to_document()
    finally:
        done.discard()


def _within(work: RunWork, table: KnownTable, round_: Round) -> Callable[[Table], Table]:
    if table.schema is None or not isinstance(work.plan, Plan):
        return as_it_is
    return table.schema.fit(work.plan, round_.apart).table


def _check_rows(done: Converted[Upload], counted: int | None, index: int) -> None:
    """Hold a part's rows to those that were counted when the file was cut: the next part's first row says so."""
    if counted is not None and done.rows.read != counted:
        raise MiscountedRows(
            f"part {index + 1:,} had {counted:,} rows when the file was cut and {done.rows.read:,} when it was"
            " converted; nothing is published. This is a defect of Millrace: please report it with the file"
        )


def _private_ref(work: RunWork, round_: Round, index: int, name: str) -> ObjectRef:
    """Where a part's output lies: its extension says what it is to nobody, since no sync reads it."""
    return work.documents.place.at(numbered(f"part/{round_.number}", index).removesuffix(".json") + f"-{name}")


@dataclass(frozen=True, slots=True)
class _PartOutputs:
    """Opens a part's outputs and publishes them where only the run looks."""

    store: ObjectStore
    ref_of: Callable[[str], ObjectRef]
    puts_aside: bool

    @property
    def destination(self) -> Destination[Upload]:
        """Outputs are named when they are published: their numbers follow the order in which partitions came."""
        aside = partial(self._open, None, "quarantine")
        return Destination(open_output=self._open, open_quarantine=aside if self.puts_aside else None)

    def _open(self, directory: str | None, name: str = "") -> Upload:
        return self.store.upload(self.ref_of(name or _name_partition(directory)), {})

    def publish(self, done: Converted[Upload]) -> PartResult:
        """The outputs, whole; a child that is repeated makes the same, and finds them."""
        outputs = [
            self._publish(part.sink, _name_partition(part.directory), part.rows, part.directory) for part in done.parts
        ]
        quarantine = None
        if done.quarantine is not None:
            quarantine = self._publish(done.quarantine, "quarantine", done.rows.quarantined, None)
        return PartResult(rows=done.rows, outputs=tuple(outputs), quarantine=quarantine)

    def _publish(self, upload: Upload, name: str, rows: int, directory: str | None) -> PrivateOutput:
        ref = self.ref_of(name)
        published = publish_privately(self.store, upload, ref, rows=rows)
        return PrivateOutput(ref=ref, etag=published.etag, size=published.size, rows=rows, directory=directory)


def publish_privately(store: ObjectStore, upload: Upload, ref: ObjectRef, *, rows: int) -> Published:
    """Publish what only the run reads, unless an earlier try of the same child, or its double, did: that stays.

    Both have the same bytes, and not always the same ETag, which the first to end has written down::

        child      upload ─ publish, ETag 1 ─ result: ETag 1
        double     upload ───────────────────────────────── publish: it is there, with ETag 1

    If the double wrote over it, the object would have an ETag 2 with SSE-KMS, and nobody could read what the result
    names. The caller discards the upload.
    """
    for _ in range(_TRIES):
        with suppress(WriteConflict):
            try:
                return upload.publish(expected=None, rows=rows)
            except TargetChanged:
                head = store.head(ref)
            if head is not None:
                return _take_earlier(head, ref, rows)
    raise LostRace(f"{ref} is being written by a double of this child; it is tried again")


def _take_earlier(head: ObjectHead, ref: ObjectRef, rows: int) -> Published:
    # An object of several upload parts does not say how many rows it has.
    found = head.metadata.get("millrace-rows", str(rows))
    if found != str(rows):
        raise MiscountedRows(
            f"{ref} has {found} rows, and the same part has {rows:,} once more; nothing is published. This is a defect"
            " of Millrace: please report it with the file"
        )
    return Published(etag=head.etag, size=head.size)


def _name_partition(directory: str | None) -> str:
    """A short name for a partition's private output; the directory itself may be as long as a key."""
    if directory is None:
        return "rows"
    return hashlib.sha256(directory.encode()).hexdigest()[:32]
