"""`millrace backfill`: convert what a bucket held already, beside the live files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.completion import COMPLETE_SYNC
from millrace.cli.configuration import DEFAULT_CONFIG, Config
from millrace.cli.counting import counting
from millrace.cli.deployed.plan import describe_forecast, forecast_objects, forecast_to_json
from millrace.cli.deployments import Json, Name, get_deployments
from millrace.cli.interrupts import Interrupted
from millrace.cli.terminal import ask, print_json, print_line
from millrace.config.document import load
from millrace.errors import MillraceError, UsageError
from millrace.operations.backfills.board import BackfillCounts, BackfillStore
from millrace.operations.backfills.inventory import read_inventory_file, read_manifest
from millrace.operations.backfills.progress import BackfillProgress, describe_progress, read_progress
from millrace.operations.backfills.selection import BackfillSelection, Looked, demand_divisible
from millrace.operations.backfills.steering import BackfillOrder
from millrace.operations.forecast import Forecast
from millrace.operations.reprocess import resolve_prefix
from millrace.planning.planner import Planner
from millrace.remote.deployments import Deployments
from millrace.texts import quote_for_shell
from millrace.wording import count_of, describe_size

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.objects.store import ObjectStore, Stores

_POLL_SECONDS = 10.0
"""Between two looks at how a backfill goes."""
_SECONDS_IN_TWO_DAYS = 2 * 24 * 3600
_DONE_AT_ONCE = {
    "status": "and only looks",
    "pause": "and pauses all of it",
    "resume": "and goes on with all of it; --concurrency alone may be given, too",
    "stop": "and gives up all of it at once",
}

SyncArgument = Annotated[
    str | None, typer.Argument(help="The sync whose objects are converted.", autocompletion=COMPLETE_SYNC)
]
InventoryOption = Annotated[
    str | None, typer.Option(help="A manifest of S3 Inventory, s3://…/manifest.json, instead of a listing.")
]
ConcurrencyOption = Annotated[
    int | None, typer.Option(min=2, max=1000, help="How many functions work for backfills, side by side.")
]


def backfill(
    context: typer.Context,
    sync: SyncArgument = None,
    *,
    prefix: Annotated[str | None, typer.Option(help="Only what is below it, as reprocess takes it.")] = None,
    inventory: InventoryOption = None,
    concurrency: ConcurrencyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, say what it takes, and begin nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin without counting and asking first.")] = False,
    wait: Annotated[bool, typer.Option(help="Show how it goes until it ends.")] = True,
    status: Annotated[bool, typer.Option("--status", help="Show how backfills go.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Stop until --resume; nothing is lost.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a paused one.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Give it up; what is converted stays.")] = False,
    config: Config = DEFAULT_CONFIG,
    name: Name = "millrace",
    as_json: Json = False,
) -> None:
    """Convert what a bucket held already, on a queue of its own, so that live files do not wait.

    It asks for what is not converted with the deployed configuration; what is costs nothing. First it counts objects
    and bytes and says how long it takes and what it costs, then it asks. Ctrl-C ends this command alone.

    Examples: millrace backfill to-parquet --prefix in/2024/ --dry-run

              millrace backfill to-parquet --concurrency 50

              millrace backfill --status
    """
    chosen = _choose_action(status=status, pause=pause, resume=resume, stop=stop)
    _demand_alone(chosen, prefix=prefix, inventory=inventory, concurrency=concurrency, dry_run=dry_run)
    remote = RemoteBackfills.find(get_deployments(context), name)
    if chosen == "status":
        remote.show(sync, as_json=as_json)
        return
    if sync is None:
        raise UsageError("say which sync: millrace backfill SYNC; or look at all with --status")
    if chosen is not None:
        remote.steer(chosen, sync, concurrency)
        remote.show(sync, as_json=as_json)
        return
    order = BackfillOrder(sync=sync, prefix=prefix or "", inventory=inventory, concurrency=concurrency)
    if not yes or dry_run:
        estimate = Estimate.make(remote.deployments, name, Planner(load(config)), order)
        estimate.show(as_json=as_json)
        if not estimate.is_accepted(dry_run=dry_run, as_json=as_json):
            return
        order = estimate.order
    remote.ask(order.to_event())
    remote.follow(sync, waits=wait, as_json=as_json)


def _choose_action(**flags: bool) -> str | None:
    """The one of status, pause, resume and stop that is asked for, if any."""
    chosen = [name for name, is_asked in flags.items() if is_asked]
    if len(chosen) > 1:
        raise UsageError(f"--{' and --'.join(chosen)} were given together; give one of them")
    return chosen[0] if chosen else None


def _demand_alone(action: str | None, **options: str | int | None) -> None:
    """Raise UsageError for options that an action has no use for: ``--stop --dry-run`` must not stop anything."""
    accepted = {"concurrency"} if action == "resume" else set()
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value and name not in accepted]
    if action is not None and given:
        raise UsageError(
            f"--{action} and {' and '.join(given)} were given together; --{action} is for a backfill that goes on "
            f"already, {_DONE_AT_ONCE[action]}"
        )


@dataclass(frozen=True, slots=True)
class RemoteBackfills:
    """The backfills of a deployment: steered by its function, looked at in the ledger's table."""

    deployments: Deployments
    function: str
    store: BackfillStore

    @classmethod
    def find(cls, deployments: Deployments, name: str) -> RemoteBackfills:
        """Those of the deployment of that name; raise MillraceError if it is older than this command."""
        from millrace.aws.dynamodb_backfills import DynamoDBBackfills  # noqa: PLC0415 - needs boto3, slow to import

        deployed, _ = deployments.find(name)
        if deployed.backfill_function is None:
            raise MillraceError("the deployment has no backfills; deploy this version with `millrace deploy`")
        store = DynamoDBBackfills(deployments.client("dynamodb"), deployed.ledger_table)
        return cls(deployments, deployed.backfill_function, store)

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        """What the function answers."""
        return self.deployments.invoke(self.function, event)

    def steer(self, action: str, sync: str, concurrency: int | None) -> None:
        """Pause, resume or stop the backfill of a sync."""
        event: dict[str, Any] = {"action": action, "sync": sync}
        if action == "resume":
            event["concurrency"] = concurrency
        self.ask(event)

    def follow(self, sync: str, *, waits: bool, as_json: bool) -> None:
        """Show how the backfill of a sync goes: until it ends, or once."""
        if waits:
            self.watch(sync, time.sleep, as_json=as_json)
        else:
            self.show(sync, as_json=as_json)

    def show(self, sync: str | None, *, as_json: bool) -> None:
        """Print how all backfills go, or the last one of a sync."""
        now = datetime.now(UTC)
        rows = [row for row in self.store.board().backfills if sync in {None, row.sync}]
        if sync is not None:
            rows = rows[-1:]
        for row in rows:
            _print_progress(read_progress(self.store, row, now), as_json=as_json)
        if not rows and not as_json:
            print_line("there was no backfill" if sync is None else f"there was no backfill of sync {sync!r}")

    def watch(self, sync: str, sleep: Callable[[float], None], *, as_json: bool) -> None:
        """Show how the backfill of a sync goes until it ends, or somebody pauses it."""
        try:
            progress = self._wait_for_end(sync, sleep)
        except KeyboardInterrupt:
            hint = "look with --status, stop it for a while with --pause, give it up with --stop"
            text = f"the backfill goes on without this command: millrace backfill {quote_for_shell(sync)} ({hint})"
            raise Interrupted(text) from None
        _print_progress(progress, as_json=as_json)

    def _wait_for_end(self, sync: str, sleep: Callable[[float], None]) -> BackfillProgress:
        with counting() as show:
            while True:
                row = [row for row in self.store.board().backfills if row.sync == sync][-1]
                progress = read_progress(self.store, row, datetime.now(UTC))
                if not row.is_active or row.paused_at is not None:
                    return progress
                show(describe_progress(progress))
                if progress.is_listed and not progress.counts.open:
                    # All is done: the schedule would write that down within five minutes.
                    self.ask({"action": "tend"})
                    continue
                sleep(_POLL_SECONDS)


def _print_progress(progress: BackfillProgress, *, as_json: bool) -> None:
    if as_json:
        print_json(progress.to_json())
    else:
        print_line(describe_progress(progress))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a backfill would do, by a listing of now."""

    order: BackfillOrder
    place: str
    counts: BackfillCounts
    forecast: Forecast | str

    @classmethod
    def make(cls, deployments: Deployments, name: str, planner: Planner, order: BackfillOrder) -> Estimate:
        """List, compare with the ledger, and learn the speed from what was converted before."""
        folder = planner.active_sync(order.sync).folder
        place = f"s3://{folder.bucket}/{resolve_prefix(order.prefix, folder)}"
        counts = BackfillCounts()
        with counting() as show:
            for number, looked in enumerate(_look(deployments, name, planner, order)):
                counts += looked.to_counts()
                if number % 1000 == 0:
                    show(f"{order.sync}: {count_of(counts.asked, 'object')}, {describe_size(counts.size)}")
        forecast = forecast_objects(
            deployments,
            name,
            order.sync,
            counts.asked,
            counts.size,
            find_queue=_find_backfill_queue,
            concurrency=order.concurrency,
        )
        return cls(_with_room(order, forecast), place, counts, forecast)

    def is_accepted(self, *, dry_run: bool, as_json: bool) -> bool:
        """Whether to begin; the person is asked if there is something to do. Raises typer.Abort for a no."""
        if dry_run or not self.counts.asked:
            return False
        # The question is no JSON: it goes to standard error then.
        ask("begin?", err=as_json)
        return True

    def show(self, *, as_json: bool) -> None:
        """Print it."""
        if as_json:
            print_json(self.to_json())
            return
        for line in self._describe():
            print_line(line)

    def to_json(self) -> dict[str, Any]:
        """For programs; sizes in bytes."""
        counts = self.counts
        fields: dict[str, Any] = {
            "sync": self.order.sync,
            "objects": counts.asked,
            "bytes": counts.size,
            "compared": counts.compared,
            "known": counts.known,
            "failed_before": counts.failed_before,
            "ignored": counts.ignored,
        }
        if isinstance(self.forecast, str):
            return fields | {"forecast": None, "no_forecast": self.forecast}
        return fields | {"forecast": forecast_to_json(self.forecast)}

    def _describe(self) -> Iterator[str]:
        counts = self.counts
        yield f"{self.order.sync}: {count_of(counts.asked, 'object')} to convert, {describe_size(counts.size)}"
        yield (
            f"  of {counts.compared:,} listed, {counts.known:,} are converted already, "
            f"{counts.failed_before:,} failed before and {counts.ignored:,} are not for the sync"
        )
        if not counts.compared:
            source = "a listing" if self.order.inventory is None else "the inventory"
            yield f"  {source} has nothing below {self.place}; --prefix counts from the sync's folder or the bucket"
        if counts.asked:
            yield from describe_forecast(self.forecast)


def _find_backfill_queue(deployed: Deployed) -> str | None:
    return deployed.backfill_queue


def _with_room(order: BackfillOrder, forecast: Forecast | str) -> BackfillOrder:
    """With as many messages in the queue, at most, as are worked on in two days: SQS keeps one for ten."""
    if isinstance(forecast, str) or not forecast.minutes:
        return order
    rate = forecast.objects / (forecast.minutes * 60)
    event = order.to_event() | {"most_waiting": max(1, round(rate * _SECONDS_IN_TWO_DAYS))}
    return BackfillOrder.parse(event)


def _look(deployments: Deployments, name: str, planner: Planner, order: BackfillOrder) -> Iterator[Looked]:
    """Each object, as the deployed function will see it, with this person's rights."""
    _, ledger = deployments.find(name)
    sync = planner.active_sync(order.sync)
    demand_divisible(sync)
    stores = _open_stores(planner)
    selection = BackfillSelection(planner=planner, ledger=ledger, sync=sync, now=lambda: datetime.now(UTC))
    prefix = resolve_prefix(order.prefix, sync.folder)
    if order.inventory is None:
        yield from selection.look_at_bucket(stores[sync.source_connection], prefix)
        return
    inventories = _open_own_store(deployments)
    manifest = read_manifest(inventories, order.inventory)
    manifest.demand_bucket(sync.folder.bucket, order.inventory)
    for number in range(len(manifest.files)):
        rows = read_inventory_file(inventories, manifest, number, prefix)
        yield from selection.look_at_objects((str(row.number), row.listed) for row in rows)


def _open_stores(planner: Planner) -> Stores:
    from millrace.aws.sessions import Sessions  # noqa: PLC0415 - needs botocore, which is slow to import

    return Sessions(planner.document)


def _open_own_store(deployments: Deployments) -> ObjectStore:
    from millrace.aws.s3_objects import S3ObjectStore  # noqa: PLC0415 - needs botocore, which is slow to import

    return S3ObjectStore(deployments.client("s3"))
