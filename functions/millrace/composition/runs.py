"""The worlds of the functions that people and schedules call: reprocess and reconcile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from millrace import __version__
from millrace.aws.deployed import invoke_later
from millrace.aws.dynamodb_checkpoints import DynamoDBCheckpoints
from millrace.aws.step_functions import StepFunctions
from millrace.composition.base import Foundation, utc_now
from millrace.composition.following import run_follower, run_teller
from millrace.config.connection import ExecutionRole
from millrace.engine.native.library import mark_version
from millrace.operations.lost_outputs import OutputChecker
from millrace.operations.lost_runs import LostRuns
from millrace.operations.reconcile import Reconciler
from millrace.operations.reprocess import Reprocessor
from millrace.planning.planner import Planner

InvokeLater = Callable[[str, Mapping[str, Any]], None]
"""Has the function of a name invoked with an event, and does not wait for it."""


def reprocessor(environment: Mapping[str, str] = os.environ) -> Reprocessor:
    """Read settings and configuration, and make the clients of the reprocess function."""
    base = Foundation.from_environment(environment)
    return Reprocessor(
        planner=Planner(base.document),
        stores=base.sessions,
        index=base.ledger,
        ledger=base.ledger,
        queues=base.queues,
        now=utc_now,
        engine=mark_version(__version__),
        deployment=base.settings.deployment,
        follower=run_follower(base),
    )


ExportHistory = Callable[[object, Callable[[], float]], dict[str, Any]]
"""Exports what is due of the history, or a day, in the seconds that are left; what came of it."""


@dataclass(frozen=True, slots=True)
class ReconcileWorld:
    """What the reconcile function works with."""

    reconciler: Reconciler
    invoke_later: InvokeLater
    export_history: ExportHistory


def reconcile_world(environment: Mapping[str, str] = os.environ) -> ReconcileWorld:
    """Read settings and configuration, and make the clients of the reconcile function."""
    base = Foundation.from_environment(environment)
    planner = Planner(base.document)
    reconciler = Reconciler(
        planner=planner,
        stores=base.sessions,
        index=base.ledger,
        queues=base.queues,
        checkpoints=DynamoDBCheckpoints(base.sessions.client("dynamodb"), base.settings.ledger_table),
        now=utc_now,
        outputs=OutputChecker(
            planner=planner,
            stores=base.sessions,
            ledger=base.ledger,
            # The function takes no identity of a destination.
            connections=frozenset(one.name for one in base.document.connections if isinstance(one.auth, ExecutionRole)),
        ),
        runs=_lost_runs(base),
        teller=run_teller(base),
    )
    return ReconcileWorld(
        reconciler, partial(invoke_later, base.sessions.client("lambda")), partial(_export_history, base)
    )


def _export_history(base: Foundation, asked: object, remaining: Callable[[], float]) -> dict[str, Any]:
    from millrace.composition.history import history_exporter  # noqa: PLC0415 - comparisons do without pyarrow
    from millrace.operations.history.export import parse_export  # noqa: PLC0415 - comparisons do without pyarrow

    return history_exporter(base).run(parse_export(asked), remaining).to_json()


def _lost_runs(base: Foundation) -> LostRuns | None:
    """Looks after big runs, where a machine for them is deployed."""
    if base.settings.big_run_machine is None:
        return None
    machine = StepFunctions(base.sessions.client("stepfunctions"), base.settings.big_run_machine)
    return LostRuns(machine=machine, ledger=base.ledger, now=utc_now)
