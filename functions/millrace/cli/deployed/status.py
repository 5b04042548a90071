"""`millrace status`: how it is going."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from millrace.cli.completion import COMPLETE_SYNC
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.ledger.entries import Entry, State
from millrace.mappings import pick
from millrace.operations.backfills.progress import describe_progress
from millrace.operations.status import Status, read_status
from millrace.remote.big_runs import RunView
from millrace.remote.entry_documents import entry_to_json
from millrace.remote.surroundings import Surroundings, read_surroundings
from millrace.wording import count_of, describe_seconds, list_counts

if TYPE_CHECKING:
    from millrace.operations.queue_facts import QueueFacts

_WIDTH = 80
_SHOWN_IN_FLIGHT = 3
T = TypeVar("T")


def status(
    context: typer.Context,
    *,
    name: Name = "millrace",
    sync: Annotated[str | None, typer.Option(help="Of this sync alone.", autocompletion=COMPLETE_SYNC)] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Count what finished in so many UTC days.")] = 7,
    failures: Annotated[int, typer.Option(min=0, help="How many of the newest failures to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Show how it is going: queues, objects by sync and state, failures.

    What failed, waits or is in flight is counted however old it is; the rest by the day it finished. Entries of syncs
    that the configuration no longer has are shown apart: `millrace forget` removes them.
    """
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    counted = read_status(ledger, now=datetime.now(UTC), days=days, sync=sync, newest=failures)
    surroundings = read_surroundings(deployments, deployed, name)
    if as_json:
        _print_json(counted, surroundings)
    else:
        _print_text(counted, surroundings, deployed.syncs, days)


def _print_json(counted: Status, surroundings: Surroundings) -> None:
    for fields in chain(_counts_to_json(counted), _surroundings_to_json(surroundings)):
        print_json(fields)
    for entry in counted.failures:
        print_json({"failure": entry_to_json(entry)})


def _counts_to_json(counted: Status) -> Iterator[dict[str, Any]]:
    for sync, counts in sorted(counted.counts.items()):
        yield {"sync": sync, "counts": {str(state): count for state, count in sorted(counts.items())}}
    yield {"finished_in_last_hour": counted.last_hour}
    for entry in counted.in_flight:
        yield {"in_flight": entry_to_json(entry)}


def _surroundings_to_json(surroundings: Surroundings) -> Iterator[dict[str, Any]]:
    for queue in surroundings.queues:
        yield {"queue": queue.name, **_queue_to_json(queue, surroundings)}
    for name, count in surroundings.dead_letters.items():
        yield {"dead_letter_queue": name, "messages": count}
    for checkpoint in surroundings.comparisons:
        if checkpoint.completed is not None:
            last, when = checkpoint.last, checkpoint.completed.isoformat()
            lost = {"unaccounted": last.unaccounted, "vanished": last.vanished}
            yield {"compared": checkpoint.sync, "completed": when, **lost}
    yield from _work_to_json(surroundings)


def _work_to_json(surroundings: Surroundings) -> Iterator[dict[str, Any]]:
    """What is done beside the queues, and what is not known."""
    for progress in surroundings.backfills:
        yield progress.to_json()
    for view in surroundings.big_runs:
        yield {"big_run": view.to_json()}
    for backlog in surroundings.commits:
        yield backlog.to_json()
    if surroundings.not_catalogued:
        yield {"not_catalogued": surroundings.not_catalogued}
    for problem in surroundings.unknown:
        yield {"unknown": problem}


def _queue_to_json(queue: QueueFacts, surroundings: Surroundings) -> dict[str, Any]:
    return {
        "waiting": queue.waiting,
        "hidden": queue.hidden,
        "delayed": queue.delayed,
        "oldest_seconds": surroundings.oldest.get(queue.name),
        "paused": queue.name in surroundings.paused,
    }


def _print_text(counted: Status, surroundings: Surroundings, syncs: Iterable[str], days: int) -> None:
    for line in _describe_surroundings(surroundings):
        _print_wrapped(line)
    if counted.counts:
        _print_all_counts(counted, frozenset(syncs), days)
    else:
        print_line(f"nothing finished in the last {count_of(days, 'day')}, and nothing is in flight")
    for entry in counted.in_flight[:_SHOWN_IN_FLIGHT]:
        _print_wrapped(f"in flight for {_describe_age(entry.started)}: {entry.source} ({entry.sync})")
    for entry in counted.failures:
        _print_failure(entry)
    if counted.failures:
        print_line("`millrace errors CODE`, such as RaggedRow, says what an error means and what to do")


def _print_all_counts(counted: Status, syncs: frozenset[str], days: int) -> None:
    """The counts of the configuration's syncs, and apart those of syncs that it no longer has."""
    configured, forgotten = dict(counted.counts), {}
    for sync in counted.counts.keys() - syncs:
        forgotten[sync] = configured.pop(sync)
    print_line(f"objects by sync and state, last {count_of(days, 'day')}:")
    _print_counts(configured)
    print_line(f"finished in the last hour: {counted.last_hour:,}")
    if forgotten:
        print_line("of syncs that the configuration no longer has (millrace forget SYNC):")
        _print_counts(forgotten)


def _describe_queue(queue: QueueFacts, surroundings: Surroundings) -> str:
    age = surroundings.oldest.get(queue.name)
    oldest = f", the oldest for {describe_seconds(age)}" if age else ""
    paused = _describe_pause(queue) if queue.name in surroundings.paused else ""
    waiting, put_off = count_of(queue.waiting, "message"), queue.hidden + queue.delayed
    return f"queue {queue.name}: {waiting} waiting{oldest}, {put_off:,} worked on or put off{paused}"


def _describe_pause(queue: QueueFacts) -> str:
    """That of the backfills is off while none runs."""
    return "; off, as no backfill runs" if queue.is_backfills else "; PAUSED: millrace resume"


def _describe_surroundings(surroundings: Surroundings) -> Iterator[str]:
    for queue in surroundings.queues:
        yield _describe_queue(queue, surroundings)
    for name, count in surroundings.dead_letters.items():
        hint = ": millrace dead-letters" if count else ""
        yield f"dead letters in {name}: {count:,}{hint}"
    for checkpoint in surroundings.comparisons:
        if checkpoint.completed is not None:
            last, ago = checkpoint.last, _describe_age(checkpoint.completed)
            lost = f"{last.unaccounted:,} unaccounted, {last.vanished:,} vanished"
            yield f"compared {checkpoint.sync!r} {ago} ago: {lost} of {count_of(last.compared, 'object')}"
    yield from _describe_work(surroundings)


def _describe_work(surroundings: Surroundings) -> Iterator[str]:
    yield from map(describe_progress, surroundings.backfills)
    yield from map(_describe_big_run, surroundings.big_runs)
    if surroundings.not_catalogued:
        yield _describe_not_catalogued(surroundings.not_catalogued)
    for backlog in surroundings.commits:
        yield from backlog.describe()
    for problem in surroundings.unknown:
        yield f"unknown: {problem}"


def _describe_not_catalogued(count: int) -> str:
    times = "once" if count == 1 else f"{count:,} times"
    return (
        f"catalog: {times} in the last day a table could not be brought into it; its objects are converted all the"
        " same. The log of the convert function says why (not catalogued), and the table's next object tries again"
    )


def _describe_big_run(view: RunView) -> str:
    progress = view.describe_progress() or "begins"
    return f"big run for {describe_seconds(view.seconds)}: {progress}: {view.source} ({view.sync})"


def _print_counts(by_sync: dict[str, Counter[State]]) -> None:
    for sync, counts in sorted(by_sync.items()):
        _print_wrapped(f"  {sync}: {list_counts(pick(counts, *State))}")


def _print_failure(entry: Entry) -> None:
    failure = entry.failure
    if failure is not None:
        _print_wrapped(f"failed: {entry.source} ({entry.sync}): {failure.error}: {failure.message}")


def _print_wrapped(text: str) -> None:
    """Lines of at most 80 columns; an address stays whole, so that it can be copied."""
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    # Wrapping counts characters, and a line's end in a key is no end of a line here: print_line escapes it.
    lines = textwrap.wrap(
        text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
        expand_tabs=False,
    )
    for line in lines:
        print_line(line)


def _describe_age(since: datetime | None) -> str:
    return "an unknown time" if since is None else describe_seconds((datetime.now(UTC) - since).total_seconds())
