"""Drives a big run in one process, from phase to phase as the machine does: for tests, and to see what a run would do.

The routing is data (``events.AFTER_MAP``) and the phases' own answers; the machine in ``infra`` follows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from millrace.big_runs.events import AFTER_MAP, DONE, FAILED, MAPS, Phase, PhaseEvent, PhaseOutcome, RunPlace

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Asks ``work`` for one phase after the other; what a phase raises is tried again, then the run fails."""

    work: Callable[[PhaseEvent], PhaseOutcome]
    tries: int = _TRIES

    def run(self, argument: Mapping[str, Any]) -> str:
        """Drive an execution of this input to its end: DONE or FAILED."""
        *_, last = self.steps(RunPlace.from_input(argument))
        return last.next

    def steps(self, place: RunPlace) -> Iterator[PhaseOutcome]:
        """The answers of the single phases, one after the other; the last one is the run's end."""
        phase: Phase = Phase.PLAN
        while True:
            event = PhaseEvent(phase=phase, place=place)
            try:
                outcome = self._try(event)
                yield outcome
                if outcome.next in {DONE, FAILED}:
                    return
                phase = self._run_map(event, outcome)
            except Exception as error:  # noqa: BLE001 - as the machine catches whatever a phase raised
                cause = {"Error": type(error).__name__, "Cause": str(error)}
                yield self._try(PhaseEvent(phase=Phase.FAIL, place=place, error=cause))
                return

    def _run_map(self, event: PhaseEvent, outcome: PhaseOutcome) -> Phase:
        """The next single phase, once the children of a map before it are done."""
        following = Phase(outcome.next)
        if following not in MAPS:
            return following
        for index in outcome.items:
            self._try(replace(event, phase=following, index=index))
        return AFTER_MAP[following]

    def _try(self, event: PhaseEvent) -> PhaseOutcome:
        for _ in range(self.tries - 1):
            try:
                return self.work(event)
            except Exception:  # noqa: BLE001, S112 - as the machine tries again whatever a phase raised
                continue
        return self.work(event)
