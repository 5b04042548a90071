"""Put objects on the queue again because somebody asked: by key, by prefix or by the state the ledger has them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from millrace.config.connection import Connection
from millrace.errors import InvalidReference, UsageError
from millrace.ledger.entries import NEEDS_ATTENTION, State
from millrace.ledger.stores import LedgerIndex
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import Ignored, SourceFile

_FIELDS = ("sync", "keys", "prefix", "state", "reset_schema", "dry_run", "run_id", "start_after")
_TYPES = (("prefix", str), ("reset_schema", bool), ("dry_run", bool), ("run_id", str), ("start_after", str))
_EXAMPLES = 10
_PORTION = 1000
STOP_SECONDS = 20.0
"""What is left of an invocation when a long selection is cut, to be carried on by another call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprocess:
    """What to convert again: of one sync, the named keys, all below a prefix, or all in a state; else everything.

    ``reset_schema``: what is remembered of the tables' schemas is given up, and built anew of what is converted.
    """

    sync: str
    keys: tuple[str, ...] = ()
    prefix: str | None = None
    state: State | None = None
    reset_schema: bool = False
    dry_run: bool = False
    run_id: str | None = None
    start_after: str = ""

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Reprocess:
        """Read a manual invocation's event; raise UsageError with everything that is wrong with it."""
        problems = list(_problems(event))
        if problems:
            raise UsageError(
                "; ".join(problems) + '. Expected {"sync": "...", and at most one of "keys": [...], "prefix": "...", '
                '"state": "failed|waiting|in flight"; optionally "reset_schema": true, "dry_run": true}'
            )
        return cls(
            sync=event["sync"],
            keys=tuple(event.get("keys") or ()),
            prefix=event.get("prefix"),
            state=State(event["state"]) if event.get("state") else None,
            reset_schema=bool(event.get("reset_schema")),
            dry_run=bool(event.get("dry_run")),
            run_id=event.get("run_id"),
            start_after=event.get("start_after") or "",
        )


def _problems(event: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(event) - set(_FIELDS)):
        yield f"unknown fields {unknown}; accepted are {list(_FIELDS)}"
    if not isinstance(event.get("sync"), str) or not event.get("sync"):
        yield f"sync is {event.get('sync')!r}; expected the name of a sync"
    if len(chosen := [name for name in ("keys", "prefix", "state") if event.get(name)]) > 1:
        yield f"{' and '.join(chosen)} were given together"
    keys = event.get("keys")
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) and key for key in keys)):
        yield f"keys is {keys!r}; expected a list of keys"
    accepted = sorted(NEEDS_ATTENTION)
    if event.get("state") and event["state"] not in accepted:
        yield f"state is {event['state']!r}; expected one of {accepted} (for others name a prefix)"
    for name, kind in _TYPES:
        if event.get(name) is not None and not isinstance(event[name], kind):
            yield f"{name} is {event[name]!r}; expected a {kind.__name__}"


@dataclass(slots=True)
class Tally:
    """What a reprocess has done so far."""

    selected: int = 0
    sent: int = 0
    ignored: int = 0
    out_of_scope: int = 0
    last_key: str = ""
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprocessor:
    """Selects, and puts on the queue. ``queues`` holds each source connection's queue."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: LedgerIndex
    queues: Mapping[str, RequestQueue]
    now: Callable[[], datetime]

    def run(self, wish: Reprocess, remaining: Callable[[], float] = lambda: float("inf")) -> dict[str, Any]:
        """Put what ``wish`` names on the queue; counts and the run's id.

        Where the time runs short first, ``complete`` is false, and the same call with the answer's ``run_id`` and
        ``start_after`` carries on. Raises UsageError for a sync that is not there or not active.
        """
        sync = self.planner.active_sync(wish.sync)
        run_id = wish.run_id or f"{self.now():%Y%m%dT%H%M%S%fZ}"
        tally, complete = Tally(), True
        requests = self._requests(sync, wish, run_id, tally)
        while portion := list(islice(requests, _PORTION)):
            if not wish.dry_run:
                tally.sent += self.queues[sync.source_connection].send(portion)
            tally.last_key = portion[-1].change.ref.key
            if remaining() < STOP_SECONDS:
                complete = len(portion) < _PORTION
                break
        return _answer(wish, run_id, tally, complete=complete)

    def _requests(self, sync: ActiveSync, wish: Reprocess, run_id: str, tally: Tally) -> Iterator[Request]:
        """One request an object; for the files of a model that is one table, one for all."""
        asked: set[ObjectRef] = set()
        for ref in self._selected(sync, wish):
            plan = next(iter(self.planner.plan(ref, only=sync.name)), None)
            if plan is None:
                tally.out_of_scope += 1
                continue
            if isinstance(plan, Ignored):
                tally.ignored += 1
                continue
            tally.selected += 1
            if len(tally.examples) < _EXAMPLES:
                tally.examples.append(str(ref))
            whole = plan.build.folder if isinstance(plan, SourceFile) else None
            if whole not in asked:
                asked.update([whole] if whole else [])
                change = ObjectChange(kind=ChangeKind.CREATED, ref=whole or ref)
                yield Request(change=change, sync=sync.name, run_id=run_id, reset_schema=wish.reset_schema)

    def _selected(self, sync: ActiveSync, wish: Reprocess) -> Iterator[ObjectRef]:
        source = self.planner.document.connection(sync.source_connection)
        if wish.keys:
            yield from (_reference(key, source) for key in wish.keys)
        elif wish.state is not None:
            yield from (entry.source for entry in self.index.needing_attention(wish.state) if entry.sync == sync.name)
        else:
            prefix, folder = wish.prefix or "", sync.folder
            below = prefix if prefix.startswith(folder.prefix) else folder.prefix + prefix
            listed = self.stores[source.name].list(folder.bucket, below, start_after=wish.start_after)
            yield from (found.ref for found in listed)


def _reference(key: str, source: Connection) -> ObjectRef:
    """A key as S3 shows it, whole; or ``s3://bucket/key``."""
    try:
        return ObjectRef.parse(key) if key.startswith("s3://") else ObjectRef(source.bucket, key)
    except InvalidReference as error:
        raise UsageError(str(error)) from error


def _answer(wish: Reprocess, run_id: str, tally: Tally, *, complete: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "run_id": run_id,
        "sync": wish.sync,
        "dry_run": wish.dry_run,
        "selected": tally.selected,
        "sent": tally.sent,
        "ignored": tally.ignored,
        "out_of_scope": tally.out_of_scope,
        "complete": complete,
        "examples": tally.examples,
    }
    return answer if complete else answer | {"start_after": tally.last_key}
