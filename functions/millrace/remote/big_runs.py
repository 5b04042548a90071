"""Big runs as their user sees them: what each converts, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from millrace.errors import UsageError
from millrace.mappings import leave_out_none
from millrace.objects.machine import Execution, ExecutionStatus, MapProgress
from millrace.objects.references import ObjectRef
from millrace.wording import count_of, describe_seconds, join_names

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.step_functions import StepFunctions
    from millrace.ledger.entries import Entry
    from millrace.ledger.stores import LedgerStore
    from millrace.remote.deployments import Deployments


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One execution of a run, and how far it is."""

    execution: Execution
    progress: Sequence[MapProgress] = ()

    @property
    def sync(self) -> str | None:
        """Whose object it converts."""
        return self._about.get("sync")

    @property
    def source(self) -> str | None:
        """The object, or the folder of a table of many files: ``s3://...``."""
        return self._about.get("source")

    @property
    def _about(self) -> Mapping[str, Any]:
        about: Mapping[str, Any] = (self.execution.argument or {}).get("about", {})
        return about

    @property
    def seconds(self) -> float:
        """How long it has run, or did."""
        return ((self.execution.stopped or datetime.now(UTC)) - self.execution.started).total_seconds()

    def describe_progress(self) -> str:
        """The phase that is at work: ``convert 17 of 48 parts``; "" before the first that has parts."""
        if not self.progress:
            return ""
        phase = self.progress[-1]
        return f"{phase.phase} {phase.done:,} of {count_of(phase.parts, 'part')}"

    def to_json(self) -> dict[str, Any]:
        """For programs; a field without a value is left out."""
        execution = self.execution
        fields = {
            "run": execution.name,
            "status": str(execution.status),
            "sync": self.sync,
            "source": self.source,
            "size": self._about.get("size"),
            "started": execution.started.isoformat(),
            "stopped": execution.stopped.isoformat() if execution.stopped else None,
            "cause": execution.cause,
            "phases": list(map(_progress_to_json, self.progress)) or None,
        }
        return leave_out_none(fields)


def _progress_to_json(phase: MapProgress) -> dict[str, Any]:
    counts = {"parts": phase.parts, "done": phase.done, "running": phase.running, "failed": phase.failed}
    stopped = {"stopped": phase.stopped.isoformat()} if phase.stopped else {}
    return {"phase": phase.phase, "started": phase.started.isoformat(), **stopped, **counts}


def find_machine(deployments: Deployments, deployed: Deployed) -> StepFunctions | None:
    """The deployment's machine; None where none is deployed."""
    from millrace.aws.step_functions import StepFunctions  # noqa: PLC0415 - boto3 takes a third of a second to import

    if deployed.big_run_machine is None:
        return None
    return StepFunctions(deployments.client("stepfunctions"), deployed.big_run_machine)


def read_running(machine: StepFunctions) -> Iterator[RunView]:
    """The runs that are at work, with their progress."""
    for execution in machine.list(ExecutionStatus.RUNNING):
        yield read_view(machine, execution)


def read_view(machine: StepFunctions, listed: Execution) -> RunView:
    """What a list leaves out: what the execution converts, and how far it is."""
    execution = machine.describe(listed.name) or listed
    return RunView(execution=execution, progress=machine.progress(execution.name))


def describe_status(view: RunView) -> str:
    """``running for 12 min``, ``succeeded after 3 h``."""
    word = str(view.execution.status).lower().replace("_", " ")
    joint = "for" if view.execution.status is ExecutionStatus.RUNNING else "after"
    return f"{word} {joint} {describe_seconds(view.seconds)}"


def describe_phase(phase: MapProgress) -> str:
    """``convert: 17 of 48 parts in 4 min, 10 at work, about 7 min are left``."""
    end = phase.stopped or datetime.now(UTC)
    seconds = (end - phase.started).total_seconds()
    words = [f"{phase.phase}: {phase.done:,} of {count_of(phase.parts, 'part')} in {describe_seconds(seconds)}"]
    if phase.failed:
        words.append(f"{phase.failed:,} failed")
    if phase.running:
        words.append(f"{phase.running:,} at work")
    if phase.stopped is None and phase.done:
        # All parts are of about one size: 17 of 48 in 4 minutes leave 31, for about 7.
        left = seconds / phase.done * (phase.parts - phase.done)
        words.append(f"about {describe_seconds(left)} are left")
    return ", ".join(words)


def find_run_entry(view: RunView, ledger: LedgerStore) -> Entry | None:
    """The ledger's entry of what the run converts."""
    if view.sync is None or view.source is None:
        return None
    return ledger.get(view.sync, ObjectRef.parse(view.source))


def find_run(machine: StepFunctions, name: str) -> RunView:
    """The run of that name. Raises UsageError if there is none."""
    execution = machine.describe(name)
    if execution is None:
        names = [known.name for known in islice(machine.list(), 5)]
        known = f"the newest are {join_names(names)}" if names else "there was none in the last 90 days"
        raise UsageError(f"there is no big run {name!r}; {known}")
    return read_view(machine, execution)


def demand_resumable(machine: StepFunctions, view: RunView, ledger: LedgerStore) -> Entry:
    """The entry of what a run converts. Raises UsageError if it is at work, or is not its object's newest."""
    run = view.execution.name
    entry = find_run_entry(view, ledger)
    if view.execution.status is ExecutionStatus.RUNNING:
        raise UsageError(f"{run} is at work: {view.describe_progress() or 'it has just begun'}")
    if entry is None:
        raise UsageError(f"the ledger has no entry of {view.source or run}: convert it by `millrace reprocess`")
    _demand_newest(machine, entry, run)
    return entry


def _demand_newest(machine: StepFunctions, entry: Entry, run: str) -> None:
    """Raise UsageError if an object has a newer run; not if that is this one, was to be resumed and never started."""
    newest = entry.big_run
    if newest is None or newest.execution == run:
        return
    is_same = f"{run}-".startswith(f"{newest.name}-")
    if is_same and machine.describe(newest.execution) is None:
        return
    raise UsageError(f"{run} is not the newest run of {entry.source}: that is {newest.execution}")
