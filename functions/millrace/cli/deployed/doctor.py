"""`millrace doctor`: prove the wiring of a deployment, and say what to do where it cannot work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.terminal import print_json, print_line
from millrace.config.document import load
from millrace.errors import MillraceError
from millrace.mappings import leave_out_none
from millrace.objects.references import ObjectRef
from millrace.operations.doctor import Check, Verdict
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan, Ignored, OwnOutput, Plan
from millrace.wording import count_of

if TYPE_CHECKING:
    from millrace.aws.sessions import Sessions
    from millrace.config.document import Document
    from millrace.ledger.entries import Entry
    from millrace.ledger.stores import LedgerStore

_CANARY = b"canary\n1\n"
_POLL_SECONDS = 0.5


CanaryOption = Annotated[
    bool, typer.Option("--canary", help="Send a small object through the whole way, and take it away again.")
]
WaitOption = Annotated[int, typer.Option(min=1, help="Seconds to wait for the canary.")]


def doctor(
    context: typer.Context,
    *,
    config: Config = DEFAULT_CONFIG,
    canary: CanaryOption = False,
    wait: WaitOption = 120,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Prove the wiring: credentials, buckets, notifications, queues, keys. Says what is wrong and what to do.

    Buckets are asked under the identities of their connections. With --canary an object is uploaded to each source
    whose objects become outputs of their own, and its latency is measured; object and output are deleted afterwards.
    Exit 1 where something cannot work.

    Example: millrace doctor --config millrace.yaml --canary
    """
    document = load(config)
    deployments = get_deployments(context)
    deployed, ledger = deployments.find(name)
    from millrace.aws.inspection import Inspection  # noqa: PLC0415 - boto3 takes a third of a second to import
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - boto3 takes a third of a second to import

    sessions = Sessions(document)
    inspection = Inspection(deployed=deployed, document=document, sessions=sessions, client=deployments.client)
    canaries = _send_canaries(document, sessions, ledger, seconds=wait) if canary else ()
    counts = _print_checks(chain(inspection.check_all(), canaries), as_json=as_json)
    if counts[Verdict.TROUBLE]:
        raise typer.Exit(1)


def _print_checks(checks: Iterable[Check], *, as_json: bool) -> Counter[Verdict]:
    """Show each check as it is made; gives how many had which verdict."""
    counts = Counter[Verdict]()
    for check in checks:
        counts[check.verdict] += 1
        _print_check(check, as_json=as_json)
    if not as_json:
        by_verdict = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in Verdict)
        print_line(f"{count_of(counts.total(), 'check')}: {by_verdict}")
    return counts


def _print_check(check: Check, *, as_json: bool) -> None:
    if as_json:
        print_json(leave_out_none(asdict(check)))
        return
    print_line(f"{check.verdict:<8} {check.subject}: {check.text}")
    if check.remedy is not None:
        print_line(f"{'':<8} -> {check.remedy}")


def _send_canaries(document: Document, sessions: Sessions, ledger: LedgerStore, *, seconds: int) -> Iterator[Check]:
    """One for each source of bulk syncs, of which no sync makes more than outputs of its own."""
    planner = Planner(document)
    name = f"millrace-canary-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.csv"
    for source in dict.fromkeys(sync.source_connection for sync in document.active_bulk_syncs()):
        root = document.connection(source).root
        subject, ref = f"canary of {source!r}", ObjectRef(root.bucket, root.prefix + name)
        plans = planner.plan(ref)
        if not all(map(_is_harmless, plans)):
            yield Check(subject, Verdict.NOTE, "none is sent: it would be rows of a table of yours")
            continue
        canary = _Canary(subject, ref, source, plans, sessions, ledger)
        try:
            yield from canary.send(seconds)
        except MillraceError as error:
            yield Check(subject, Verdict.TROUBLE, str(error))


def _is_harmless(plan: AnyPlan) -> bool:
    """Whether an object's output is its own, or nothing comes of it: a table of others gets no row of it."""
    return isinstance(plan, Ignored) or (isinstance(plan, Plan) and isinstance(plan.way, OwnOutput))


@dataclass(frozen=True, slots=True)
class _Canary:
    """A small object that goes the whole way."""

    subject: str
    ref: ObjectRef
    source: str
    plans: Sequence[AnyPlan]
    sessions: Sessions
    ledger: LedgerStore

    def send(self, seconds: int) -> Iterator[Check]:
        """Upload it, wait until each sync has settled it, and delete it with its outputs."""
        store = self.sessions[self.source]
        upload = store.upload(self.ref, {})
        upload.write(_CANARY)
        begin = time.monotonic()
        upload.publish(expected=None, rows=1)
        try:
            for plan in self.plans:
                entry = self._wait(plan.sync, begin + seconds)
                yield self._judge(plan.sync, entry, time.monotonic() - begin)
                self._delete_outputs(plan, entry)
        finally:
            store.delete(self.ref)

    def _wait(self, sync: str, until: float) -> Entry | None:
        while time.monotonic() < until:
            entry = self.ledger.get(sync, self.ref)
            if entry is not None and (entry.settled or entry.failure is not None):
                return entry
            time.sleep(_POLL_SECONDS)
        return None

    def _judge(self, sync: str, entry: Entry | None, taken: float) -> Check:
        if entry is None:
            remedy = "mend what is wrong above; then look: millrace status, millrace dead-letters"
            text = f"{self.ref} was not settled within {taken:.0f} s under sync {sync!r}"
            return Check(self.subject, Verdict.TROUBLE, text, remedy)
        if entry.failure is not None:
            text = f"sync {sync!r}: {entry.failure.error}: {entry.failure.message}"
            return Check(self.subject, Verdict.TROUBLE, text)
        return Check(self.subject, Verdict.OK, f"{entry.state} after {taken:.1f} s under sync {sync!r}")

    def _delete_outputs(self, plan: AnyPlan, entry: Entry | None) -> None:
        if entry is not None and isinstance(plan, Plan):
            for output in entry.outputs:
                self.sessions[plan.target_connection].delete(output.ref)
