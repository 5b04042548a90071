"""Which settled work somebody asked to be told of. Light: it is asked of every object that is converted.

What is said is in ``entry_events``, which is loaded only if something is to be said.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from millrace.config.document import Document
from millrace.config.model_sync import ModelSync, ModelSyncMode
from millrace.config.notices import Notify
from millrace.ledger.entries import DONE, Branch, Entry, State, WorkEntry
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.objects.references import ObjectRef


class Topic(enum.Enum):
    """What an entry is about."""

    OBJECT = "an object"
    FILE = "a file of a table that a build makes"
    BUILD = "the build of a model's table"
    TABLE = "a table that is its newest file"


@dataclass(frozen=True, slots=True)
class Levels:
    """What each sync's ``notify`` asks for. ``folders`` are the models' whose files are made into one table."""

    by_sync: Mapping[str, Notify]
    folders: Mapping[str, ObjectRef]

    @classmethod
    def of(cls, document: Document) -> Self:
        """Those of a configuration's active syncs; of others nobody is told."""
        levels, folders = {}, {}
        for sync in document.active_syncs():
            levels[sync.name] = sync.notify
            if isinstance(sync, ModelSync) and _is_build(document, sync):
                folder = document.source_of(sync).folder
                folders[sync.name] = ObjectRef(folder.bucket, folder.prefix or "/")
        return cls(levels, folders)

    def of_sync(self, sync: str) -> Notify:
        """What a sync asks for."""
        return self.by_sync.get(sync, Notify.NONE)

    def to_topic(self, entry: WorkEntry) -> Topic:
        """What an entry is about."""
        if not isinstance(entry, Entry):
            return Topic.TABLE
        folder = self.folders.get(entry.sync)
        if folder is None:
            return Topic.OBJECT
        return Topic.BUILD if entry.source == folder else Topic.FILE

    def wants(self, entry: WorkEntry) -> bool:
        """Whether anything is to be said of settled work."""
        chosen = self.of_sync(entry.sync)
        return any(map(chosen.includes, list_levels(entry, self.to_topic(entry))))


def _is_build(document: Document, sync: ModelSync) -> bool:
    """Whether a sync makes one table of a folder's files; appended files are objects, each with an output."""
    return document.model(sync.model).key is None and sync.mode is not ModelSyncMode.APPEND


def list_levels(entry: WorkEntry, topic: Topic) -> Iterator[Notify]:
    """The levels of the events that settled work has; as many as ``entry_events`` makes."""
    if is_final_failure(entry):
        yield Notify.FAILURES
    else:
        yield from _OF_STATES.get(topic, {}).get(entry.state, ())
    if is_replaced_table(entry, topic) or has_changed_schema(entry) or is_run(entry):
        yield Notify.RUNS


_OF_STATES: Mapping[Topic, Mapping[State, tuple[Notify, ...]]] = {
    Topic.OBJECT: {
        State.CONVERTED: (Notify.OBJECTS,),
        State.QUARANTINED: (Notify.FAILURES,),
        State.REMOVED: (Notify.OBJECTS,),
    },
    Topic.BUILD: {State.CONVERTED: (Notify.RUNS,), State.QUARANTINED: (Notify.FAILURES,)},
}


def is_final_failure(entry: WorkEntry) -> bool:
    """Whether work failed, and not for a reason that passes; or nobody tries it again, as of a big run."""
    failure = entry.failure
    if entry.state is not State.FAILED or failure is None or not isinstance(entry, Entry):
        return False
    is_given_up = entry.run_in_parts is not None and entry.attempts >= MOST_ATTEMPTS
    return failure.branch is not Branch.TRANSIENT or is_given_up


def is_replaced_table(entry: WorkEntry, topic: Topic) -> bool:
    """Whether a table that is one output was written."""
    has_written = entry.announcement is not None and entry.announcement.has_written
    return topic in {Topic.TABLE, Topic.BUILD} and entry.state in DONE and has_written


def has_changed_schema(entry: WorkEntry) -> bool:
    """Whether the work brought its table other fields."""
    return isinstance(entry, Entry) and entry.state in DONE and entry.schema_changes is not None


def is_run(entry: WorkEntry) -> bool:
    """Whether it is the beginning or the end of a big run."""
    if not isinstance(entry, Entry):
        return False
    has_begun = entry.state is State.WAITING and entry.big_run is not None
    has_ended = entry.state in DONE and entry.announcement is not None and entry.announcement.run is not None
    return has_begun or has_ended
