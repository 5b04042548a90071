"""The promises of the delivery protocol, asked of a world that has come to rest.

Each check gives the violations that it finds, in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millrace.engine.options import FileFormat
from millrace.errors import ForeignFormat
from millrace.ledger.entries import DONE, Branch, Entry, State, WorkEntry
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.objects.messages import Request, parse_message
from millrace.objects.references import ChangeKind, ObjectRef
from millrace.operations.backfills.board import BackfillState
from millrace.planning.targets import is_record
from tests.simulation.buckets import Version
from tests.simulation.faults import AT_CALLS, Fault
from tests.simulation.queue import QueuedMessage
from tests.simulation.renderings import Rendering, of_files, of_object, plan_of, run_of
from tests.simulation.setups import DIRECTORY, SYNC, TARGET_BUCKET, Setup, SetupKind, stem
from tests.simulation.sources import source
from tests.simulation.world import SimulatedWorld

LIVE_STATES = DONE | {State.FAILED, State.SUPERSEDED}
"""Where an object that is there may end."""
Held = dict[ObjectRef, bytes]


def violations(world: SimulatedWorld) -> list[str]:
    """Everything that is not as promised."""
    demanded = [violation for demand in world.demands for violation in demand(world)]
    if not world.has_promises:
        return [*_states(world), *demanded]
    return [
        *_states(world),
        *_rows(world),
        *_outputs(world),
        *_entries_match(world),
        *_whole_at_all_times(world),
        *_strangers(world),
        *_chains(world),
        *_backfills(world),
        *demanded,
    ]


def held(world: SimulatedWorld) -> Held:
    """All outputs that stand in the target."""
    live = outputs_in_place(world)
    return {ObjectRef(TARGET_BUCKET, key): live[key].data or b"" for key in live.keys() - world.strangers.keys()}


def outputs_in_place(world: SimulatedWorld) -> dict[str, Version]:
    """What stands in the target, but for what Millrace remembers there for itself."""
    live = world.target.live()
    return {key: version for key, version in live.items() if not is_record(ObjectRef(TARGET_BUCKET, key))}


def entry(world: SimulatedWorld, key: str, sync: str = SYNC) -> Entry | None:
    """What the ledger says."""
    return world.ledger.held.get(sync, source(key))


def _works(world: SimulatedWorld) -> Iterator[WorkEntry]:
    yield from (one for one in world.ledger.held.entries.values() if isinstance(one, WorkEntry))


# Promise 1: exactly one state


def _states(world: SimulatedWorld) -> Iterator[str]:
    live = world.source.live()
    for key in world.setup.keys:
        known = entry(world, key)
        if key in live:
            waits = _waits(world) or key in world.source.archived
            if not _is_ignored_by_right(world, known, live[key]):
                yield from _state_of_live(key, known, live[key], waits=waits)
            alone = world.setup.kind.is_per_object and not forgot(world)
            if alone and known is not None and known.state is State.SUPERSEDED:
                yield f"state: {key} is there and superseded by nothing ({known.reason})"
        elif known is not None and not _leaves_nothing(known) and not _was_given_up(known):
            yield f"state: {key} is not there, and its entry is {known.state}"
    for one in world.ledger.held.works():
        waits = _waits(world) or one.source.key in world.source.archived
        if one.state is State.IN_FLIGHT or (one.state is State.WAITING and not waits):
            yield f"state: {one.source} ({one.stored_sync}) is {one.state} at rest"


def _leaves_nothing(known: Entry) -> bool:
    """Whether nobody has to hear of a deletion; what was ignored has no output that it could leave."""
    return known.state is State.REMOVED or (known.state is State.IGNORED and not known.outputs)


def _waits(world: SimulatedWorld) -> bool:
    """Whether files wait by right: the run found one that cannot be converted, and is made again when it changes."""
    run = world.ledger.held.get(SYNC, source("in/"))
    if run is not None and _lacks_grant(run):
        return True
    if run is None or run.state is not State.FAILED or not run.settled:
        return False
    live = world.source.live()
    files = tuple((key, live[key].data or b"") for key in sorted(live))
    return _was_given_up(run) or of_files(_setup_of(world, run), files).outputs is None


def _lacks_grant(run: Entry) -> bool:
    """Whether a big run failed for an object that nobody may read: a person grants it and resumes the run."""
    return run.big_run is not None and run.failure is not None and run.failure.branch is Branch.CONFIGURATION


def _setup_of(world: SimulatedWorld, run: Entry) -> Setup:
    """The configuration that a run was last made under."""
    return next((one for one in world.setups if run_of(one).fingerprint == run.fingerprint), world.setup)


def _is_ignored_by_right(world: SimulatedWorld, known: Entry | None, version: Version) -> bool:
    """Whether none of an archive's or workbook's tables is wanted."""
    if known is None or known.state is not State.IGNORED or known.version.etag != version.etag:
        return False
    return _rendering(world, known.source.key, version.data or b"").outputs == {}


def _state_of_live(key: str, known: Entry | None, version: Version, *, waits: bool) -> Iterator[str]:
    if known is None:
        yield f"state: {key} is there, and the ledger does not know it"
        return
    if known.state not in LIVE_STATES and not (known.state is State.WAITING and waits):
        yield f"state: {key} is there, and its entry is {known.state} ({known.reason})"
    failure = known.failure
    if failure is not None and failure.branch is not Branch.DATA and not waits:
        yield f"state: {key} failed and nothing tries it again: {failure.error}: {failure.message}"
    etag = known.version.etag
    if etag != version.etag:
        yield f"state: {key} has ETag {version.etag[:6]}, its entry {etag and etag[:6]} ({known.state})"


# Rows


def _rows(world: SimulatedWorld) -> Iterator[str]:
    for one in _works(world):
        counted = one.rows.written + one.rows.quarantined + one.rows.filtered
        if one.rows.read != counted:
            yield f"rows: {one.source} ({one.stored_sync}): {one.rows.read} read, {counted} accounted for"


# Promise 2: whole, of one version, the newest


def _outputs(world: SimulatedWorld) -> Iterator[str]:
    match world.setup.kind:
        case SetupKind.MIXED:
            yield from _own_outputs(world)
            yield from _mixed(world)
        case SetupKind.SNAPSHOT:
            yield from _table(world)
        case SetupKind.RUN:
            yield from _run(world)
        case _:
            yield from _own_outputs(world)


def _own_outputs(world: SimulatedWorld) -> Iterator[str]:
    """Each object's outputs are those of its newest version. Of one that cannot be converted they stay as they were."""
    there = held(world)
    for key in world.setup.keys:
        mine = {ref: data for ref, data in there.items() if _is_of(world, ref, key)}
        current = world.source.current(key)
        if _was_given_up(entry(world, key)) or key in world.source.archived or _may_be_refused(world, key):
            continue
        wanted = _rendering(world, key, current.data or b"") if current else None
        if wanted is not None and wanted.outputs is not None:
            if forgot(world):
                mine = {ref: data for ref, data in mine.items() if ref in wanted.outputs}
            if mine != wanted.outputs:
                yield f"outputs: of {key} are {_told(mine)}; its newest version makes {_told(wanted.outputs)}"
        elif current is None and world.setup.removes and mine and not forgot(world):
            yield f"outputs: {key} is gone, and {_told(mine)} are still there"


def _decided_format(world: SimulatedWorld) -> FileFormat | None:
    """The format of the table of two formats, once it is decided."""
    known = world.ledger.held.get_format(SYNC, source(DIRECTORY.removesuffix("/")))
    return known.format if known is not None else None


def _has_format(world: SimulatedWorld, key: str) -> bool:
    """Whether a file has the format of its table, or may have any."""
    return world.setup.kind is not SetupKind.MIXED or plan_of(world.setup, key).recipe.source_format is _decided_format(
        world
    )


def _is_settled_output(world: SimulatedWorld, key: str, ref: ObjectRef) -> bool:
    known = entry(world, key)
    return known is not None and known.output(ref) is not None


def _is_decided_again(world: SimulatedWorld) -> bool:
    """Whether a run has decided the format again: what was converted before stays, and what was refused does, too."""
    return bool(world.wishes) or world.faults.happened(Fault.REPROCESSED)


def _is_refused(world: SimulatedWorld, key: str) -> bool:
    known = entry(world, key)
    return known is not None and known.failure is not None and known.failure.error == ForeignFormat.__name__


def _may_be_refused(world: SimulatedWorld, key: str) -> bool:
    """Whether a file is not one of its table."""
    return not _has_format(world, key) or (_is_decided_again(world) and _is_refused(world, key))


def _mixed(world: SimulatedWorld) -> Iterator[str]:
    """One file's format is the table's: others are refused, and nothing of them is visible that never settled."""
    if forgot(world) or _is_decided_again(world):
        return
    there, decided = held(world), _decided_format(world)
    for key in world.setup.keys:
        known = entry(world, key)
        if _has_format(world, key):
            if _is_refused(world, key):
                yield f"format: {key} is refused, and the table is {decided}"
            continue
        if known is not None and known.state in DONE:
            yield f"format: {key} is {known.state}, and the table is {decided}"
        mine = {ref: data for ref, data in there.items() if _is_of(world, ref, key)}
        if mine:
            yield f"format: {_told(mine)} are visible, and the table is {decided}"


_GIVEN_UP = frozenset({"TooBig", "Crashed", "ObjectDenied"})
"""What a slow answer left too little time for is taken for more than one invocation can do, and stays so. So does what
three workers died over, whatever killed them, and what was
denied thrice stays so until somebody asks for it."""


def _was_given_up(known: WorkEntry | None) -> bool:
    return known is not None and known.failure is not None and known.failure.error in _GIVEN_UP


def unseen(world: SimulatedWorld) -> bool:
    """Whether a file may have been written anew with the bytes that it had, untold: no listing shows that."""
    of_table = world.setup.kind in {SetupKind.SNAPSHOT, SetupKind.RUN}
    return of_table and world.faults.happened(*_UNTOLD) and world.faults.happened(Fault.SAME_BYTES_AGAIN)


def gave_up(world: SimulatedWorld) -> bool:
    """Whether something was too slow: asked again without faults, it succeeds."""
    return any(_was_given_up(one) for one in _works(world))


def left_open(world: SimulatedWorld) -> bool:
    """Whether a second round may mend what the first could not know of."""
    is_empty_run = world.setup.kind is SetupKind.RUN and not world.source.live()
    # Of an empty folder a reprocess finds nothing to ask for: the next event brings it under the new configuration.
    is_outdated = is_empty_run and len(world.setups) > 1
    return gave_up(world) or unseen(world) or forgot(world) or bool(world.source.archived) or is_outdated


def forgot(world: SimulatedWorld) -> bool:
    """Whether the ledger lost entries: then outputs that only they knew stay, until the ledger is rebuilt from them."""
    return world.faults.happened(Fault.LEDGER_GONE, Fault.LEDGER_RESTORED)


def _is_of(world: SimulatedWorld, ref: ObjectRef, key: str) -> bool:
    """Whether an output's place is that of a source: ``lake/a...`` or ``lake/moved/_quarantine/orders/a...``."""
    path = ref.key.removeprefix("lake/").removeprefix("moved/").removeprefix("_quarantine/")
    if world.setup.kind.is_of_table:
        path = path.removeprefix("orders/")
    return path.startswith((f"{stem(key)}.", f"{stem(key)}/"))


def _rendering(world: SimulatedWorld, key: str, data: bytes) -> Rendering:
    """Under the configuration that the entry was last worked on with."""
    known = entry(world, key)
    for setup in world.setups:
        if known is not None and plan_of(setup, key).fingerprint == known.fingerprint:
            return of_object(setup, key, data)
    return of_object(world.setup, key, data)


def _table(world: SimulatedWorld) -> Iterator[str]:
    """A snapshot table is its newest file, or one that was newer and is deleted."""
    there = held(world)
    tables = _without_quarantine(there)
    known = world.ledger.held.get_table(SYNC, source("in/orders"))
    if known is not None and not known.settled:
        return  # begun under one configuration and killed under another, of a file that is gone by now
    if len(tables) > 1 and not forgot(world):
        yield f"outputs: more than one table: {_told(there)}"
    made_of = [key for key in world.setup.keys if (known_file := entry(world, key)) and known_file.state in DONE]
    if len(made_of) > 1 and not forgot(world):
        yield f"state: the table is made of one file, and {made_of} say that it is made of them"
    newest = max(((one.modified, key) for key, one in world.source.live().items()), default=None)
    if newest is None:
        return
    key = newest[1]
    if world.source.archived or _was_given_up(entry(world, key)):
        return
    accepted = [_rendering(world, key, world.source.live()[key].data or b"").outputs]
    if accepted[0] is None:
        return
    for other, versions in world.sources.history.items():
        current = world.source.current(other)
        for version in versions:
            if version.data is None or (version.modified, other) <= newest:
                continue
            last = current.data if current is not None else version.data
            accepted += [of_object(setup, other, last or b"").outputs for setup in world.setups]
            accepted += [{}] if world.setup.removes and current is None else []
    if unseen(world):
        return
    for wanted in (_without_quarantine(one) for one in accepted if one is not None):
        # Without the ledger, what stands in another place is nobody's: at the place of the table that is looked for.
        places = (wanted or accepted[0]) if forgot(world) else tables
        if wanted == {ref: data for ref, data in tables.items() if ref in places}:
            return
    yield f"outputs: the table is {_told(tables)}; its newest file is {key}: {_told(accepted[0])}"


def _without_quarantine(outputs: Held) -> Held:
    return {ref: data for ref, data in outputs.items() if "_quarantine" not in ref.key}


def _run(world: SimulatedWorld) -> Iterator[str]:
    """A run's table is made of all files that there are."""
    there, live = held(world), world.source.live()
    known = world.ledger.held.get(SYNC, source("in/"))
    if known is None:
        if (there or live) and not forgot(world) and not gave_up(world):
            yield f"outputs: {_told(there)} without a run over {sorted(live)}"
        return
    wanted = of_files(_setup_of(world, known), tuple((key, live[key].data or b"") for key in sorted(live)))
    if _was_given_up(known) or _lacks_grant(known) or unseen(world) or (not live and not any(there.values())):
        return  # a table of no files is empty, or was never made
    if wanted.outputs is not None and there != wanted.outputs:
        yield f"outputs: the table is {_told(there)}; the files make {_told(wanted.outputs)}"


_LEFT_OPEN = frozenset({State.FAILED, State.SUPERSEDED, State.REMOVED, State.IN_FLIGHT, State.WAITING})
"""States in which what stands may be newer than the entry's outputs: published by work that was killed before it
settled, on a version that is gone by now."""


def _entries_match(world: SimulatedWorld) -> Iterator[str]:
    """What the ledger says stands in the target, stands there, with that ETag, and nothing else does."""
    live, named = outputs_in_place(world), set()
    for one in _works(world):
        for output in one.outputs:
            named.add(output.ref.key)
            there = live.get(output.ref.key)
            if one.state in _LEFT_OPEN or forgot(world):
                continue
            if there is None or there.etag != output.etag:
                what = "is not there" if there is None else "has another ETag"
                yield f"ledger: {one.source} ({one.stored_sync}) has output {output.ref}, which {what}"
        named |= {output.ref.key for output in one.obsolete}
        if one.obsolete and one.state not in _LEFT_OPEN:
            told = ", ".join(str(old.ref) for old in one.obsolete)
            yield f"ledger: {one.source} ({one.stored_sync}) still has obsolete outputs {told}"
    for key in sorted(live.keys() - named - world.strangers.keys()) if not forgot(world) else ():
        yield f"ledger: output {key} is nobody's"


def _strangers(world: SimulatedWorld) -> Iterator[str]:
    """What strangers put into the target stays as it is."""
    live = world.target.live()
    for key, data in world.strangers.items():
        there = live.get(key)
        if there is None or there.data != data:
            yield f"stranger: {key} is not as its owner left it"


def _chains(world: SimulatedWorld) -> Iterator[str]:
    """No message of the function leads to its next, again and again: Lambda would end that."""
    for message in (last for queue in world.queues() for last in queue.chained):
        yield f"chain: {message.id} is the last of {message.hops} messages of the function's own: {message.body[:200]}"


def _backfills(world: SimulatedWorld) -> Iterator[str]:
    """Each backfill came to its end by one listing, and says what became of every request."""
    backfills = world.backfills
    if backfills is None:
        return
    if not backfills.queue.paused:
        yield "backfill: the queue is empty, and somebody receives from it"
    for row in backfills.rows:
        if row.is_active:
            yield f"backfill: {row.name} is {row.state} at rest"
        if row.state is not BackfillState.FINISHED or backfills.queue.expired or forgot(world):
            continue
        counts = row.counts
        if row.generation > 1:
            yield f"backfill: all was listed {row.generation} times, and no message was lost"
        if counts.open:
            yield f"backfill: {counts.asked} were asked for, and {counts.settled} are accounted for"
        judged = counts.known + counts.failed_before + counts.ignored + counts.asked
        if judged != counts.compared:
            yield f"backfill: {counts.compared} were listed, and {judged} were judged"


def _whole_at_all_times(world: SimulatedWorld) -> Iterator[str]:
    """No reader ever saw an output that is not one version's, whole."""
    if world.setup.kind is SetupKind.RUN:
        return
    valid = _valid(world)
    for when, ref, data in world.buckets.written:
        if data is not None and data not in valid.get(ref, ()):
            yield f"whole: at {when:.1f} {ref} became {data!r}, which no version makes"


def _valid(world: SimulatedWorld) -> dict[ObjectRef, set[bytes]]:
    valid: dict[ObjectRef, set[bytes]] = {}
    for key, versions in world.sources.history.items():
        for data in {one.data for one in versions if one.data is not None}:
            for setup in world.setups:
                for ref, output in (of_object(setup, key, data).outputs or {}).items():
                    valid.setdefault(ref, set()).add(output)
    return valid


def outdated(world: SimulatedWorld) -> Iterator[str]:
    """Entries that were last worked on under another configuration than that which is deployed."""
    for key in sorted(world.source.live()) if not _waits(world) else ():
        known, (plan,) = entry(world, key), world.setup.planner.plan(source(key))
        if known is None or known.fingerprint != plan.fingerprint:
            yield f"configuration: {key} was asked for, and is still as another configuration wants it"


# Promise 3: acknowledged only when settled


_UNTOLD = (Fault.EVENT_LOST, Fault.ONE_EVENT_FOR_TWO, Fault.LEDGER_GONE, Fault.LEDGER_RESTORED)
"""After these a listing looks after objects that no message names."""


def acknowledged(world: SimulatedWorld, message: QueuedMessage) -> Iterator[str]:
    """What a message that was just deleted names, and nobody looks after any more."""
    if world.faults.happened(*_UNTOLD):
        return
    for request in parse_message(message.body).requests:
        ref = request.change.ref
        known = world.ledger.held.get(SYNC, ref)
        if known is not None and (known.settled or _is_left_to_run(known)):
            continue
        if known is None and ref.key in world.setup.keys and world.source.current(ref.key) is None:
            continue
        queued = (other for queue in world.queues() for other in (*queue.messages, *queue.dead))
        others = [other.body for other in queued if other is not message]
        others += [news.body for news in world.sources.on_the_way]
        if known is None and request.change.kind is ChangeKind.REMOVED:
            continue
        if known is None and _is_given_up(world, request):
            continue
        if not any(_names(other, ref) for other in others):
            state = known.state if known else "unknown to the ledger"
            yield f"acknowledged: {message.id} was deleted, {ref} is {state}, and no other message names it"


def _is_given_up(world: SimulatedWorld, request: Request) -> bool:
    """Whether somebody gave up the backfill that asked for an object."""
    if request.ticket is None or world.backfills is None:
        return False
    return world.backfills.has_stopped(request.ticket.backfill)


def _is_left_to_run(known: Entry) -> bool:
    """Whether a big run is publishing it, or gave it up: no message names it, its entry and an alarm say so."""
    failure, run = known.failure, known.big_run
    if run is None:
        return False
    if failure is None:
        return known.state is State.IN_FLIGHT and known.owner == run.name
    return failure.branch is Branch.CONFIGURATION or known.attempts >= MOST_ATTEMPTS


def _names(body: str, ref: ObjectRef) -> bool:
    return any(request.change.ref == ref for request in parse_message(body).requests)


def deleted(world: SimulatedWorld, ref: ObjectRef) -> Iterator[str]:
    """An output that is being deleted although its source is there, and was before the worker began."""
    actor = world.scheduler.current
    if actor is None or len(world.setups) > 1 or not world.setup.kind.is_per_object:
        return
    for key, version in world.source.live().items():
        # What was published and never settled before a table's format was decided goes if the work fails.
        if world.setup.kind is SetupKind.MIXED and not _is_settled_output(world, key, ref):
            continue
        known_before = world.source.since[key] < actor.started
        made = of_object(world.setup, key, version.data or b"").outputs or {}
        if ref in made and known_before:
            yield f"deleted: {ref}, by {actor.name}, which {key} makes since before it began"


# Promise 6: without a fault there is no dead letter

_EXCUSES = (*AT_CALLS, Fault.TIMED_OUT, Fault.CONFLICT, Fault.LEDGER_GONE, Fault.LEDGER_RESTORED)
"""Faults that may use up the attempts of a message."""


def dead_letters(world: SimulatedWorld, receipts_are_not_attempts: bool) -> Iterator[str]:  # noqa: FBT001 - one caller
    """Dead letters that no fault explains."""
    if receipts_are_not_attempts and not world.faults.happened(*_EXCUSES):
        for message in (dead for queue in world.queues() for dead in queue.dead):
            yield f"dead letter: {message.id}, without a fault: {message.body[:200]}"


# Promise 8: what a person asks for wins


def wishes(world: SimulatedWorld) -> Iterator[str]:
    """Keys that a person asked for, and that are as an older configuration wants them than was deployed then."""
    if forgot(world):
        return
    for wish in world.wishes:
        deployed = world.setups[wish.setup :]
        for key in sorted(wish.keys & world.source.live().keys()) if not _waits(world) else ():
            known = entry(world, key)
            accepted = {plan.fingerprint for setup in deployed for plan in setup.planner.plan(source(key))}
            if known is not None and known.fingerprint not in accepted and key not in world.source.archived:
                yield f"wish: {key} was asked for under {deployed[0].change}, and is as an older configuration wants it"


# Promise 4: again changes nothing


_ALIKE = {
    SetupKind.SNAPSHOT: dict.fromkeys((State.QUARANTINED, State.SUPERSEDED), State.CONVERTED),
    SetupKind.RUN: {State.FAILED: State.WAITING},
}
"""States between which a file changes when it is looked at again: of a table that another file is newest in, or of one
that is not made because a file cannot be converted."""


def _told_alike(kind: SetupKind, state: State) -> State:
    return _ALIKE.get(kind, {}).get(state, state)


def fingerprint(world: SimulatedWorld) -> dict[str, Any]:
    """All that a second round must leave as it is.

    A file that its table is not made of any more is told so when it is looked at again; and a table's entry tells of
    the last try.
    """
    of_table = world.setup.kind is SetupKind.SNAPSHOT
    return {
        "outputs": {ref: data for ref, data in held(world).items() if data},
        "states": {
            (one.stored_sync, one.source): (
                State.CONVERTED if not isinstance(one, Entry) else _told_alike(world.setup.kind, one.state),
                one.version.etag if one.state in DONE and not of_table else None,
                one.outputs,
            )
            for one in _works(world)
        },
    }


def _is_late_news(world: SimulatedWorld, key: str, before: State) -> bool:
    """Whether an object's own late event may change its entry: two kinds that a comparison passes over.

    A file that failed is looked at again, and its table has a newer file by now; or what was ignored is gone.
    """
    known = entry(world, key)
    after = known.state if known is not None else None
    return (before, after) in {(State.FAILED, State.SUPERSEDED), (State.IGNORED, State.REMOVED)}


def again(before: dict[str, Any], world: SimulatedWorld, writes: int | None) -> Iterator[str]:
    """What a second round changed; ``writes`` None: some of it was news, because its event had never arrived."""
    after = fingerprint(world)
    if before["outputs"] != after["outputs"]:
        yield f"again: outputs were {_told(before['outputs'])} and are {_told(after['outputs'])}"
    for key, state in after["states"].items():
        was = before["states"].get(key)
        is_news = writes is None and (was is None or _is_late_news(world, key[1].key, was[0]))
        if was != state and not is_news:
            yield f"again: {key} was {was} and is {state}"
    if writes is not None and len(world.buckets.written) != writes:
        told = [f"{ref} at {when:.1f}" for when, ref, _ in world.buckets.written[writes:]]
        yield f"again: written once more: {', '.join(told)}"


def _told(outputs: Held | None) -> str:
    if not outputs:
        return "nothing"
    return ", ".join(f"{ref.key}={data!r}" for ref, data in sorted(outputs.items()))


__all__ = ["acknowledged", "again", "entry", "fingerprint", "held", "violations"]
