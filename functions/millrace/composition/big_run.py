"""The big_run function's world: the phases on their ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from millrace import __version__
from millrace.big_runs.events import DONE, PhaseEvent, PhaseOutcome
from millrace.big_runs.phases import BigRunPhases
from millrace.big_runs.run_work import RunPorts
from millrace.composition.base import Foundation, utc_now
from millrace.composition.catalog import Cataloguing, cataloguing
from millrace.composition.convert import obfuscation_key
from millrace.composition.telling import entry_teller
from millrace.delivery.deployed_targets import DeployedTargets
from millrace.engine.native.library import mark_version
from millrace.ledger.claims import Claims
from millrace.ledger.stores import LedgerStore
from millrace.planning.planner import Planner


@dataclass(frozen=True, slots=True)
class BigRunWorld:
    """What the function of big runs works with."""

    phases: BigRunPhases
    ledger: LedgerStore
    catalog: Cataloguing | None

    def work(self, event: PhaseEvent, remaining: Callable[[], float]) -> PhaseOutcome:
        """Do one phase; when the run is over, bring its table into the catalogue if the configuration asks for it."""
        outcome = self.phases.work(event, remaining)
        place = event.place
        if self.catalog is not None and outcome.next == DONE and place.sync is not None and place.source is not None:
            self.catalog.keep(self.ledger.get(place.sync, place.source))
        return outcome


def _say_nothing(_reason: str) -> None:
    """For who has no log."""


def big_run_world(
    environment: Mapping[str, str] = os.environ, *, not_catalogued: Callable[[str], None] = _say_nothing
) -> BigRunWorld:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    base = Foundation.from_environment(environment)
    planner = Planner(base.document)
    claims = Claims(
        ledger=base.ledger,
        now=utc_now,
        engine=mark_version(__version__),
        deployment=base.settings.deployment,
        teller=entry_teller(base, planner),
        targets=DeployedTargets(planner, base.sessions),
    )
    phases = BigRunPhases(
        RunPorts(
            planner=planner,
            claims=claims,
            stores=base.sessions,
            queues=base.queues,
            timeout_seconds=base.settings.timeout_seconds,
            obfuscation_key=obfuscation_key(base.settings, base.sessions),
        )
    )
    return BigRunWorld(phases, base.ledger, cataloguing(base, planner, not_catalogued))
