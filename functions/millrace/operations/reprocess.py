"""Put objects on the queue again because somebody asked: by key, by prefix or by the state the ledger has them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard, TypeVar

from millrace.config.connection import Connection
from millrace.config.layout import Folder
from millrace.errors import InvalidReference, MillraceError, UsageError
from millrace.ledger.entries import NEEDS_ATTENTION, State
from millrace.ledger.stores import LedgerIndex, LedgerStore
from millrace.objects.messages import Request
from millrace.objects.queue import RequestQueue
from millrace.objects.references import ChangeKind, ObjectChange, ObjectRef
from millrace.objects.store import ObjectStore, Stores
from millrace.operations.asked_runs import RunTickets
from millrace.operations.following import RunFollower
from millrace.operations.moved_tables import MovedTables
from millrace.operations.stale import StaleFinder, StaleReason
from millrace.planning.planner import ActiveSync, Planner
from millrace.planning.plans import AnyPlan, Ignored, Plan, SourceFile
from millrace.wording import join_names

_FIELDS = ("sync", "keys", "prefix", "state", "stale", "reset_schema", "dry_run", "run_id", "start_after")
_TYPES = (("prefix", str), ("reset_schema", bool), ("dry_run", bool), ("run_id", str), ("start_after", str))
_KIND_NAMES = {str: "text", bool: "true or false"}
_SELECTIONS = ("keys", "prefix", "state")
"""Fields that exclude each other."""
SCHEME = "s3://"
_EXAMPLES = 10
STOP_SECONDS = 20.0
"""What is left of an invocation when a long selection is cut, to be carried on by another call."""
_CUT_SECONDS = 10.0
"""What is left when even a portion is cut: enough to send what it holds and to remember where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprocess:
    """What to convert again: of one sync, the named keys, all below a prefix, or all in a state; else everything.

    ``stale``: of that only what would be another output now, for one of these reasons. ``reset_schema``: what is
    remembered of the tables' schemas is given up, and built anew of what is converted.
    """

    sync: str
    keys: tuple[str, ...] = ()
    prefix: str | None = None
    state: State | None = None
    stale: frozenset[StaleReason] = frozenset()
    reset_schema: bool = False
    dry_run: bool = False
    run_id: str | None = None
    start_after: str = ""

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Reprocess:
        """Read a manual invocation's event; raise UsageError with everything that is wrong with it."""
        problems = list(_find_problems(event))
        if problems:
            raise UsageError(
                "; ".join(problems) + '. Expected {"sync": "...", and at most one of "keys": [...], "prefix": "...", '
                '"state": "failed|waiting|in flight"; optionally "stale": ["configuration", "engine", "schema"] (true: '
                'all of them), "reset_schema": true, "dry_run": true}'
            )
        state = event.get("state")
        return cls(
            sync=event["sync"],
            keys=tuple(event.get("keys") or ()),
            prefix=event.get("prefix"),
            state=State(state) if state else None,
            stale=_parse_stale(event.get("stale")),
            reset_schema=bool(event.get("reset_schema")),
            dry_run=bool(event.get("dry_run")),
            run_id=event.get("run_id"),
            start_after=event.get("start_after") or "",
        )


def _parse_stale(value: object) -> frozenset[StaleReason]:
    if isinstance(value, list):
        return frozenset(map(StaleReason, value))
    return frozenset(StaleReason) if value else frozenset()


def _find_problems(event: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(event) - set(_FIELDS)):
        yield f"there is no field {join_names(unknown, before_last='or')}; accepted are {join_names(_FIELDS)}"
    if not _is_text(event.get("sync")):
        yield f"sync is {event.get('sync')!r}; expected the name of a sync"
    yield from _find_selection_problems(event)
    yield from _find_stale_problems(event)
    yield from _find_type_problems(event)


def _find_selection_problems(event: Mapping[str, Any]) -> Iterator[str]:
    chosen = [name for name in _SELECTIONS if event.get(name)]
    if len(chosen) > 1:
        yield f"{' and '.join(chosen)} were given together"
    keys = event.get("keys")
    if keys is not None and not _is_list_of_text(keys):
        yield f"keys is {keys!r}; expected a list of keys"
    state = event.get("state")
    if state and not _needs_attention(state):
        accepted = join_names(sorted(NEEDS_ATTENTION), before_last="or")
        yield f"state is {state!r}; expected {accepted} (for others name a prefix)"


def _find_stale_problems(event: Mapping[str, Any]) -> Iterator[str]:
    stale = event.get("stale")
    if stale is None or stale is False:
        return
    if stale is not True and not _is_list_of_reasons(stale):
        accepted = join_names(StaleReason, before_last="or")
        yield f"stale is {stale!r}; expected true, or a list of {accepted}"
    for name in ("keys", "state"):
        if event.get(name):
            yield f"stale and {name} were given together; stale goes with a prefix, or alone"


def _find_type_problems(event: Mapping[str, Any]) -> Iterator[str]:
    for name, kind in _TYPES:
        value = event.get(name)
        if value is not None and not isinstance(value, kind):
            yield f"{name} is {value!r}; expected {_KIND_NAMES[kind]}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _needs_attention(state: object) -> bool:
    return isinstance(state, str) and state in NEEDS_ATTENTION


def _is_list_of_text(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_list_of_reasons(value: object) -> TypeGuard[list[str]]:
    return _is_list_of_text(value) and value != [] and set(value) <= set(StaleReason)


def never_ends() -> float:
    """The seconds that are left outside of Lambda, where no invocation ends."""
    return float("inf")


Item = TypeVar("Item")


def take_portion(items: Iterable[Item], size: int, remaining: Callable[[], float]) -> list[Item]:
    """The next ``size`` items; fewer if time runs short, at least one if there is one.

    The clock is looked at for each: however long the source of the items takes, what was taken is worked on.
    """
    portion = []
    for item in items:
        portion.append(item)
        if len(portion) == size or remaining() < _CUT_SECONDS:
            break
    return portion


@dataclass(slots=True)
class Tally:
    """What a reprocess has done so far."""

    selected: int = 0
    sent: int = 0
    ignored: int = 0
    out_of_scope: int = 0
    not_stale: int = 0
    stale: Counter[StaleReason] = field(default_factory=Counter)
    last_key: str = ""
    examples: list[str] = field(default_factory=list)

    def add_selected(self, ref: ObjectRef) -> None:
        """Count an object that is asked for; the first few are kept as examples."""
        self.selected += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(str(ref))


@dataclass(frozen=True, slots=True)
class _Following:
    """Whether a call's run is followed; ``trouble`` is why it is not. That is said in the answer, and is no error.

    For example, the bus is out of reach: the requests are sent by then, and whoever asked would ask once more.
    """

    follower: RunFollower | None = None
    tickets: RunTickets | None = None
    trouble: str | None = None

    def with_tickets(self, requests: list[Request]) -> list[Request]:
        """The requests of a portion, as they are to be sent."""
        return requests if self.tickets is None else self.tickets.give(requests)

    def end(self, *, reached: str, complete: bool) -> dict[str, Any]:
        """Keep what the call has asked for; what is to be added to its answer."""
        trouble = self.trouble
        if self.follower is not None and self.tickets is not None:
            try:
                self.follower.end_call(self.tickets, reached=reached, is_asked=complete)
            except MillraceError as error:
                trouble = str(error)
        return {} if trouble is None else {"untold": trouble}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprocessor:
    """Selects, and puts on the queue. ``queues`` holds each source connection's queue, which gets a portion at once."""

    planner: Planner
    stores: Stores | Mapping[str, ObjectStore]
    index: LedgerIndex
    ledger: LedgerStore
    queues: Mapping[str, RequestQueue]
    now: Callable[[], datetime]
    engine: str
    deployment: int = 0
    portion: int = 1000
    follower: RunFollower | None = None

    def run(self, wish: Reprocess, remaining: Callable[[], float] = never_ends) -> dict[str, Any]:
        """Put what ``wish`` names on the queue; counts and the run's id.

        Where the time runs short first, ``complete`` is false, and the same call with the answer's ``run_id`` and
        ``start_after`` carries on. Raises UsageError for a sync that is not there or not active.
        """
        sync = self.planner.active_sync(wish.sync)
        run_id = wish.run_id or f"{self.now():%Y%m%dT%H%M%S%fZ}"
        tally, complete = Tally(), True
        following = self._follow(wish, run_id)
        selected = self._select_requests(sync, wish, run_id, tally)
        while portion := take_portion(selected, self.portion, remaining):
            if not wish.dry_run:
                requests = [request for _, request in portion if request is not None]
                tally.sent += self.queues[sync.source_connection].send(following.with_tickets(requests))
            tally.last_key = portion[-1][0].key
            # Looked at after the first portion is sent, so that every call gets on.
            if remaining() < STOP_SECONDS:
                complete = False
                break
        told = following.end(reached=tally.last_key, complete=complete)
        return _answer(wish, run_id, tally, complete=complete) | told

    def _follow(self, wish: Reprocess, run_id: str) -> _Following:
        if self.follower is None or wish.dry_run:
            return _Following()
        try:
            return _Following(self.follower, self.follower.begin_call(wish.sync, run_id, wish.start_after))
        except MillraceError as error:
            return _Following(trouble=str(error))

    def _select_requests(
        self, sync: ActiveSync, wish: Reprocess, run_id: str, tally: Tally
    ) -> Iterator[tuple[ObjectRef, Request | None]]:
        """Each object and its request; for the files of a model that is one table, the first asks for all."""
        folders: set[ObjectRef] = set()
        moved = MovedTables(planner=self.planner, ledger=self.ledger, store=self.stores[sync.source_connection])
        for ref, is_wanted in self._select_objects(sync, wish, tally):
            if not is_wanted:
                yield ref, None
                continue
            plan = next(iter(self.planner.plan(ref, only=sync.name)), None)
            subject = _find_subject(plan, ref, tally)
            if subject is None or subject in folders:
                yield ref, None
                continue
            # A model's table is made of all of its files: one request for all of them.
            if isinstance(plan, SourceFile):
                folders.add(subject)
            request = Request(
                change=ObjectChange(kind=ChangeKind.CREATED, ref=subject),
                sync=sync.name,
                run_id=run_id,
                reset_schema=wish.reset_schema,
                decides_format=self._decides_format(wish, plan, sync, moved),
                deployment=self.deployment,
            )
            yield ref, request

    def _decides_format(self, wish: Reprocess, plan: AnyPlan | None, sync: ActiveSync, moved: MovedTables) -> bool:
        """Whether the run may give a file's table another format: all of it is asked for, and has moved."""
        return isinstance(plan, Plan) and asks_for_whole_table(wish, plan, sync.folder) and moved.has_moved(plan)

    def _select_objects(self, sync: ActiveSync, wish: Reprocess, tally: Tally) -> Iterator[tuple[ObjectRef, bool]]:
        """Each object that was looked at, and whether it is to be converted again."""
        if wish.stale:
            yield from self._find_stale(sync, wish, tally)
            return
        source = self.planner.document.connection(sync.source_connection)
        if wish.keys:
            for key in wish.keys:
                yield _parse_reference(key, source), True
        elif wish.state is not None:
            # The index is by state, over all syncs.
            for entry in self.index.needing_attention(wish.state):
                if entry.sync == sync.name:
                    yield entry.source, True
        else:
            for ref in self._list_objects(sync, wish):
                yield ref, True

    def _find_stale(self, sync: ActiveSync, wish: Reprocess, tally: Tally) -> Iterator[tuple[ObjectRef, bool]]:
        """Every entry below the prefix, so that a long look can be cut between any two."""
        finder = StaleFinder(planner=self.planner, index=self.index, ledger=self.ledger, engine=self.engine)
        prefix = resolve_prefix(wish.prefix or "", sync.folder)
        for examined in finder.examine(sync.name, wish.stale, prefix=prefix, start_after=wish.start_after):
            tally.stale.update(examined.reasons)
            tally.not_stale += not examined.is_stale
            yield examined.entry.source, examined.is_stale

    def _list_objects(self, sync: ActiveSync, wish: Reprocess) -> Iterator[ObjectRef]:
        """All below the prefix."""
        folder = sync.folder
        prefix = resolve_prefix(wish.prefix or "", folder)
        store = self.stores[sync.source_connection]
        for listed in store.list(folder.bucket, prefix, start_after=wish.start_after):
            yield listed.ref


def resolve_prefix(prefix: str, folder: Folder) -> str:
    """A prefix from the bucket's root, as it is listed; within ``s3://b/in/`` all of these are ``in/eu/``.

    ``in/eu/`` counts from the bucket's root, ``eu/`` from the sync's folder, ``s3://b/in/eu/`` is an address.
    A prefix of the folder's own, such as ``s3://b/``, names all of the folder. Raises: UsageError for an address
    elsewhere.
    """
    if not prefix.startswith(SCHEME):
        return prefix if prefix.startswith(folder.prefix) else folder.prefix + prefix
    bucket, _, path = prefix.removeprefix(SCHEME).partition("/")
    is_within = path.startswith(folder.prefix) or folder.prefix.startswith(path)
    if bucket != folder.bucket or not is_within:
        raise UsageError(f"prefix {prefix!r} is not in the sync's folder, {folder}")
    # With the folder in/: s3://b/in/eu/ is within it, and is meant; s3://b/ is above it, so that all of it is meant.
    return max(path, folder.prefix, key=len)


def asks_for_whole_table(wish: Reprocess, plan: Plan, folder: Folder) -> bool:
    """Whether all files of a file's table are asked for, which may have several formats.

    Of the table ``in/eu/`` those are ``in/eu/``, ``in/e`` and everything; not ``in/eu/2026``, and not what failed.
    """
    is_part = bool(wish.keys or wish.stale) or wish.state is not None
    if is_part or plan.format_prefix is None:
        return False
    return plan.format_prefix.startswith(resolve_prefix(wish.prefix or "", folder))


def _find_subject(plan: AnyPlan | None, ref: ObjectRef, tally: Tally) -> ObjectRef | None:
    """What to ask for: the object, or the folder that it is a source file of; None: nothing, and counted as such."""
    if plan is None:
        tally.out_of_scope += 1
        return None
    if isinstance(plan, Ignored):
        tally.ignored += 1
        return None
    tally.add_selected(ref)
    return plan.build.folder if isinstance(plan, SourceFile) else ref


def _parse_reference(key: str, source: Connection) -> ObjectRef:
    """A key as S3 shows it, whole; or ``s3://bucket/key``."""
    if not key.startswith(SCHEME):
        return ObjectRef(source.bucket, key)
    try:
        return ObjectRef.parse(key)
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
    if wish.stale:
        answer["not_stale"] = tally.not_stale
        answer["stale"] = {str(reason): tally.stale[reason] for reason in sorted(wish.stale)}
    return answer if complete else answer | {"start_after": tally.last_key}
