"""The events, one class each: what is said, and the JSON that says it.

Each has a name that EventBridge calls ``detail-type``, a short ``name`` that webhooks call ``type``, and the level of
``notify`` that asks for it. The id depends on what happened alone: an event that is sent twice has the same one.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, ClassVar

from millrace.config.notices import Notify
from millrace.ledger.schema_changes import FieldChangeKind

SCHEMA_VERSION = 1


class RunKind(enum.StrEnum):
    """What a run does."""

    REPROCESS = "reprocess"
    RECONCILE = "reconcile"
    MODEL = "model"
    BIG = "big"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventObject:
    """A source object, and the version of it that the event is about. ``size`` is in bytes."""

    bucket: str
    key: str
    version: str | None = None
    etag: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventOutput:
    """An output as it was published."""

    bucket: str
    key: str
    etag: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRows:
    """Rows read, which are those written, put aside and filtered."""

    read: int
    written: int
    quarantined: int
    filtered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventError:
    """Why something failed; ``branch`` is data, configuration or transient.

    ``row`` counts from 1 and ``byte`` from 0.
    """

    branch: str
    error: str
    message: str
    row: int | None = None
    byte: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event says. ``deployment`` is the deployment's name."""

    detail_type: ClassVar[str]
    name: ClassVar[str]
    level: ClassVar[Notify] = Notify.FAILURES

    id: str
    time: datetime
    deployment: str
    schema: int = SCHEMA_VERSION

    def to_detail(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is left out."""
        return _to_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncEvent(Event):
    """What is said of one sync."""

    sync: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent(SyncEvent):
    """What became of one object.

    ``table`` is the folder and name of the table that it is a file of. ``outputs`` are the first few, and
    ``outputs_left_out`` counts the others. ``repair`` is the command that has the object converted again.
    """

    object: EventObject
    rows: EventRows
    fence: int
    attempts: int
    table: str | None = None
    outputs: tuple[EventOutput, ...] = ()
    outputs_left_out: int = 0
    milliseconds: int | None = None
    schema_version: int | None = None
    run: str | None = None
    error: EventError | None = None
    repair: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectConverted(ObjectEvent):
    """An object was converted whole; of a file of a table that is replaced, the table has the outputs."""

    detail_type: ClassVar[str] = "Millrace Object Converted"
    name: ClassVar[str] = "object.converted"
    level: ClassVar[Notify] = Notify.OBJECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectQuarantined(ObjectEvent):
    """An object was converted, but for rows that cannot be read: they were put aside."""

    detail_type: ClassVar[str] = "Millrace Object Quarantined"
    name: ClassVar[str] = "object.quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFailed(ObjectEvent):
    """An object cannot be converted as it is, or not before somebody changes configuration or grants."""

    detail_type: ClassVar[str] = "Millrace Object Failed"
    name: ClassVar[str] = "object.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRemoved(ObjectEvent):
    """An object was deleted; ``outputs`` are those that are kept."""

    detail_type: ClassVar[str] = "Millrace Object Removed"
    name: ClassVar[str] = "object.removed"
    level: ClassVar[Notify] = Notify.OBJECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(SyncEvent):
    """A run: what a person or a schedule asked for, a model's build, or the conversion of one object in parts.

    ``trigger`` says what it began for. ``object`` is what a big run converts, or the folder that a table is made of.
    ``counts`` are objects by what became of them. ``bytes`` are those of outputs.
    """

    run: str
    kind: RunKind
    trigger: str | None = None
    object: EventObject | None = None
    counts: Mapping[str, int]
    rows: EventRows | None = None
    bytes: int | None = None
    seconds: float | None = None
    error: EventError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run has begun, or has been asked for."""

    detail_type: ClassVar[str] = "Millrace Run Started"
    name: ClassVar[str] = "run.started"
    level: ClassVar[Notify] = Notify.RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompleted(RunEvent):
    """A run has done all that it was to do."""

    detail_type: ClassVar[str] = "Millrace Run Completed"
    name: ClassVar[str] = "run.completed"
    level: ClassVar[Notify] = Notify.RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCompletedWithErrors(RunEvent):
    """A run has come to its end, and left something out: rows that were put aside, or objects that failed."""

    detail_type: ClassVar[str] = "Millrace Run Completed With Errors"
    name: ClassVar[str] = "run.completed_with_errors"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(RunEvent):
    """A run has come to its end without its output."""

    detail_type: ClassVar[str] = "Millrace Run Failed"
    name: ClassVar[str] = "run.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFieldChange:
    """A field that is new, or another than before.

    ``from_`` (``from`` in JSON) and ``to`` are its types, ``form`` is how values are written now, if that changed.
    """

    field: str
    kind: FieldChangeKind
    from_: str | None = None
    to: str
    form: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchemaChanged(SyncEvent):
    """A file has brought a table new fields or wider types; ``summary`` says which, in a sentence.

    ``changes`` are the first few, and ``changes_left_out`` counts the others.
    """

    detail_type: ClassVar[str] = "Millrace Table Schema Changed"
    name: ClassVar[str] = "table.schema_changed"
    level: ClassVar[Notify] = Notify.RUNS

    version: int
    changes: tuple[EventFieldChange, ...]
    changes_left_out: int = 0
    summary: str
    file: EventObject
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReplaced(SyncEvent):
    """A table that is one output was written again; ``source`` is the file or the folder that it is made of."""

    detail_type: ClassVar[str] = "Millrace Table Replaced"
    name: ClassVar[str] = "table.replaced"
    level: ClassVar[Notify] = Notify.RUNS

    table: str
    source: EventObject
    outputs: tuple[EventOutput, ...]
    outputs_left_out: int = 0
    rows: EventRows


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCaughtUp(SyncEvent):
    """A comparison found all of a sync done, for the first time since ``since``: nothing waits or is in flight.

    ``objects`` is how many it looked at. It is said once, however many comparisons find nothing to do after it.
    """

    detail_type: ClassVar[str] = "Millrace Sync Caught Up"
    name: ClassVar[str] = "sync.caught_up"
    level: ClassVar[Notify] = Notify.RUNS

    since: datetime
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitEvent(Event):
    """An event source; ``queue`` is the ARN of its queue."""

    queue: str
    sync: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOpened(CircuitEvent):
    """Configuration errors in a row paused an event source; ``resume`` says what to do."""

    detail_type: ClassVar[str] = "Millrace Circuit Opened"
    name: ClassVar[str] = "circuit.opened"

    since: datetime | None
    resume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitClosed(CircuitEvent):
    """Somebody has an event source received from again; ``reason`` is why it was paused."""

    detail_type: ClassVar[str] = "Millrace Circuit Closed"
    name: ClassVar[str] = "circuit.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Event):
    """A message is a dead letter: nobody could read it, or its work failed five times."""

    detail_type: ClassVar[str] = "Millrace Dead Letter"
    name: ClassVar[str] = "dead_letter"

    queue: str
    error: str
    reason: str
    sync: str | None = None
    key: str | None = None
    connection: str | None = None
    repair: str = "millrace dead-letters, then millrace redrive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaccounted(SyncEvent):
    """A comparison found objects whose notification should have come and did not; they are asked for by now."""

    detail_type: ClassVar[str] = "Millrace Unaccounted"
    name: ClassVar[str] = "unaccounted"

    count: int
    repair: str = "millrace doctor: is the bucket's notification in place?"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest(Event):
    """Somebody tries a webhook."""

    detail_type: ClassVar[str] = "Millrace Webhook Test"
    name: ClassVar[str] = "webhook.test"

    webhook: str


EVENTS: tuple[type[Event], ...] = (
    ObjectConverted,
    ObjectQuarantined,
    ObjectFailed,
    ObjectRemoved,
    RunStarted,
    RunCompleted,
    RunCompletedWithErrors,
    RunFailed,
    TableSchemaChanged,
    TableReplaced,
    SyncCaughtUp,
    CircuitOpened,
    CircuitClosed,
    DeadLetter,
    Unaccounted,
    WebhookTest,
)
"""All that are sent."""


def to_id(*parts: object) -> str:
    """An event's id: 32 hexadecimal digits that depend on what is said alone."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode(errors="backslashreplace")).hexdigest()[:32]


def name_in_json(name: str) -> str:
    """A field's name without the mark of one that is a word of Python: ``from`` for ``from_``."""
    return name.removesuffix("_")


def _to_plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Mapping():
            return dict(value)
        case tuple():
            return list(map(_to_plain, value))
        case enum.StrEnum():
            return str(value)
    return _to_fields(value) if is_dataclass(value) else value


def _to_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are known."""
    plain = {}
    for field in fields(value):
        inner = getattr(value, field.name)
        if inner is not None:
            plain[name_in_json(field.name)] = _to_plain(inner)
    return plain
