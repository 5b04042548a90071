"""The big_run function's world: the phases on their ports."""

from __future__ import annotations

import os
from collections.abc import Mapping

from millrace import __version__
from millrace.big_runs.phases import BigRunPhases
from millrace.big_runs.run_work import RunPorts
from millrace.composition.base import Foundation, utc_now
from millrace.composition.convert import obfuscation_key
from millrace.composition.telling import entry_teller
from millrace.engine.native.library import mark_version
from millrace.ledger.claims import Claims
from millrace.planning.planner import Planner


def big_run_phases(environment: Mapping[str, str] = os.environ) -> BigRunPhases:
    """Read settings and configuration, and make the clients; no request is sent yet."""
    base = Foundation.from_environment(environment)
    planner = Planner(base.document)
    claims = Claims(
        ledger=base.ledger,
        now=utc_now,
        engine=mark_version(__version__),
        deployment=base.settings.deployment,
        teller=entry_teller(base, planner),
    )
    return BigRunPhases(
        RunPorts(
            planner=planner,
            claims=claims,
            stores=base.sessions,
            queues=base.queues,
            timeout_seconds=base.settings.timeout_seconds,
            obfuscation_key=obfuscation_key(base.settings, base.sessions),
        )
    )
