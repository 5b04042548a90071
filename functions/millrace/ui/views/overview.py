"""The overview: how far behind each sync is, and what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from millrace.errors import MillraceError
from millrace.operations.checkpoints import Checkpoint
from millrace.operations.overview import BoundedCount, SyncLoad, read_loads
from millrace.operations.queue_facts import QueueFacts, name_of_queue
from millrace.remote.paused_sources import PausedSource, find_paused_world
from millrace.remote.surroundings import Surroundings, read_surroundings
from millrace.ui.rendering import PageRenderer
from millrace.ui.world import PageWorld

if TYPE_CHECKING:
    from millrace.ledger.entries import Entry

_MANY_IN_FLIGHT = 20
_LONG_IN_FLIGHT = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRow:
    """A sync with its queue, if the page knows which that is, and with its last comparison."""

    load: SyncLoad
    queue: QueueFacts | None
    oldest_seconds: float | None
    checkpoint: Checkpoint | None
    is_configured: bool


def show_overview(_request: Request, world: PageWorld, renderer: PageRenderer) -> Response:
    """Lag first; everything that is asked, is asked side by side."""
    deployed = world.deployed
    with ThreadPoolExecutor(3) as pool:
        loads_asked = pool.submit(read_loads, world.pages, deployed.syncs, now=world.now())
        around_asked = pool.submit(read_surroundings, world.deployments, deployed, world.name)
        paused_asked = pool.submit(_list_paused, world)
        loads, around, paused = loads_asked.result(), around_asked.result(), paused_asked.result()
    in_flight = _longest_first(loads)
    values = {
        "rows": _to_rows(world, loads, around),
        "around": around,
        "paused": paused,
        "oldest": max(around.oldest.values(), default=None),
        "waiting": sum(queue.waiting for queue in around.queues),
        "in_flight": in_flight[:_MANY_IN_FLIGHT],
        "in_flight_count": len(in_flight),
        "late": world.now() - _LONG_IN_FLIGHT,
        "failed": _add_up([load.failed for load in loads]),
        "last_hour": _add_up([load.last_hour for load in loads]),
        "an_hour": sum(load.an_hour for load in loads),
        "dead": sum(around.dead_letters.values()),
        "unaccounted": sum(checkpoint.last.unaccounted for checkpoint in around.comparisons),
        "vanished": sum(checkpoint.last.vanished for checkpoint in around.comparisons),
    }
    return _render(_request, renderer, values)


def _render(request: Request, renderer: PageRenderer, values: Mapping[str, object]) -> Response:
    return renderer.render(request, "overview.html", values)


def _list_paused(world: PageWorld) -> Sequence[PausedSource]:
    """The paused event sources with their reasons; the surroundings say it if nobody may ask."""
    try:
        return list(find_paused_world(world.deployments, world.name).list_paused())
    except MillraceError:
        return ()


def _longest_first(loads: Sequence[SyncLoad]) -> list[Entry]:
    entries: list[Entry] = []
    for load in loads:
        entries += load.in_flight
    return sorted(entries, key=lambda entry: str(entry.started))


def _add_up(counts: Sequence[BoundedCount]) -> BoundedCount:
    return BoundedCount(sum(count.number for count in counts), all(count.is_exact for count in counts))


def _to_rows(world: PageWorld, loads: Sequence[SyncLoad], around: Surroundings) -> list[SyncRow]:
    checkpoints = {checkpoint.sync: checkpoint for checkpoint in around.comparisons}
    rows = []
    for load in loads:
        queue = _find_queue(world, load.sync, around.queues)
        rows.append(
            SyncRow(
                load=load,
                queue=queue,
                oldest_seconds=around.oldest.get(queue.name) if queue is not None else None,
                checkpoint=checkpoints.get(load.sync),
                is_configured=load.sync in world.deployed.syncs,
            )
        )
    return rows


def _find_queue(world: PageWorld, sync: str, queues: Sequence[QueueFacts]) -> QueueFacts | None:
    """The queue that a sync's messages wait in: by the configuration, or the only one there is."""
    live = {queue.name: queue for queue in queues if not queue.is_backfills}
    if world.planner is None:
        return next(iter(live.values())) if len(live) == 1 else None
    try:
        connection = world.planner.active_sync(sync).source_connection
    except MillraceError:
        # The ledger knows a sync that the configuration no longer has.
        return None
    return live.get(name_of_queue(world.deployed.queues.get(connection, "")))
