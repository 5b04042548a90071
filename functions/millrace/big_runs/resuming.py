"""Which runs may go on after they ended, and how: as long as one may, nothing of what it has done is deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from millrace.big_runs.events import RUN_STOPPED, RunPlace
from millrace.big_runs.starting import about
from millrace.errors import UsageError
from millrace.ledger.entries import BigRunFacts, Branch, Entry, Failure, State
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.ledger.stores import LedgerStore
from millrace.objects.machine import Machine


def is_of_run(entry: Entry, run: str) -> bool:
    """Whether a run of that name is the one that works on an object, or did last and did not come through."""
    return entry.big_run is not None and entry.big_run.name == run


def may_go_on(entry: Entry) -> bool:
    """Whether the run of an entry is at work, or somebody may resume it: then what it keeps is needed."""
    if entry.big_run is None:
        return False
    if entry.failure is None:
        return entry.state in {State.WAITING, State.IN_FLIGHT}
    return explain_refusal(entry, entry.big_run, entry.failure) is None


def explain_refusal(entry: Entry, facts: BigRunFacts, failure: Failure) -> str | None:
    """Why a run that failed is not resumed, and what to do; None if it may be."""
    if failure.branch is Branch.DATA and failure.error != RUN_STOPPED:
        return (
            f"the big run {facts.name} failed for its data ({failure.error}) and would fail again, so that what it had"
            " is deleted; change the object or its sync and begin again: millrace reprocess"
        )
    if failure.branch is Branch.TRANSIENT and entry.attempts < MOST_ATTEMPTS:
        return (
            f"{entry.source} is asked for again by itself, since {failure.error} may pass; if nothing happens in some"
            " minutes, begin again: millrace reprocess"
        )
    return None


def resume_run(entry: Entry, *, ledger: LedgerStore, machine: Machine, now: datetime) -> BigRunFacts:
    """Have a run go on that was stopped, or ended from outside, with what it has done so far.

    One that was written down to be resumed, and never started, is started. Raises UsageError if it cannot go on: its
    object has had other work since, it is at work, or what it had is deleted. Raises LostRace if another is quicker.
    """
    facts = entry.big_run
    if facts is None or entry.state not in {State.FAILED, State.WAITING}:
        raise UsageError(_describe_state(entry))
    if entry.state is State.WAITING:
        if machine.describe(facts.execution) is not None:
            raise UsageError(_describe_state(entry))
        resumed = facts
    else:
        resumed = _write_down(entry, facts, ledger, now)
    place = RunPlace(run=facts.name, connection=facts.connection, home=facts.home, sync=entry.sync, source=entry.source)
    machine.start(resumed.execution, place.to_input() | about(entry.sync, entry.source, entry.version.size))
    return resumed


def _describe_state(entry: Entry) -> str:
    return f"{entry.source} is {entry.state}; only a big run that failed or was stopped can be resumed"


def _write_down(entry: Entry, facts: BigRunFacts, ledger: LedgerStore, now: datetime) -> BigRunFacts:
    """Put that the object waits for the next execution of its run.

    Before that is started: an execution that finds its entry failed would end at once.
    """
    refusal = explain_refusal(entry, facts, entry.failure) if entry.failure is not None else None
    if refusal is not None:
        raise UsageError(refusal)
    resumed = replace(facts, execution=_next_execution(facts))
    ledger.put(
        replace(
            entry,
            state=State.WAITING,
            revision=entry.revision + 1,
            big_run=resumed,
            started=now,
            finished=None,
            failure=None,
        )
    )
    return resumed


def _next_execution(facts: BigRunFacts) -> str:
    """``orders-2f1e…`` is followed by ``orders-2f1e…-2``, and that by ``-3``."""
    number = facts.execution.removeprefix(facts.name).removeprefix("-")
    return f"{facts.name}-{int(number or 1) + 1}"
