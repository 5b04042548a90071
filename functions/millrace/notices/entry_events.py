"""The events of settled work: what its entry says, in words for others."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from millrace.ledger.entries import DONE, Entry, Failure, Output, State, WorkEntry
from millrace.ledger.schema_changes import FieldChange, SchemaChanges
from millrace.notices.events import (
    Event,
    EventError,
    EventFieldChange,
    EventObject,
    EventOutput,
    EventRows,
    ObjectConverted,
    ObjectEvent,
    ObjectFailed,
    ObjectQuarantined,
    ObjectRemoved,
    RunCompleted,
    RunCompletedWithErrors,
    RunEvent,
    RunFailed,
    RunKind,
    RunStarted,
    TableReplaced,
    TableSchemaChanged,
    to_id,
)
from millrace.notices.levels import Levels, Topic, has_changed_schema, is_final_failure, is_replaced_table, is_run
from millrace.objects.references import ObjectRef

MOST_OUTPUTS = 25
"""Of so many outputs at most an event tells: an event has 256 KB (Amazon EventBridge User Guide, "PutEvents"), and a
key of control characters takes 6 KB as JSON."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT_TRIGGER, _ASKED_TRIGGER = "a change at the source", "somebody asked for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryEvents:
    """Makes events for one deployment; ``find_table`` gives the table that an object is a file of, if it is one."""

    deployment: str
    levels: Levels
    find_table: Callable[[Entry], ObjectRef | None]

    def wanted(self, entry: WorkEntry) -> list[Event]:
        """The events of settled work that its sync asks for."""
        chosen = self.levels.of_sync(entry.sync)
        return [event for event in self.all(entry) if chosen.includes(event.level)]

    def all(self, entry: WorkEntry) -> Iterator[Event]:
        """All events of settled work."""
        topic = self.levels.to_topic(entry)
        if isinstance(entry, Entry):
            yield from self._of_state(entry, topic)
            if is_run(entry):
                yield self._run(entry, RunKind.BIG)
            if has_changed_schema(entry) and entry.schema_changes is not None:
                yield self._schema_changed(entry, entry.schema_changes)
        if is_replaced_table(entry, topic):
            yield self._table_replaced(entry)

    def _of_state(self, entry: Entry, topic: Topic) -> Iterator[Event]:
        if is_final_failure(entry):
            yield from self._failed(entry, topic)
        elif topic is Topic.BUILD and entry.state in DONE:
            yield self._run(entry, RunKind.MODEL)
        # The files of a build are told of as its table, but for one over which workers died.
        elif topic is Topic.OBJECT and entry.state in _OBJECT_EVENTS:
            yield self._object(_OBJECT_EVENTS[entry.state], entry)

    def _failed(self, entry: Entry, topic: Topic) -> Iterator[Event]:
        yield self._run(entry, RunKind.MODEL) if topic is Topic.BUILD else self._object(ObjectFailed, entry)
        if entry.run_in_parts is not None:
            yield self._run(entry, RunKind.BIG)

    def _object(self, kind: type[ObjectEvent], entry: Entry) -> ObjectEvent:
        table = self.find_table(entry)
        return kind(
            **self._common(kind, entry),
            table=None if table is None else str(table),
            object=_to_object(entry),
            outputs=_list_outputs(entry),
            outputs_left_out=_count_left_out(entry),
            rows=_to_rows(entry),
            milliseconds=entry.milliseconds,
            schema_version=entry.schema_version,
            fence=entry.fence,
            attempts=entry.attempts,
            run=entry.run_id,
            error=_to_error(entry.failure),
            repair=self._to_repair(entry) if entry.state in {State.FAILED, State.QUARANTINED} else None,
        )

    def _run(self, entry: Entry, run_kind: RunKind) -> RunEvent:
        kind = _find_run_event(entry)
        return kind(
            **self._common(kind, entry, run_kind),
            run=_name_run(entry),
            kind=run_kind,
            trigger=_EVENT_TRIGGER if entry.run_id is None else _ASKED_TRIGGER,
            object=_to_object(entry),
            counts={} if kind is RunStarted else {str(entry.state): 1},
            rows=None if kind is RunStarted else _to_rows(entry),
            bytes=None if kind is RunStarted else sum(output.size for output in entry.outputs),
            seconds=_to_seconds(entry),
            error=_to_error(entry.failure),
        )

    def _schema_changed(self, entry: Entry, changes: SchemaChanges) -> TableSchemaChanged:
        table = self.find_table(entry)
        return TableSchemaChanged(
            **self._common(TableSchemaChanged, entry),
            table=None if table is None else str(table),
            version=entry.schema_version or 0,
            changes=tuple(map(_to_field_change, changes.fields)),
            changes_left_out=changes.left_out,
            summary=changes.text,
            file=_to_object(entry),
        )

    def _table_replaced(self, entry: WorkEntry) -> TableReplaced:
        return TableReplaced(
            **self._common(TableReplaced, entry),
            table=str(entry.source),
            source=_to_object(entry),
            outputs=_list_outputs(entry),
            outputs_left_out=_count_left_out(entry),
            rows=_to_rows(entry),
        )

    def _to_repair(self, entry: Entry) -> str:
        """The command that has the object converted again, once its cause is mended; quoted for a shell."""
        key, sync = shlex.quote(entry.source.key), shlex.quote(entry.sync)
        return f"millrace reprocess --name={self.deployment} {sync} --key={key}"

    def _common(self, kind: type[Event], entry: WorkEntry, *more: object) -> dict[str, Any]:
        """The fields of all events. The id is of the sync, the object's version, the fence and the state."""
        version = entry.version
        said = (entry.stored_sync, entry.source, version.version_id, version.etag, entry.fence, entry.state, *more)
        return {
            "id": to_id(kind.name, self.deployment, *said),
            "time": entry.finished or _NEVER,
            "deployment": self.deployment,
            "sync": entry.sync,
        }


_OBJECT_EVENTS: dict[State, type[ObjectEvent]] = {
    State.CONVERTED: ObjectConverted,
    State.QUARANTINED: ObjectQuarantined,
    State.REMOVED: ObjectRemoved,
}


def _find_run_event(entry: Entry) -> type[RunEvent]:
    match entry.state:
        case State.CONVERTED:
            return RunCompleted
        case State.QUARANTINED:
            return RunCompletedWithErrors
        case State.FAILED:
            return RunFailed
        case _:
            return RunStarted


def _name_run(entry: Entry) -> str:
    """A big run's own name; else what a person asked for, or the build's number."""
    ended = entry.announcement.run if entry.announcement is not None else None
    return ended or entry.run_in_parts or entry.run_id or f"{entry.sync} {entry.fence}"


def _to_object(entry: WorkEntry) -> EventObject:
    version = entry.version
    return EventObject(
        bucket=entry.source.bucket,
        key=entry.source.key,
        version=version.version_id,
        etag=version.etag,
        size=version.size,
    )


def _list_outputs(entry: WorkEntry) -> tuple[EventOutput, ...]:
    return tuple(map(_to_output, entry.outputs[:MOST_OUTPUTS]))


def _to_output(output: Output) -> EventOutput:
    return EventOutput(
        bucket=output.ref.bucket, key=output.ref.key, etag=output.etag, rows=output.rows, bytes=output.size
    )


def _count_left_out(entry: WorkEntry) -> int:
    return max(0, len(entry.outputs) - MOST_OUTPUTS)


def _to_field_change(change: FieldChange) -> EventFieldChange:
    return EventFieldChange(
        field=change.field, kind=change.kind, from_=change.before, to=change.after, form=change.form
    )


def _to_rows(entry: WorkEntry) -> EventRows:
    rows = entry.rows
    return EventRows(read=rows.read, written=rows.written, quarantined=rows.quarantined, filtered=rows.filtered)


def _to_seconds(entry: Entry) -> float | None:
    milliseconds = entry.milliseconds
    return None if milliseconds is None else milliseconds / 1000


def _to_error(failure: Failure | None) -> EventError | None:
    if failure is None:
        return None
    return EventError(
        branch=str(failure.branch), error=failure.error, message=failure.message, row=failure.row, byte=failure.byte
    )
